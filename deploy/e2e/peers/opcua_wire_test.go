package peers

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestReadGenerated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "j")
	text := `{"n":"load.00007","t":17639093351230007,"v":12,"s":0}` + "\n" +
		`{"n":"odd.bad_no_time","t":null,"r":17639093351230000,"v":null,"s":2150694912}` + "\n" +
		`{"n":"load.00008","t":1,"v":"NaN","s":0}` + "\n" + `{"n":"torn","t":17`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []Generated
	if err := ReadGenerated(file, func(g Generated) error { got = append(got, g); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []Generated{
		{Node: "load.00007", Source: 17639093351230007, HasSource: true, Value: 12.0},
		{Node: "odd.bad_no_time", Server: 17639093351230000, Status: 2150694912},
		{Node: "load.00008", Source: 1, HasSource: true, Value: "NaN"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	stop := errors.New("stop")
	if err := ReadGenerated(file, func(Generated) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error: %v", err)
	}
	if err := os.WriteFile(file, []byte("garbage\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := ReadGenerated(file, func(Generated) error { return nil }); err == nil {
		t.Error("garbage is read")
	}
}

// FuzzParseGenerated: whatever the line, the result is consistent or an error.
func FuzzParseGenerated(f *testing.F) {
	f.Add([]byte(`{"n":"load.00007","t":17639093351230007,"v":12,"s":0}`))
	f.Add([]byte(`{"n":"x","t":null,"r":1,"v":null,"s":4294967295}`))
	f.Add([]byte(`{"t":-116444736000000000,"v":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		g, err := parseGenerated(line)
		if err != nil {
			return
		}
		if !g.HasSource && g.Source != 0 {
			t.Errorf("a source time without one: %+v", g)
		}
		switch g.Value.(type) {
		case nil, bool, float64, string:
		default:
			t.Errorf("value of type %T", g.Value)
		}
	})
}

func TestLinesSplit(t *testing.T) {
	l := newLines()
	for _, part := range []string{"on", "e\ntwo\nth", "", "ree\n"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("%d %v", n, err)
		}
	}
	for _, want := range []string{"one", "two", "three"} {
		if got := string(<-l.c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
