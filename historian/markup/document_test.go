package markup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf is a small kind of file.
var (
	levelShelf = Level{Name: "the shelf", Keys: []string{"owner", "books", "size"}}
	levelBook  = Level{Name: "a book", Keys: []string{"title", "colour", "notes", "pages"}, Secrets: map[string]string{"pin": "keep it in your head"}}
	shelf      = Format{MaxBytes: 1 << 20, MaxMarks: 500_000, MaxNodes: 500_000, Levels: []Level{levelShelf, levelBook},
		Start: "START", Manual: "MANUAL", Smaller: "SMALLER"}
)

// read reads a shelf as a room would.
func read(text string) (titles []string, d *Document) {
	d = shelf.Parse("FILE", []byte(text))
	root := d.Root()
	if root == nil {
		return nil, d
	}
	b := root.Block(levelShelf)
	var owner string
	b.Require("owner", "write a name")
	b.Text("owner", &owner)
	size := 0
	b.Integer("size", &size, 1, 9)
	if v := b.Get("books"); v != nil {
		seen := map[string]Place{}
		for _, item := range v.Items() {
			titles = append(titles, book(item, seen))
		}
		if v.Empty() {
			v.FailHidden("the shelf is empty", "put a book there")
		}
	}
	return titles, d
}

func book(v *Value, seen map[string]Place) (title string) {
	b := v.Block(levelBook)
	b.Text("title", &title)
	b.Unique(seen, "title", title)
	colour := ""
	if Choice(b.Get("colour"), &colour, "red", "Blue") && colour == "red" {
		b.Get("colour").Warn("red books fade", "keep it from the sun")
	}
	if notes := b.Get("notes"); notes != nil {
		for _, e := range notes.Entries() {
			if rest, cut := e.CutByHash(); cut {
				e.Warn("cut before #"+rest, "quote it")
			}
			e.Scalar()
		}
	}
	return title
}

// bad is texts with all their mistakes, each with its place, value and remedy.
func bad() []struct{ name, text, want string } {
	return []struct{ name, text, want string }{
		{"good", "owner: me\nsize: 3\nbooks: [{title: a, colour: Blue}, &b {title: 'b'}]\n", ""},
		{"kinds", "owner: [me]\nsize: {}\nbooks: x\n", `FILE:1:8: owner: this must be a single value, but is a list; see MANUAL
FILE:2:7: size: this must be a single value, but is a block of keys; see MANUAL
FILE:3:8: books: this must be a list, but is a single value; see MANUAL`},
		{"nothing", "owner:\nsize: ~\nbooks:\n- \n", `FILE:1:7: owner: the key has no value; give it one, or remove the key
FILE:2:7: size: the key has no value; give it one, or remove the key
FILE:4:3: books[0]: the key has no value; give it one, or remove the key`},
		{"empty", "owner: ''\nbooks: []\n", `FILE:1:8: owner: the value is empty; give it one, or remove the key
FILE:2:8: books: the shelf is empty; put a book there`},
		{"missing", "size: 10\n", `FILE:1:1: the shelf needs the key "owner"; write a name
FILE:1:7: size: "10": this must be a whole number from 1 to 9; write a number in that range`},
		{"unknown", "ownr: me\ntitle: x\nzzz: 1\nowner: me\nbooks: [{SIZE: 1, pin: 4711, notes: {x: [1]}}]\n", `FILE:1:1: the shelf has no key "ownr"; did you mean "owner"?
FILE:2:1: the shelf has no key "title"; this key belongs into a book
FILE:3:1: the shelf has no key "zzz"; known here: owner, books, size
FILE:5:10: books[0]: a book has no key "SIZE"; known here: title, colour, notes, pages
FILE:5:19: books[0].pin: a secret must not stand in the configuration; keep it in your head
FILE:5:41: books[0].notes.x: this must be a single value, but is a list; see MANUAL`},
		{"words", "owner: o\nbooks:\n- {title: a, colour: BLUE}\n- {title: a, colour: green}\n",
			`FILE:3:22: books[0].colour: "BLUE": this must be one of red, Blue; did you mean "Blue"?
FILE:4:11: books[1].title: "a": this name is already taken by books[0] in line 3; give one of them another name
FILE:4:22: books[1].colour: "green": this must be one of red, Blue; write one of them`},
		{"twice", "owner: o\nowner: p\n", `FILE:2:1: "owner": this key stands already in line 1; keep one of the two`},
		{"anchors", "owner: &a o\nsize: &a 3\nbooks: *b\n", `FILE:2:7: "a": this anchor is defined twice; give it another name
FILE:3:8: "b": no anchor of this name stands above; write &b before the value it should repeat, or quote the *`},
		{"long", "owner: o\nsize: " + strings.Repeat("ä", 100) + "\n",
			`FILE:2:7: size: "` + strings.Repeat("ä", 40) + `…": this must be a whole number from 1 to 9; write a number in that range`},
		{"no file", " \n# nothing\n", "FILE: the file is empty; start from START"},
		{"two", "a: 1\n---\nb: 1\n", "FILE:3:1: a second document begins here; remove the line --- above it"},
		{"tab", "a:\n\tb: 1\n", "FILE:2:1: a tab is used for indentation; use spaces"},
		{"latin1", "a: \xe4\n", "FILE:1:4: the byte 0xE4 is not UTF-8; save the file as UTF-8"},
		{"utf16", "\xff\xfea\x00", "FILE: the file is UTF-16; save it as UTF-8"},
		{"tag", "a: !x 1\n", `FILE:1:4: "!x": YAML tags (!) are not used here; remove it, or quote the value`},
		{"merge", "<<: {}\n", `FILE:1:1: "<<": merging of keys is not supported; write the keys, or alias a whole value (key: *name)`},
		{"large", "a: " + strings.Repeat("x", 1<<20), "FILE: the file has 1048579 bytes, more than 1 MiB; SMALLER"},
	}
}

