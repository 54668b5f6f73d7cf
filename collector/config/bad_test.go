package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the messages of testdata/*.bad.yaml anew; read the difference before committing")

// Every testdata/NAME.bad.yaml has all its messages, in order, in NAME.bad.txt.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file)
			var list Errors
			if !errors.As(err, &list) {
				t.Fatalf("Load gives %T (%v), want Errors", err, err)
			}
			got := strings.ReplaceAll(list.Error(), filepath.ToSlash(file), "FILE") + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("a message repeats a secret:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			for _, p := range list {
				if p.Remedy == "" || p.Message == "" {
					t.Errorf("no message or remedy: %v", p)
				}
			}
		})
	}
}
