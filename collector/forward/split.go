package forward

import (
	"context"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// split finds the bad lines of s, which the store refused with res, stores the others and puts the bad ones into
// quarantine.
//
//	all lines counted as dropped ──▶ all to quarantine, no request more
//	the words point at some lines ─▶ the rest as one request, then the suspects
//	else ──────────────────────────▶ halves: records first, then lines in an order that keeps like with like
//
// Good lines that the store kept are written again: the same bytes, the same points.
func (d *delivery) split(ctx context.Context, s *set, res influx.Result) (bad int, err error) {
	if s.single() {
		return d.refuse(ctx, s.loose, quarantine.Refused, res)
	}
	h := d.readHint(&res)
	if all := res.Dropped >= s.z.lines; all || !h.useless() || len(s.whole) <= 1 {
		return d.splitLines(ctx, s, res, &h)
	}
	return d.splitHalves(ctx, s, res)
}

// readHint reads the words of an answer, unless such words led to good lines before, or led on and on to single lines.
func (d *delivery) readHint(res *influx.Result) hint {
	h := readHint(res.Message)
	if d.misled >= maxMisled || h.quotes() && d.quotes >= maxQuotes {
		return hint{}
	}
	return h
}

// splitLines takes s apart as far as the hint asks for it.
func (d *delivery) splitLines(ctx context.Context, s *set, res influx.Result, h *hint) (bad int, err error) {
	p, bad, err := d.partition(ctx, s, res, h)
	if err != nil {
		return bad, err
	}
	lines := len(p.all())
	if res.Dropped >= lines && lines > 0 && bad == 0 {
		return d.refuse(ctx, p.all(), quarantine.Refused, res)
	}
	if len(p.suspects) > 0 && len(p.suspects) < lines {
		n, err := d.splitSuspects(ctx, &p, h)
		return bad + n, err
	}
	loose := p.all()
	if len(loose) < 2 {
		return d.each(ctx, bad, newSet(nil, loose)) // a record of one line, or what is left beside an unreadable one
	}
	h.arrange(loose)
	n, err := d.splitHalves(ctx, newSet(nil, loose), res)
	return bad + n, err
}

// splitSuspects sends the rest and the suspects. The rest first, for it proves that the store takes good lines; but
// while the rest of an earlier hint is still under way, the suspects first: words that mislead are found out soon.
func (d *delivery) splitSuspects(ctx context.Context, p *parts, h *hint) (bad int, err error) {
	rest, suspects := newSet(p.whole, p.rest), newSet(nil, p.suspects)
	if h.quotes() {
		d.quotes++
	}
	first, second := rest, suspects
	if d.depth > 0 {
		first, second = suspects, rest
	}
	d.depth++
	defer func() { d.depth-- }()
	for _, s := range []*set{first, second} {
		n, err := d.deliver(ctx, s)
		if bad += n; err != nil {
			return bad, err
		}
		if s == suspects && n == 0 {
			d.misled++
		}
	}
	return bad, nil
}

// parts of a set, by a hint.
type parts struct {
	whole    []*buffer.Entry // records without a suspect
	apart    [][]line        // the lines of each of whole
	rest     []line          // lines beside suspects
	suspects []line
}

// all lines of p.
func (p *parts) all() []line {
	var out []line
	for _, lines := range p.apart {
		out = append(out, lines...)
	}
	return append(append(out, p.rest...), p.suspects...)
}

// partition takes every record of s apart. One that cannot be goes to quarantine whole and counts as bad.
func (d *delivery) partition(ctx context.Context, s *set, res influx.Result, h *hint) (p parts, bad int, err error) {
	for _, rec := range s.whole {
		lines, err := takeApart(rec)
		if err != nil {
			n, err := d.setAside(ctx, rec, err, res)
			if bad += n; err != nil {
				return p, bad, err
			}
			continue
		}
		before := len(p.suspects)
		rest := p.sort(lines, h)
		if len(p.suspects) == before {
			p.whole, p.apart = append(p.whole, rec), append(p.apart, lines)
			continue
		}
		p.rest = append(p.rest, rest...)
	}
	p.rest = append(p.rest, p.sort(s.loose, h)...)
	return p, bad, nil
}

// sort adds the suspects among lines to p and returns the others.
func (p *parts) sort(lines []line, h *hint) (rest []line) {
	for _, l := range lines {
		if h.suspect(l.text) {
			p.suspects = append(p.suspects, l)
		} else {
			rest = append(rest, l)
		}
	}
	return rest
}

// splitHalves sends s in halves. When the store gave neither words nor a number to go by and the first half passes, the
// bad lines are in the second: it is not sent whole again.
func (d *delivery) splitHalves(ctx context.Context, s *set, res influx.Result) (bad int, err error) {
	a, b, ok := s.halves()
	if !ok {
		h := d.readHint(&res)
		return d.splitLines(ctx, s, res, &h)
	}
	bad, err = d.deliver(ctx, a)
	if err != nil {
		return bad, err
	}
	h := d.readHint(&res)
	if bad == 0 && !b.single() && res.Dropped < 0 && h.useless() {
		return d.split(ctx, b, res)
	}
	return d.each(ctx, bad, b)
}

// cut sends s in halves for its size.
func (d *delivery) cut(ctx context.Context, s *set) (bad int, err error) {
	if a, b, ok := s.halves(); ok {
		return d.each(ctx, 0, a, b)
	}
	var p parts
	if p, bad, err = d.partition(ctx, s, influx.Result{Message: "nothing, the block was too large or too slow"}, &hint{}); err != nil {
		return bad, err
	}
	loose := newSet(nil, p.all())
	a, b, ok := loose.halves()
	if !ok {
		return d.each(ctx, bad, loose)
	}
	return d.each(ctx, bad, a, b)
}

func (d *delivery) each(ctx context.Context, bad int, sets ...*set) (int, error) {
	for _, s := range sets {
		n, err := d.deliver(ctx, s)
		if bad += n; err != nil {
			return bad, err
		}
	}
	return bad, nil
}

func timeOf(text []byte) (telemetry.Instant, bool) {
	p, err := telemetry.ParseLine(text)
	return p.Time, err == nil
}
