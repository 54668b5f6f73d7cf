package influx

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, k := range []struct {
		o                    Options
		bucket, database, rp string
	}{
		{Options{Database: "d"}, "d", "d", ""},
		{Options{Database: "d", RetentionPolicy: "r"}, "d/r", "d", "r"},
		{Options{Bucket: "b"}, "b", "b", ""},
		{Options{Bucket: "d/r"}, "d/r", "d", "r"},
		{Options{Bucket: "d/r", RetentionPolicy: "q"}, "d/r", "d", "q"},
		{Options{Bucket: "b", Database: "d"}, "b", "d", ""},
		{Options{}, "", "", ""},
	} {
		k.o.URL = "http://host:8086"
		c := mustNew(t, k.o)
		if c.opts.Bucket != k.bucket || c.opts.Database != k.database || c.opts.RetentionPolicy != k.rp {
			t.Errorf("%s: bucket %q database %q policy %q", k.o, c.opts.Bucket, c.opts.Database, c.opts.RetentionPolicy)
		}
		if c.opts.Timeout != DefaultTimeout || c.opts.MaxResponse != DefaultMaxResponse || c.opts.UserAgent != defaultUserAgent {
			t.Errorf("defaults: %+v", c.opts)
		}
	}
	for url, want := range map[string]string{
		"":                  "http://",
		"host:8086":         "http://",
		"http://":           "host",
		"http://:8086":      "host",
		"http://h/?a=b":     "path prefix",
		"http://u@h":        "user name",
		"http://h:port":     "not valid",
		"unix:///run/store": "http://",
	} {
		if _, err := New(Options{URL: url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", url, err, want)
		}
	}
	if _, err := New(Options{URL: "http://h", Timeout: -1}); err == nil {
		t.Error("negative timeout accepted")
	}
}
