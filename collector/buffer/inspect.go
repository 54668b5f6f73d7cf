package buffer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kvarts/historian/telemetry"
)

// Report is what Verify finds. It changes nothing, and reads the directory of a running collector as well: what that one
// is writing just now shows as Unfinished.
type Report struct {
	Dir          string          `json:"dir"`
	OK           bool            `json:"ok"` // no damage, nothing missing
	Log          string          `json:"log"`
	Segments     []SegmentReport `json:"segments"`
	Cursors      []CursorReport  `json:"cursors"`
	DurableSeq   uint64          `json:"durable_seq"`
	Records      uint64          `json:"records"`
	Samples      uint64          `json:"samples"`
	Bytes        int64           `json:"bytes"`
	DamagedBytes int64           `json:"damaged_bytes"` // of *.damaged files, set aside before
	OpenLosses   []Loss          `json:"open_losses"`   // in the state file: not yet known to be ledgered
	Findings     []string        `json:"findings"`
}

// SegmentReport is one segment file.
type SegmentReport struct {
	Name       string            `json:"name"`
	First      uint64            `json:"first_seq"`
	Next       uint64            `json:"next_seq"`
	Records    uint64            `json:"records"`
	Samples    uint64            `json:"samples"`
	Bytes      int64             `json:"bytes"`
	Oldest     telemetry.Instant `json:"oldest"` // received
	Newest     telemetry.Instant `json:"newest"`
	Closed     bool              `json:"closed"`     // has an intact footer
	Dropped    uint64            `json:"dropped"`    // records that DropClass took out
	Unfinished int64             `json:"unfinished"` // bytes behind the last record, of a record being written or a torn tail
	Damage     []Damage          `json:"damage,omitempty"`
}

// Damage is a range of records that cannot be read, or are missing.
type Damage struct {
	Range
	Samples uint64            `json:"samples"`
	Server  string            `json:"server,omitempty"` // empty: not known
	Group   string            `json:"group,omitempty"`
	First   telemetry.Instant `json:"first"`
	Last    telemetry.Instant `json:"last"`
	Why     string            `json:"why"`
}

// CursorReport is one cursor file.
type CursorReport struct {
	Destination string  `json:"destination"`
	Low         uint64  `json:"low"`
	Beyond      []Range `json:"beyond,omitempty"`
	Pending     uint64  `json:"pending_records"`
}

// Verify reads every byte of a buffer directory and says what is in it and what is damaged. It neither locks nor changes
// anything. The error is of directories that cannot be read at all.
func Verify(dir string) (Report, error) { return verify(diskFS{}, dir) }

// inspector reads a directory without changing it.
type inspector struct {
	fs    FS
	dir   string
	files []FileInfo
	st    state
	log   uint64
	mark  position
	bad   []string
}

// inspect loads what is there. A collector may be running: state and listing are taken again until they belong together,
// and the mark before the listing, so that the listing is not held against a newer one.
func inspect(fsys FS, dir string) (*inspector, error) {
	i := &inspector{fs: fsys, dir: dir}
	known := i.loadState()
	const tries = 100
	for range tries {
		i.bad = nil
		err := i.loadMark()
		if err != nil {
			return nil, err
		}
		if i.files, err = fsys.ReadDir(dir); err != nil {
			return nil, fmt.Errorf("list buffer directory %s: %w", dir, err)
		}
		before := i.st.Generation
		if known = i.loadState(); i.st.Generation == before {
			break
		}
	}
	if known {
		return i, nil
	}
	i.loadIDFromHeaders()
	return i, i.loadMark()
}

func (i *inspector) loadMark() error {
	f, err := i.fs.Open(filepath.Join(i.dir, markName), false)
	if err != nil {
		return nil // Open makes a new one: without it nothing is held against the end of the log
	}
	m := markFile{f: f, name: markName}
	if i.mark, err = m.read(i.log); err != nil {
		i.bad = append(i.bad, err.Error())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close durable mark: %w", err)
	}
	return nil
}

func (i *inspector) loadState() bool {
	b, err := readAll(i.fs, filepath.Join(i.dir, stateName))
	if err != nil {
		i.bad = append(i.bad, fmt.Sprintf("state: %v", err))
		return false
	}
	for len(b) > 0 {
		n := min(len(b), stateSlot)
		if s, err := decodeState(b[:n]); err == nil && s.Generation > i.st.Generation {
			i.st = s
		}
		b = b[n:]
	}
	id, err := strconv.ParseUint(i.st.Log, 16, 64)
	if err != nil {
		i.bad = append(i.bad, "state: no copy of it is intact")
		return false
	}
	i.log = id
	return true
}

