package plant

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected messages of testdata anew; read the difference before committing")

// mark begins the comment lines, at the top of testdata/*.bad.yaml and *.warn.yaml, that hold the messages expected of the file.
const mark = "#! "

// Every testdata/NAME.bad.yaml says at its top all the errors that it gives, with their positions, and NAME.warn.yaml the warnings.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				data = marked(t, file, data)
				if err := os.WriteFile(file, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if rest, ok := strings.CutPrefix(line, mark); ok {
					want = append(want, strings.TrimSpace(rest))
				}
			}
			if diff := cmp.Diff(want, messages(t, file, data)); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// messages are those of the file's kind, without its name.
func messages(t *testing.T, file string, data []byte) []string {
	t.Helper()
	m, err := Parse("FILE", data)
	var list Problems
	if strings.HasSuffix(file, ".warn.yaml") {
		if err != nil {
			t.Fatal(err)
		}
		list = m.Warnings
	} else if !errors.As(err, &list) || m != nil {
		t.Fatalf("Parse gives %T (%v), want Problems and no model", err, err)
	}
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = strings.TrimPrefix(strings.TrimPrefix(p.Error(), "FILE:"), " ")
		if p.Message == "" || p.Remedy == "" {
			t.Errorf("no message or remedy: %v", p)
		}
	}
	if len(out) == 0 {
		t.Error("the file gives no message")
	}
	return out
}

// marked puts the messages that the file gives at its top, where they move the positions in them.
func marked(t *testing.T, file string, data []byte) []byte {
	t.Helper()
	var body []string
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, mark) {
			body = append(body, line)
		}
	}
	text := strings.Join(body, "")
	n := len(messages(t, file, []byte(text)))
	list := messages(t, file, []byte(strings.Repeat(mark+"\n", n)+text))
	return []byte(mark + strings.Join(list, "\n"+mark) + "\n" + text)
}
