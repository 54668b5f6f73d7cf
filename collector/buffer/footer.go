package buffer

import (
	"math"
	"slices"

	"kvarts/historian/telemetry"
)

// entry is what the footer says of one record: all that a Loss needs, so that a record that cannot be read any more, or
// is given up, is ledgered exactly.
type entry struct {
	seq      uint64
	off      uint32 // in the file
	samples  uint32
	span     uint32
	length   uint32 // whole record
	key      groupKey
	class    Class
	first    telemetry.Instant
	last     telemetry.Instant
	received telemetry.Instant
}

func (e *entry) normal() bool { return e.key.kind == Data && e.class == Normal }

func entryOf(h *recordHeader, off int64) entry {
	return entry{
		seq: h.pos.Seq, off: uint32(off), samples: h.samples, span: h.span, length: uint32(h.size()),
		key: groupKey{h.server, h.group, h.kind, true}, class: h.class, first: h.first, last: h.last, received: h.received,
	}
}

// footer is the index of a closed segment.
type footer struct {
	next    position          // behind the last record
	newest  telemetry.Instant // log clock at the last append
	until   telemetry.Instant // largest source or publish time of the segment and all before
	entries []entry           // in order; Kind dropped included
}

// encodeFooter encodes f for the segment with the given base. Names are stored once for each (server, group).
func encodeFooter(log, base uint64, f *footer) []byte {
	type name struct{ server, group string }
	index := map[name]uint16{}
	var names []name
	for i := range f.entries {
		n := name{f.entries[i].key.server, f.entries[i].key.group}
		if _, ok := index[n]; !ok && len(names) <= math.MaxUint16 {
			index[n] = uint16(len(names))
			names = append(names, n)
		}
	}
	b := slices.Clone(footerMagic[:])
	b = le.AppendUint64(b, 0) // length and checksum, below
	b = le.AppendUint32(b, uint32(len(f.entries)))
	b = le.AppendUint32(b, uint32(len(names)))
	b = le.AppendUint32(b, 0)
	for _, v := range [...]uint64{f.next.Seq, f.next.Cum, uint64(f.newest), uint64(f.until)} {
		b = le.AppendUint64(b, v)
	}
	for _, n := range names {
		b = append(b, byte(len(n.server)), byte(len(n.group)))
		b = appendNames(b, n.server, n.group)
	}
	for i := range f.entries {
		e := &f.entries[i]
		for _, v := range [...]uint32{uint32(e.seq - base), e.off, e.samples, e.span, e.length} {
			b = le.AppendUint32(b, v)
		}
		b = le.AppendUint16(b, index[name{e.key.server, e.key.group}])
		b = append(b, byte(e.key.kind), byte(e.class))
		for _, v := range [...]telemetry.Instant{e.first, e.last, e.received} {
			b = le.AppendUint64(b, uint64(v))
		}
	}
	length := uint32(len(b) + footerTail)
	b = le.AppendUint32(b, length)
	b = append(b, endMagic[:]...)
	le.PutUint32(b[4:], length)
	le.PutUint32(b[8:], seededSum(log, b[12:]))
	return b
}

// footerLength reads how long the footer is from b, the last footerTail bytes of a file.
func footerLength(b []byte) (int64, error) {
	d := dec{b: b}
	n := d.u32()
	d.magic(endMagic)
	if err := d.end(); err != nil {
		return 0, err
	}
	if n < footerSize+footerTail || n > maxFooterBytes {
		return 0, errLength
	}
	return int64(n), nil
}

// decodeFooter decodes b, the whole footer of the segment with the given base.
func decodeFooter(b []byte, log, base uint64) (footer, error) {
	var f footer
	d := dec{b: b}
	d.magic(footerMagic)
	length, sum := d.u32(), d.u32()
	if d.err != nil {
		return f, d.err
	}
	if int64(length) != int64(len(b)) || length < footerSize+footerTail {
		return f, errLength
	}
	if sum != seededSum(log, b[12:]) {
		return f, errChecksum
	}
	entries, names := int64(d.u32()), int64(d.u32())
	d.take(4)
	f.next = position{d.u64(), d.u64()}
	f.newest, f.until = d.instant(), d.instant()
	if entries*entrySize > int64(len(d.b)) || names*2 > int64(len(d.b)) {
		return f, errLength
	}
	keys := make([]groupKey, names)
	for i := range keys {
		server, group := int(d.u8()), int(d.u8())
		keys[i] = groupKey{server: string(d.take(server)), group: string(d.take(group)), known: true}
	}
	f.entries = make([]entry, entries)
	for i := range f.entries {
		f.entries[i] = d.entry(base, keys)
	}
	d.take(footerTail)
	return f, d.end()
}

func (d *dec) entry(base uint64, keys []groupKey) (e entry) {
	e.seq = base + uint64(d.u32())
	e.off, e.samples, e.span, e.length = d.u32(), d.u32(), d.u32(), d.u32()
	name := int(d.u16())
	kind, class := Kind(d.u8()), Class(d.u8())
	e.first, e.last, e.received = d.instant(), d.instant(), d.instant()
	if name >= len(keys) {
		if d.err == nil {
			d.err = errLength
		}
		return e
	}
	e.key, e.class = keys[name], class
	e.key.kind = kind
	return e
}

// sum adds the entries up by group, in order of first appearance; beyond maxGroups under an unknown name.
func sum(entries []entry) []groupSum {
	var sums []groupSum
	index := map[groupKey]int{}
	for i := range entries {
		e := &entries[i]
		if e.key.kind == dropped {
			continue
		}
		key := e.key
		at, ok := index[key]
		if !ok && len(sums) >= maxGroups-1 {
			key = groupKey{kind: e.key.kind}
			at, ok = index[key]
			if !ok && len(sums) == maxGroups {
				at, ok = maxGroups-1, true
			}
		}
		if !ok {
			at = len(sums)
			index[key] = at
			sums = append(sums, groupSum{groupKey: key, first: e.first, last: e.last})
		}
		g := &sums[at]
		g.records++
		g.samples += uint64(e.samples)
		g.first, g.last = min(g.first, e.first), max(g.last, e.last)
	}
	return sums
}
