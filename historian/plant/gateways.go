package plant

import (
	"slices"
	"strings"
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/markup"
)

// gateways reads the list of gateways.
func (d *decoder) gateways(file *block) {
	seen := make(map[string]markup.Place)
	file.list("gateways", levelGateway, func(b *block) {
		g := &Gateway{Policy: "auto", Mode: "auto"}
		b.require("name", "write the name of the collector's computer")
		b.name("name", &g.Name)
		b.Unique(seen, "name", g.Name)
		b.text("description", &g.Description)
		b.require("url", "write the address of the store, for example http://store.example:8086")
		if v := b.get("url"); v != nil && v.words(&g.URL) && !strings.HasPrefix(g.URL, "http://") && !strings.HasPrefix(g.URL, "https://") {
			v.Fail("this is not the address of a store", "write http://HOST:PORT or https://HOST:PORT")
		}
		b.text("database", &g.Database)
		b.text("org", &g.Org)
		b.text("bucket", &g.Bucket)
		if has := b.get("database") != nil; has == (b.get("bucket") != nil) || (b.get("org") != nil) != (b.get("bucket") != nil) {
			b.FailHidden("a store is named by database, or by org and bucket", "write database: NAME for InfluxDB 1 or the embedded store, org and bucket for InfluxDB 2")
		}
		b.text("token_file", &g.TokenFile)
		markup.Choice(b.Get("policy"), &g.Policy, "auto", "None", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
		markup.Choice(b.Get("mode"), &g.Mode, "auto", "None", "Sign", "SignAndEncrypt")
		if p, m := g.Policy == "None", g.Mode == "None"; p != m && g.Policy != "auto" && g.Mode != "auto" {
			b.FailHidden("policy None goes only with mode None", "write both or neither")
		}
		d.model.Gateways = append(d.model.Gateways, g)
		d.model.index.gateways[g.Name] = g
	})
}

// limitKPIs are what a limit can be for, besides signals.
var limitKPIs = []string{"oee", "availability", "performance", "quality", "coverage", "count_coverage", "energy_coverage", "kwh_per_piece", "kwh_per_watt"}

// limits reads the list of alert limits.
func (d *decoder) limits(file *block) {
	seen := make(map[string]markup.Place)
	file.list("limits", levelLimit, func(b *block) {
		l := Limit{Severity: Warning}
		b.require("name", "write a short name; the alert has it")
		b.text("name", &l.Name)
		b.Unique(seen, "name", l.Name)
		d.limited(b, &l)
		d.watched(b, &l)
		l.Below, l.Above = b.optional("below"), b.optional("above")
		switch {
		case b.get("below") == nil && b.get("above") == nil:
			b.Missing("below", "write below or above, or both")
		case l.Below != nil && l.Above != nil && l.Below.Cmp(*l.Above) >= 0:
			b.FailHidden("below is not less than above, so that the alert would never end", "exchange or correct them")
		}
		if v := b.get("for"); v != nil {
			l.For, _ = v.duration(0, 31*24*time.Hour)
		}
		markup.Choice(b.Get("severity"), &l.Severity, Warning, Critical)
		b.require("text", "write what to do when it happens")
		b.text("text", &l.Text)
		d.model.Limits = append(d.model.Limits, l)
	})
}

// limited reads which units a limit is for.
func (d *decoder) limited(b *block, l *Limit) {
	class, units := b.get("class"), b.get("units")
	switch {
	case (class == nil) == (units == nil):
		b.FailHidden("a limit is for a class or for units", "write one of class and units")
	case units != nil:
		if l.Units = units.selection(0); units.Empty() {
			units.FailHidden("the list is empty, so that the limit watches nothing", "list the units")
		}
	case class.name(&l.Class) && class.known("classes", "name", l.Class):
		for _, u := range d.model.Units {
			if u.Class.Name == l.Class {
				l.Units = append(l.Units, u.ID)
			}
		}
		if len(l.Units) == 0 {
			class.Warn("no unit is of this class, so that the limit watches nothing", "add units, or remove the limit")
		}
	}
}

// watched reads what a limit looks at.
func (d *decoder) watched(b *block, l *Limit) {
	signal, kpi := b.get("signal"), b.get("kpi")
	switch {
	case (signal == nil) == (kpi == nil):
		b.FailHidden("a limit looks at a signal or at a KPI", "write one of signal and kpi")
	case kpi != nil:
		markup.Choice(b.Get("kpi"), &l.KPI, limitKPIs...)
	case signal.words(&l.Signal):
		i := slices.IndexFunc(l.Units, func(id string) bool {
			s, ok := d.model.index.units[id].Class.Signal(l.Signal)
			return !ok || !s.numeric()
		})
		if i >= 0 {
			signal.Fail("the unit "+l.Units[i]+" has no number of this name among its signals", "name a signal that all units of the limit have")
		}
	}
}

// optional reads a number, nil when there is none.
func (b *block) optional(key string) *exact.Num {
	if v := b.get(key); v != nil {
		if x, ok := v.num(anyNumber); ok {
			return &x
		}
	}
	return nil
}
