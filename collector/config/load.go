package config

import (
	"fmt"
	"path/filepath"
	"time"

	"kvarts/historian/markup"
)

// Default folders follow the Filesystem Hierarchy Standard and systemd's StateDirectory=kvarts.
const (
	defaultBufferDir = "/var/lib/kvarts/collector/buffer"
	defaultPKIDir    = "/var/lib/kvarts/collector/pki"
)

// Default returns the configuration that an empty file would give: no servers, no destinations.
func Default() *Config {
	return &Config{
		Buffer: Buffer{Dir: defaultBufferDir, MaxBytes: 20 << 30, SegmentBytes: 16 << 20, SyncInterval: 50 * time.Millisecond, Policy: DropOldest},
		Status: Status{Listen: "127.0.0.1:9478"},
		PKI:    PKI{Dir: defaultPKIDir, KeyBits: 3072, Validity: 1825 * day, RenewBefore: 60 * day},
		Log:    Log{Level: "info", Format: "auto"},
	}
}

// Load reads and checks the file. The error is of type Errors when the file could be read.
func Load(path string) (*Config, error) {
	data, err := format.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse checks the text of a configuration file. name stands in messages; relative file names in the text start at its
// folder. The error is nil or of type Errors, with everything that is wrong. Nothing but data is read.
func Parse(name string, data []byte) (*Config, error) {
	doc := format.Parse(name, data)
	root := doc.Root()
	if root == nil {
		return nil, doc.Errors
	}
	d := decoder{dir: filepath.Dir(name), doc: doc}
	c := d.config(d.value(root))
	if len(doc.Errors) > 0 {
		return nil, doc.Errors.Arrange()
	}
	c.File, c.Warnings = name, doc.Warnings.Arrange()
	return c, nil
}

// config reads the whole file.
func (d *decoder) config(v *value) *Config {
	c := Default()
	b := v.block(levelFile)
	b.require("collector", "write the name of this gateway, for example gw-pullers-1")
	b.name("collector", &c.Collector)
	namespaces := b.namespaces(nil)
	if servers := b.require("servers", "list the OPC UA servers"); servers != nil {
		d.servers(c, servers, namespaces)
	}
	if list := b.require("destinations", "list at least one InfluxDB"); list != nil {
		d.destinations(c, list)
	}
	d.settle(c.Servers)
	d.buffer(b, &c.Buffer)
	d.status(b, &c.Status)
	d.pki(b, &c.PKI)
	if l := b.get("log"); l != nil {
		lb := l.block(levelLog)
		markup.Choice(lb.Get("level"), &c.Log.Level, "debug", "info", "warn", "error")
		markup.Choice(lb.Get("format"), &c.Log.Format, "auto", "console", "json")
	}
	return c
}

func (d *decoder) buffer(b *block, out *Buffer) {
	v := b.get("buffer")
	if v == nil {
		out.Dir = d.resolve(out.Dir)
		return
	}
	b = v.block(levelBuffer)
	b.filename("dir", &out.Dir)
	b.size("segment_bytes", &out.SegmentBytes, 64<<10, 1<<30)
	b.size("max_bytes", &out.MaxBytes, 1<<20, 1<<50)
	b.duration("max_age", &out.MaxAge, 0, 3650*day)
	b.duration("sync_interval", &out.SyncInterval, 0, time.Second)
	b.duration("retain", &out.Retain, 0, 365*day)
	markup.Choice(b.Get("policy"), &out.Policy, DropOldest, DropNewest, DropClass)
	if out.MaxBytes < 4*out.SegmentBytes {
		at := b.get("max_bytes")
		if at == nil {
			at = b.get("segment_bytes")
		}
		at.Fail(fmt.Sprintf("max_bytes (%s) must hold at least 4 segments of segment_bytes (%s)", showSize(out.MaxBytes), showSize(out.SegmentBytes)),
			"raise max_bytes or lower segment_bytes")
	}
	if out.MaxAge > 0 && out.Retain > out.MaxAge {
		b.get("retain").Fail(fmt.Sprintf("it is longer than max_age (%s)", showDuration(out.MaxAge)), "lower retain or raise max_age")
	}
}