func TestMessages(t *testing.T) {
	for _, tt := range bad() {
		t.Run(tt.name, func(t *testing.T) {
			_, d := read(tt.text)
			if diff := cmp.Diff(tt.want, d.Errors.Arrange().Error()); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	_, d := read("owner: o\nbooks:\n- colour: red\n  notes:\n    a: Saw #3\n    b: Saw # 3\n    c: \"Saw #3\" #!\n")
	want := `FILE:3:11: books[0].colour: "red": red books fade; keep it from the sun
FILE:5:8: books[0].notes.a: "Saw": cut before #3; quote it`
	if diff := cmp.Diff(want, d.Warnings.Arrange().Error()); diff != "" || len(d.Errors) > 0 {
		t.Errorf("%s%v", diff, d.Errors)
	}
}

// What is found without a judgement: nothing is reported, whatever stands there.
func TestFind(t *testing.T) {
	d := shelf.Parse("FILE", []byte("a: {b: [x]}\n"))
	b := d.Root().Find("a").Find("b")
	if b == nil || b.Kind() != Sequence || b.Key() != "b" || b.Path() != "a.b" || b.Pos() != (Position{1, 8}) {
		t.Errorf("%+v", b)
	}
	if d.Root().Find("b") != nil || b.Find("x") != nil || b.Items()[0].Raw() != "x" || len(d.Errors) > 0 {
		t.Errorf("%v", d.Errors)
	}
}

// A file of nothing but mistakes gives a bounded report.
func TestReportIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	_, d := read(b.String())
	list := d.Errors.Arrange()
	if len(list) != maxProblems+1 || list[maxProblems].Message != "and 801 more" {
		t.Errorf("%d problems: %v", len(list), list)
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f.yaml")
	if _, err := shelf.ReadFile(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, size := range []int{0, 5, shelf.MaxBytes, shelf.MaxBytes + 1, shelf.MaxBytes + 1000} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if data, err := shelf.ReadFile(name); err != nil || len(data) != min(size, shelf.MaxBytes+1) {
			t.Errorf("of %d bytes: %d, %v", size, len(data), err)
		}
	}
}

// What would cost the YAML parser minutes or the memory of a gateway is refused before.
func TestHostileFiles(t *testing.T) {
	large := Format{MaxBytes: 16 << 20, MaxMarks: 1_500_000, MaxNodes: 2_000_000} // as the largest kind of file there is
	for name, text := range map[string]string{
		"quotes":           strings.Repeat("\"", 2_000_000),
		"brackets":         strings.Repeat("[", 1_000_000),
		"dashes":           strings.Repeat("- ", 500_000),
		"dashes in a list": "a: [" + strings.Repeat("- ", 500_000),
		"empty entries":    strings.Repeat("-\n", 500_000),
		"empty keys":       strings.Repeat("a:\n", 400_000),
		"empty flow keys":  "a: {" + strings.Repeat("a:,", 300_000),
		"flow entries":     "a: {" + strings.Repeat("a,", 500_000),
		"keys":             strings.Repeat("a: ''\n", 100_000),
		"anchors":          strings.Repeat("&a ", 400_000),
		"nested keys":      strings.Repeat("a: ", 400_000),
		"aliases": "a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n" +
			"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [" + strings.Repeat("*e,", 40) + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			d := large.Parse("f", []byte(text))
			if len(d.Errors) == 0 || len(d.Errors) > 50 {
				t.Errorf("got %d problems", len(d.Errors))
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Parse and the readers never panic or hang, and every problem has a place in the text, in order, and says what to do.
func FuzzParse(f *testing.F) {
	for _, tt := range bad() {
		if len(tt.text) < shelf.MaxBytes {
			f.Add([]byte(tt.text))
		}
	}
	f.Add([]byte("owner: o\nsize: 3\nbooks:\n- {title: a, colour: red, notes: {x: Saw #3}}\n- &x {title: b}\n- *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, d := read(string(data))
		if d.Root() == nil && len(d.Errors) != 1 {
			t.Errorf("no root, and %d problems", len(d.Errors))
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, list := range []Problems{d.Errors.Arrange(), d.Warnings.Arrange()} {
			for i, p := range list {
				last := i == len(list)-1 && strings.HasPrefix(p.Message, "and ")
				if p.Message == "" || (p.Remedy == "" && !last) || p.File != "FILE" || p.Line < 0 || p.Line > lines || p.Column < 0 {
					t.Errorf("of %d lines: %+v", lines, p)
				}
				if i > 0 && !last && list[i-1].Line > p.Line {
					t.Errorf("not in order: %v, %v", list[i-1], p)
				}
			}
		}
	})
}
