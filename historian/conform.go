package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"kvarts/historian/conform"
)

type conformCmd struct {
	Path []string `arg:"" name:"file" help:"Vector files, or directories: all *.json below them." type:"path"`
	JSON bool     `help:"Print one object per query: vector, query, values, pass, mismatches."`
}

// Help is shown by historian conform --help.
func (c *conformCmd) Help() string {
	return "Runs OEE and energy conformance vectors through the KPI engine and prints, per query, every value that it computed and " +
		"what the vector wants otherwise. Files that are not valid vectors are named on standard error with the JSON path and " +
		"the reason, and the others still run.\n\nExit codes: 0 all pass, 1 one does not, 2 a file is not a valid vector."
}

func (c *conformCmd) Run(ctx context.Context) error {
	out := bufio.NewWriter(os.Stdout)
	s := conformSuite{out: out, problems: os.Stderr, json: c.JSON}
	err := s.run(ctx, c.Path)
	return errors.Join(err, out.Flush())
}

// errInvalid ends a command that was given something that is not what it reads.
var errInvalid = errors.New("invalid input")

// conformSuite counts what it ran.
type conformSuite struct {
	out, problems                      io.Writer
	json                               bool
	files, invalid, queries, notPassed int
}

func (s *conformSuite) run(ctx context.Context, paths []string) error {
	for _, path := range paths {
		files, err := vectorFiles(path)
		if err != nil {
			s.refuse(err)
		}
		for _, file := range files {
			if err := s.file(ctx, file); err != nil {
				return err
			}
		}
	}
	if !s.json {
		fmt.Fprintf(s.out, "%d files, %d queries, %d do not pass, %d not valid\n", s.files, s.queries, s.notPassed, s.invalid)
	}
	switch {
	case s.invalid > 0:
		return fmt.Errorf("%d not valid: %w", s.invalid, errInvalid)
	case s.notPassed > 0:
		return fmt.Errorf("%d of %d queries do not pass", s.notPassed, s.queries)
	default:
		return nil
	}
}

// vectorFiles is path itself, or all *.json below the directory that it is, sorted. A link to a directory is followed only
// when it is path itself.
func vectorFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err // names operation and path
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = fs.WalkDir(os.DirFS(path), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".json") {
			files = append(files, filepath.Join(path, filepath.FromSlash(name)))
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no *.json in the directory", path)
	}
	return files, err
}

// refuse reports what is not a valid vector.
func (s *conformSuite) refuse(err error) {
	s.invalid++
	fmt.Fprintln(s.problems, err)
}

// file runs one file's queries. An error ends the whole run; an invalid file does not.
func (s *conformSuite) file(ctx context.Context, path string) error {
	s.files++
	data, err := os.ReadFile(path)
	if err != nil {
		s.refuse(err)
		return nil
	}
	vector, err := conform.Parse(path, data)
	if err != nil {
		s.refuse(err)
		return nil
	}
	runner := conform.NewRunner(vector)
	for i := range vector.Queries {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.queries++
		outcome, err := runner.Run(i)
		if err != nil { // the format allows what the engine refuses: that query has no answer
			s.notPassed++
			fmt.Fprintf(s.problems, "%s: %s\n", path, err)
			continue
		}
		if !outcome.Pass() {
			s.notPassed++
		}
		if err := s.print(&outcome); err != nil {
			return err
		}
	}
	return nil
}

func (s *conformSuite) print(o *conform.Outcome) error {
	if s.json {
		return json.NewEncoder(s.out).Encode(o)
	}
	verdict := "pass"
	if !o.Pass() {
		verdict = "DOES NOT PASS"
	}
	fmt.Fprintf(s.out, "%s: %s: %s\n", o.Vector, o.Query, verdict)
	for _, m := range o.Mismatches {
		fmt.Fprintf(s.out, "  ! %s\n", m)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, row := range o.Answer.Rows() {
		fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out)
	return err
}
