package plant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/exact"
	"kvarts/historian/markup"
	"kvarts/historian/telemetry"
)

// reservedMeasurements are written by Kvarts itself.
var reservedMeasurements = []string{"gap", "collector", "alive", "plant_model", "ledger", "record", "lot", "lab"}

// classes reads the list of classes.
func (d *decoder) classes(file *block) {
	seen := make(map[string]markup.Place)
	file.list("classes", levelClass, func(b *block) {
		c := &Class{}
		b.require("name", "write the class of equipment, for example cz_puller; it is the measurement of its signals")
		b.measurement(c)
		b.Unique(seen, "name", c.Name)
		b.text("description", &c.Description)
		b.text("piece", &c.PieceUnit)
		node, sampling := "", time.Second
		if v := b.get("node"); v != nil {
			v.node(&node)
		}
		if v := b.get("sampling"); v != nil {
			v.sampling(&sampling)
		}
		d.signals(b, c, node, sampling)
		d.roles(b, c)
		d.stateMaps(b, c)
		c.Reasons = b.dictionary("reasons", func(*value, string) bool { return true })
		c.ProductCodes = b.dictionary("product_codes", func(v *value, s string) bool { return v.known("products", "name", s) })
		b.batch(c)
		var t tuned
		b.tuned(&t)
		c.MinorStop, c.Hold, c.MinKW, c.RatedKW, c.Credit = t.minorStop, t.hold, t.minKW, t.ratedKW, t.credit
		if c.Progress != nil && c.Credit == nil {
			c.Credit = Constant(CreditProgress)
		}
		d.namespaces[c] = t.namespace
		b.checkClass(c)
		d.model.Classes = append(d.model.Classes, c)
		d.model.index.classes[c.Name] = c
	})
}

func (b *block) measurement(c *Class) {
	v := b.get("name")
	if v == nil || !v.name(&c.Name) {
		return
	}
	switch {
	case !fieldName.MatchString(c.Name):
		v.Fail("the name of a class has only small letters, digits and _, and begins with a letter", "write for example cz_puller")
	case slices.Contains(reservedMeasurements, c.Name):
		v.Fail("Kvarts writes this measurement itself; reserved are "+strings.Join(reservedMeasurements, ", "), "choose another")
	}
}

// tuned is what the keys of tuning say.
type tuned struct {
	minorStop, hold Dated[time.Duration]
	minKW, ratedKW  Dated[exact.Num]
	credit          Dated[Credit]
	namespace       string
}

// maxMinorStop and maxHold are as long as still makes sense: beyond, a stop is not minor and a reading tells nothing.
const (
	maxMinorStop = 24 * time.Hour
	maxHold      = 31 * 24 * time.Hour
)

// tuned reads the keys of tuning.
func (b *block) tuned(t *tuned) {
	b.durations("minor_stop", &t.minorStop, 0, maxMinorStop)
	b.durations("hold", &t.hold, time.Second, maxHold)
	b.nums("min_kw", &t.minKW, notNegative)
	b.nums("rated_kw", &t.ratedKW, aboveZero)
	if v := b.get("credit"); v != nil {
		t.credit = dated(v, func(v *value) (Credit, bool) { return choose(v, CreditProgress, CreditCompletion) }).over(t.credit)
	}
	if v := b.get("namespace"); v != nil {
		v.namespace(&t.namespace)
	}
}

func (v *value) namespace(dst *string) {
	var s string
	switch {
	case !v.words(&s):
	case len(s) > 1024 || strings.ContainsAny(s, " \"\\"):
		v.Fail("this is not a namespace URI", "copy it from `collector browse`, for example urn:maker:machine")
	default:
		*dst = s
	}
}

// batch reads how many pieces a batch has.
func (b *block) batch(c *Class) {
	c.BatchQuantity = make(map[string]Dated[exact.Num])
	if v := b.get("batch_quantity"); v != nil {
		if v.Kind() != markup.Mapping {
			var any Dated[exact.Num]
			b.nums("batch_quantity", &any, aboveZero)
			c.BatchQuantity[""] = any
		} else {
			c.BatchQuantity = b.numsBy("batch_quantity", aboveZero, func(v *value) bool { return v.known("products", "name", v.Key()) })
		}
	}
	b.nums("progress_full", &c.ProgressFull, aboveZero)
	if c.ProgressFull == nil {
		c.ProgressFull = fullRange(c.Progress)
	}
}

// checkClass holds the parts of a class against each other.
func (b *block) checkClass(c *Class) {
	needs := func(key string, has bool, role string) {
		if v := b.get(key); v != nil && !has {
			v.FailHidden("the class has no signal that it could be for", "add "+role+" to roles, or remove it")
		}
	}
	needs("state_maps", c.State != nil, "state")
	needs("hold", c.Power != nil, "power")
	needs("reasons", c.Reason != nil, "reason")
	needs("product_codes", c.Product != nil, "product")
	needs("batch_quantity", c.Progress != nil, "progress")
	needs("progress_full", c.Progress != nil, "progress")
	roles := b.get("roles")
	fail := func(message, remedy string) { roles.FailHidden(message, remedy) }
	if roles == nil {
		return
	}
	if c.State != nil && b.absent("state_maps") {
		fail("the class has a state, but nothing says what its codes mean", "add state_maps")
	}
	if c.Power != nil && b.get("hold") == nil {
		fail("the class has a power signal, but nothing says how long a reading holds", "add hold: for example 60s, so that silence does not count as power")
	}
	if c.countsPieces() && c.PieceUnit == "" && b.get("piece") == nil {
		fail("the class counts pieces, but nothing says of what", "add piece: wafer, kg, …")
	}
	if c.Progress == nil {
		return
	}
	if c.Total != nil || c.Good != nil {
		fail("pieces are counted twice: by progress, and by total or good", "keep one of them")
	}
	if b.absent("batch_quantity") {
		fail("the class counts by progress, but nothing says how many pieces a whole batch has", "add batch_quantity")
	}
	if c.ProgressFull == nil && b.get("progress_full") == nil {
		fail("the class counts by progress, but nothing says where a batch ends", "add progress_full, or give the signal a range that ends there")
	}
}

// countsPieces says that the units of the class tell what they make.
func (c *Class) countsPieces() bool {
	return c.Total != nil || c.Good != nil || c.Scrap != nil || c.Progress != nil
}

// checkPower reports a least power above the rated one, at any date.
func (b *block) checkPower(low, rated Dated[exact.Num]) {
	for _, t := range froms(low, rated) {
		l, ok := low.At(t)
		r, ok2 := rated.At(t)
		if ok && ok2 && l.Cmp(r) > 0 {
			b.FailHidden(fmt.Sprintf("min_kw %s is above rated_kw %s%s", l, r, b.d.since(t)), "correct one of them")
			return
		}
	}
}

// since names a date in messages: " from 2026-12-01"; nothing for always.
func (d *decoder) since(t telemetry.Instant) string {
	if t == Always {
		return ""
	}
	return " from " + showDate(t, d.zone)
}

// showDate is a local date, or a local time where it is not midnight.
func showDate(t telemetry.Instant, zone *time.Location) string {
	if date := calendar.DateOf(t, zone); calendar.Local(zone, date, 0) == t {
		return date.String()
	}
	return t.Time().In(zone).Format(time.RFC3339Nano)
}