func (i *inspector) loadIDFromHeaders() {
	for _, f := range i.segments() {
		if file, err := i.fs.Open(filepath.Join(i.dir, f.Name), false); err == nil {
			if h, err := readHeader(file); err == nil {
				i.log = h.log
			}
			if err := file.Close(); err != nil {
				i.bad = append(i.bad, err.Error())
			}
		}
	}
}

func (i *inspector) segments() []FileInfo {
	return slices.DeleteFunc(slices.Clone(i.files), func(f FileInfo) bool {
		_, ok := segmentNumber(f.Name)
		return !ok
	})
}

func verify(fsys FS, dir string) (Report, error) {
	i, err := inspect(fsys, dir)
	if err != nil {
		return Report{}, err
	}
	r := Report{Dir: i.dir, Log: idText(i.log), OpenLosses: i.st.Losses, Findings: i.bad, DurableSeq: max(i.mark.Seq, 1) - 1}
	at := i.st.Floor
	list := i.segments()
	for n, f := range list {
		s, header, end, err := i.segment(f, n == len(list)-1)
		if errors.Is(err, fs.ErrNotExist) {
			at = position{} // a running collector removed it since: what follows is not held against what was before
			continue
		}
		at = i.st.skip(at)
		if at.Seq > 0 && header.base.Seq > at.Seq {
			s.Damage = append([]Damage{{Range: Range{at.Seq, header.base.Seq - 1}, Samples: header.base.Cum - at.Cum, Why: "segment is missing before this one"}}, s.Damage...)
		}
		if end.Seq >= at.Seq { // else it is to be removed any moment
			at = end
		}
		r.Segments = append(r.Segments, s)
		r.Records += s.Records
		r.Samples += s.Samples
		r.Bytes += s.Bytes
	}
	if at = i.st.skip(at); at.Seq > 0 && i.mark.Seq > at.Seq {
		r.Findings = append(r.Findings, fmt.Sprintf("records %d to %d were durable and are missing at the end", at.Seq, i.mark.Seq-1))
	}
	r.cursors(i)
	r.OK = len(r.Findings) == 0
	for _, s := range r.Segments {
		r.OK = r.OK && len(s.Damage) == 0
	}
	return r, nil
}

func (r *Report) cursors(i *inspector) {
	list, bad := listCursors(i.fs, i.dir, i.files)
	r.Findings = append(r.Findings, bad...)
	for _, c := range list {
		set := rangeSet{low: c.Low, beyond: c.Beyond}
		out := CursorReport{Destination: c.Destination, Low: c.Low, Beyond: c.Beyond}
		for _, s := range r.Segments {
			set.missing(s.First, s.Next-1, func(from, to uint64) { out.Pending += to - from + 1 })
		}
		r.Cursors = append(r.Cursors, out)
	}
	for _, f := range i.files {
		if strings.HasSuffix(f.Name, damagedSuffix) {
			r.DamagedBytes += f.Size
		}
	}
}

// segment scans one file, whatever its footer says.
func (i *inspector) segment(f FileInfo, last bool) (s SegmentReport, h segmentHeader, end position, err error) {
	s = SegmentReport{Name: f.Name, Bytes: f.Size}
	name, _ := segmentNumber(f.Name)
	s.First, s.Next = name, name
	file, err := i.fs.Open(filepath.Join(i.dir, f.Name), false)
	if err != nil {
		s.Damage = append(s.Damage, Damage{Why: err.Error()})
		return s, h, end, err
	}
	h, out, err := i.scan(file, f.Size, name)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		s.Damage = append(s.Damage, Damage{Why: err.Error()})
	}
	if out.torn != nil && !last {
		out.missing(tornHole(&out).to, out.until)
	}
	s.First, s.Next, s.Closed, s.Unfinished = h.base.Seq, out.end.Seq, out.footer, out.tail
	for n := range out.entries {
		s.add(&out.entries[n])
	}
	for _, hole := range out.holes {
		s.Damage = append(s.Damage, damageOf(&hole))
	}
	if !last && !out.footer && out.tail > 0 {
		s.Damage = append(s.Damage, Damage{Why: fmt.Sprintf("%d bytes behind the last record are no footer", out.tail)})
	}
	return s, h, out.end, nil
}

func (s *SegmentReport) add(e *entry) {
	if e.key.kind == dropped {
		s.Dropped += uint64(e.span)
		return
	}
	if s.Records == 0 {
		s.Oldest = e.received
	}
	s.Newest = max(s.Newest, e.received)
	s.Records++
	s.Samples += uint64(e.samples)
}

