package forward

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"kvarts/historian/telemetry"
)

// hint is what the words of a refusal say about which lines are bad. It only orders the search: a line is never taken
// for bad or good because of a hint, so a server with other words costs requests and nothing else.
type hint struct {
	lines       map[string]bool // quoted whole
	prefix      string          // quoted, but the message ends before the line does
	measurement string
	field       string // of measurement; "" = any
	byTime      bool   // lines are refused for their age
}

const (
	quoteBegin    = "unable to parse '"
	quoteEnd      = "': "
	minPrefix     = 16
	maxHintQuotes = 64
)

// readHint looks for the phrases of InfluxDB 1.x and 2.x:
//
//	unable to parse 'LINE': …              the line, one or several
//	… input field "F" on measurement "M" … the field whose type conflicts
//	… on measurement "M" …, measurement="M" a measurement with too many series, or a bad tag
//	beyond retention policy, outside retention policy
func readHint(message string) hint {
	h := hint{
		measurement: quoted(message, `measurement "`, `measurement="`),
		field:       quoted(message, `input field "`),
	}
	low := strings.ToLower(message)
	h.byTime = strings.Contains(low, "retention policy") && !strings.Contains(message, quoteBegin)
	for rest := message; len(h.lines) < maxHintQuotes; {
		i := strings.Index(rest, quoteBegin)
		if i < 0 {
			break
		}
		rest = rest[i+len(quoteBegin):]
		end := strings.Index(rest, quoteEnd)
		if end < 0 {
			if p := strings.TrimSuffix(rest, "…"); len(p) >= minPrefix {
				h.prefix = p
			}
			break
		}
		if h.lines == nil {
			h.lines = make(map[string]bool)
		}
		h.lines[rest[:end]] = true
		rest = rest[end:]
	}
	return h
}

// quoted returns what stands between one of the openings and the next quotation mark.
func quoted(s string, openings ...string) string {
	for _, o := range openings {
		if _, rest, ok := strings.Cut(s, o); ok {
			if name, _, ok := strings.Cut(rest, `"`); ok {
				return name
			}
		}
	}
	return ""
}

// useless says that the words point at no lines.
func (h *hint) useless() bool {
	return !h.quotes() && h.measurement == "" && !h.byTime
}

// quotes says that the words quote lines.
func (h *hint) quotes() bool { return h.lines != nil || h.prefix != "" }

// suspect says that the hint points at this line.
func (h *hint) suspect(text []byte) bool {
	if h.quotes() {
		return h.lines[string(text)] || h.prefix != "" && bytes.HasPrefix(text, []byte(h.prefix))
	}
	if h.measurement == "" {
		return false
	}
	p, err := telemetry.ParseLine(text)
	if err != nil {
		return true // cannot be ruled out
	}
	if p.Measurement != h.measurement {
		return false
	}
	_, has := p.Field(h.field)
	return h.field == "" || has
}

// arrange orders lines so that those which one fault makes bad stand together: by age when the server speaks of
// retention, else by series, field and type. A search that halves them then meets long runs of good and of bad lines.
// Within one series and field the order of time stays.
func (h *hint) arrange(lines []line) {
	type sortable struct {
		line
		key  string
		time telemetry.Instant
	}
	all := make([]sortable, len(lines))
	for i, l := range lines {
		all[i].line = l
		if p, err := telemetry.ParseLine(l.text); err == nil {
			all[i].time = p.Time
			if !h.byTime {
				all[i].key = faultKey(&p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sortable) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.time, b.time))
	})
	for i := range all {
		lines[i] = all[i].line
	}
}

// faultKey groups the lines of one signal: measurement, field and type first, then the series.
func faultKey(p *telemetry.Point) string {
	var b strings.Builder
	b.WriteString(p.Measurement)
	for i := range p.Fields {
		b.WriteByte(0)
		b.WriteString(p.Fields[i].Name)
		b.WriteByte(byte(p.Fields[i].Value.Type()))
	}
	b.WriteByte(0)
	b.WriteString(p.Key)
	return b.String()
}
