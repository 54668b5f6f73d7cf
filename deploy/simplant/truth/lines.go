package truth

import (
	"fmt"

	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// line is a line of the model. Its ideal seconds must not change within the record.
func (r *Recorder) line(l *plant.Line, now telemetry.Instant) (*contract.Line, error) {
	out := &contract.Line{ID: l.ID, Out: l.Out, UnitSeconds: map[string]exact.Num{}}
	for unit, dated := range l.UnitSeconds {
		seconds, _, err := constant("ideal of "+unit, dated, calendar.Interval{From: r.opts.Begin, To: now})
		if err != nil {
			return nil, fmt.Errorf("record of line %s: %w", l.ID, err)
		}
		out.UnitSeconds[unit] = seconds // 0 where there is none: its planned time is the line's all the same
	}
	return out, nil
}