func damageOf(h *hole) Damage {
	d := Damage{Range: Range{h.from.Seq, h.to.Seq - 1}, Samples: h.to.Cum - h.from.Cum, First: h.first, Last: h.last, Why: h.why}
	if h.known != nil {
		d.Server, d.Group = h.known.key.server, h.known.key.group
	}
	return d
}

// scan reads a whole file. The error is of the header; the records are read all the same when there are any.
func (i *inspector) scan(f File, size int64, name uint64) (h segmentHeader, out scanned, err error) {
	h, err = readHeader(f)
	var v *VersionError
	if errors.As(err, &v) {
		v.File = filepath.Join(i.dir, filepath.Base(segmentPath(i.dir, name)))
		return segmentHeader{base: position{Seq: name}}, scanned{end: position{Seq: name}}, v
	}
	if err != nil {
		err = fmt.Errorf("header: %w", err)
		rescued, ok := rescueHeader(f, size, i.log, name)
		if !ok {
			return segmentHeader{base: position{Seq: name}}, scanned{end: position{Seq: name}}, err
		}
		h = rescued
	}
	return h, scan(f, size, int64(h.length), h.log, h.base, h.until), err
}

// DumpOptions say what Dump writes.
type DumpOptions struct {
	From, To uint64 // numbers, both included; To 0: to the end
	Lines    bool   // the line protocol of the records; else one line of JSON for each record's header
}

// DumpRecord is one line of Dump's output.
type DumpRecord struct {
	Seq      uint64            `json:"seq"`
	Segment  string            `json:"segment"`
	Offset   uint32            `json:"offset"`
	Kind     Kind              `json:"kind"`
	Class    Class             `json:"class"`
	Server   string            `json:"server,omitempty"`
	Group    string            `json:"group,omitempty"`
	Records  uint32            `json:"records"` // more than 1: stands for dropped records
	Samples  uint32            `json:"samples"`
	Bytes    uint32            `json:"bytes"` // of the whole record on disk
	First    telemetry.Instant `json:"first"`
	Last     telemetry.Instant `json:"last"`
	Received telemetry.Instant `json:"received"`
}

// Dump writes the readable records of a directory to w, in order, with what is damaged between them left out (Verify
// names it). Like Verify it neither locks nor changes anything.
func Dump(dir string, w io.Writer, o DumpOptions) error { return dump(diskFS{}, dir, w, o) }

func dump(fsys FS, dir string, w io.Writer, o DumpOptions) error {
	i, err := inspect(fsys, dir)
	if err != nil {
		return err
	}
	if o.To == 0 {
		o.To = ^uint64(0)
	}
	for _, f := range i.segments() {
		if err := i.dumpSegment(f, w, o); err != nil {
			return fmt.Errorf("dump segment %s: %w", f.Name, err)
		}
	}
	return nil
}

func (i *inspector) dumpSegment(f FileInfo, w io.Writer, o DumpOptions) error {
	name, _ := segmentNumber(f.Name)
	file, err := i.fs.Open(filepath.Join(i.dir, f.Name), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a running collector removed it since
	}
	if err != nil {
		return err
	}
	h, out, err := i.scan(file, f.Size, name)
	if errors.Is(err, ErrVersion) {
		return errors.Join(err, file.Close())
	}
	for n := range out.entries {
		e := &out.entries[n]
		if e.seq < o.From || e.seq > o.To {
			continue
		}
		if o.Lines {
			err = dumpLines(file, w, h.log, e)
		} else {
			err = dumpHeader(w, f.Name, e)
		}
		if err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}

func dumpHeader(w io.Writer, segment string, e *entry) error {
	b, err := json.Marshal(DumpRecord{
		Seq: e.seq, Segment: segment, Offset: e.off, Kind: e.key.kind, Class: e.class, Server: e.key.server, Group: e.key.group,
		Records: e.span, Samples: e.samples, Bytes: e.length, First: e.first, Last: e.last, Received: e.received,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func dumpLines(f File, w io.Writer, log uint64, e *entry) error {
	if e.key.kind == dropped {
		return nil
	}
	b := make([]byte, e.length)
	if err := readFull(f, b, int64(e.off)); err != nil {
		return fmt.Errorf("record %d: %w", e.seq, err)
	}
	h, err := checkedRecord(b, log, e.seq)
	if err != nil {
		return fmt.Errorf("record %d: %w", e.seq, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b[h.head():]))
	if err != nil {
		return fmt.Errorf("record %d: %w", e.seq, err)
	}
	if _, err := io.Copy(w, z); err != nil {
		return fmt.Errorf("record %d: %w", e.seq, err)
	}
	return nil
}
