package uasession

import "kvarts/historian/telemetry"

// settled checks the books: every sample of the plant's variables that a subscription could see is delivered with its
// value and time, or covered by a gap; nothing is delivered that was not made; and each tag's messages are in order.
func (p *plant) settled(r *recorder, server string, tags map[string]*telemetry.Series) {
	p.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	type key struct {
		field string
		at    telemetry.Instant
		value float64
	}
	have := make(map[key]int)
	last := make(map[string]float64)
	begin := make(map[string]telemetry.Instant) // earliest source time that came: what the tag held when it was subscribed
	for _, s := range r.samples {
		f := s.sample.Field.Name
		if s.sample.Value.Type() == telemetry.NoType || tags[f] == nil {
			continue
		}
		if b, ok := begin[f]; !ok || s.sample.Source < b {
			begin[f] = s.sample.Source
		}
		have[key{f, s.sample.Source, s.sample.Value.Float()}]++
		if v := s.sample.Value.Float(); v < last[f] && v > 0 && len(r.gapsCovering(server, s.sample.Source)) == 0 && !r.redelivered(s) {
			p.t.Errorf("%s: value %v came after %v", f, v, last[f])
		}
		last[f] = s.sample.Value.Float()
	}
	names := make(map[string]string)
	for _, v := range p.vars {
		names[v.ID()] = v.ID()[len("nsu="+testNS+";s="):]
	}
	made := make(map[key]bool)
	missing := 0
	for g := range p.srv.Generated() {
		name := names[g.Node]
		series := tags[name]
		if series == nil {
			continue
		}
		at, _ := telemetry.FromTime(g.Source.Time())
		k := key{name, at, g.Value.(float64)}
		if made[k] = true; have[k] > 0 || g.Monitored == 0 && at < begin[name] {
			continue
		}
		covered := false
		for i := range r.gaps {
			covered = covered || r.gaps[i].Covers(server, string(series.Key()), name, at)
		}
		if !covered {
			if missing++; missing < 5 {
				p.t.Errorf("%s = %v at %s is neither delivered nor in a gap", name, k.value, at)
			}
		}
	}
	for k := range have {
		if !made[k] {
			p.t.Errorf("%s = %v at %s was never made", k.field, k.value, k.at)
		}
	}
	if missing > 0 {
		p.t.Errorf("%d samples missing; gaps: %+v", missing, r.gaps)
	}
}

func (r *recorder) gapsCovering(server string, at telemetry.Instant) []telemetry.Gap {
	var out []telemetry.Gap
	for _, g := range r.gaps {
		if g.Server == server && g.From <= at && at <= g.To {
			out = append(out, g)
		}
	}
	return out
}

// redelivered says that s was delivered before: the current value, sent again by a new subscription.
func (r *recorder) redelivered(s got) bool {
	n := 0
	for _, o := range r.samples {
		if o.sample.Field.Name == s.sample.Field.Name && o.sample.Source == s.sample.Source && o.sample.Value == s.sample.Value {
			n++
		}
	}
	return n > 1
}

func seriesOf(groups ...Group) map[string]*telemetry.Series {
	out := make(map[string]*telemetry.Series)
	for _, g := range groups {
		for _, t := range g.Tags {
			for _, o := range t.Outputs {
				out[o.Name] = o.Series
			}
		}
	}
	return out
}
