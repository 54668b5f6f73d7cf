package purity

import (
	"cmp"
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Item is one result and what it adds to Σ. Amounts are parts per trillion on the basis of the policy.
type Item struct {
	Element    string   `json:"element"`
	Sample     string   `json:"sample"`
	Lot        string   `json:"lot,omitempty"`
	Method     string   `json:"method"`
	Revision   int      `json:"revision"`
	Censored   Censored `json:"censored"`
	Value      string   `json:"value,omitempty"` // as the laboratory wrote it, in Unit, as LOD, LOQ and U
	LOD        string   `json:"lod,omitempty"`
	LOQ        string   `json:"loq,omitempty"`
	U          string   `json:"u_k2,omitempty"`
	Unit       Unit     `json:"unit"`
	MeasuredAt Moment   `json:"measured_at"`
	ApprovedAt Moment   `json:"approved_at"`
	Low        Amount   `json:"low_ppt"` // by the LOD alone
	High       Amount   `json:"high_ppt"`
	WideLow    Amount   `json:"wide_low_ppt"` // with the uncertainty
	WideHigh   Amount   `json:"wide_high_ppt"`
	Hash       string   `json:"hash"`               // of the result: Result.Hash
	LeftOut    string   `json:"left_out,omitempty"` // why it does not count

	lod   exact.Num // in parts per trillion, for the choice between methods; 0: not known
	class class
}

// newItem measures r, which Check has passed, on the basis b.
func newItem(r *Result, b Basis) (Item, error) {
	it := Item{Element: r.Element, Sample: r.Sample, Lot: r.Lot, Method: r.Method, Revision: r.Revision, Censored: r.Censored,
		Value: r.Value.String(), LOD: r.LOD.String(), LOQ: r.LOQ.String(), U: r.U.String(), Unit: r.Unit,
		MeasuredAt: Moment(r.MeasuredAt), ApprovedAt: Moment(r.ApprovedAt), Hash: r.Hash()}
	e, err := elementOf(r.Element)
	if err != nil {
		return it, err
	}
	it.class = e.class
	amount := func(q *Quantity) exact.Num {
		if q == nil || err != nil {
			return exact.Num{}
		}
		var n exact.Num
		n, err = Convert(q.Num, r.Element, r.Unit, b.Unit())
		return n
	}
	it.lod = amount(r.LOD)
	if r.Censored == NotDetected {
		it.Value, it.U = "", "" // no measurement
		it.High, it.WideHigh = Amount{it.lod}, Amount{it.lod}
		return it, err
	}
	v, u := amount(r.Value), amount(r.U)
	it.Low, it.High = Amount{v}, Amount{v}
	it.WideLow, it.WideHigh = Amount{exact.Max(v.Sub(u), exact.Num{})}, Amount{v.Add(u)}
	return it, err
}

// ends are what the item adds to Σ under the policy.
func (it *Item) ends(p *Policy) (low, high exact.Num) {
	if p.Uncertainty {
		return it.WideLow.Num, it.WideHigh.Num
	}
	return it.Low.Num, it.High.Num
}

// Answer is what results show of a sample or a lot. By LOD alone, or with uncertainty: Sum is the one of them that the policy
// grants by.
type Answer struct {
	Sample   string   `json:"sample,omitempty"` // exactly one of Sample and Lot is set
	Lot      string   `json:"lot,omitempty"`
	Policy   Policy   `json:"policy"`
	Grade    Grade    `json:"grade"`  // highest that is demonstrated; 0: none
	Next     string   `json:"next"`   // why the next higher grade is not, in words
	Sum      Interval `json:"sum"`    // Σ and N that the grade rests on
	ByLOD    Interval `json:"by_lod"` // with non-detects only
	Wide     Interval `json:"wide"`   // with non-detects and uncertainty
	Counted  []Item   `json:"counted"`
	LeftOut  []Item   `json:"left_out,omitempty"`
	Missing  []string `json:"missing,omitempty"` // required elements that nobody measured, or of which no result is approved
	Findings []string `json:"findings,omitempty"`
}

// Subject is a sample or all samples of a lot: exactly one is set.
type Subject struct{ Sample, Lot string }

func (s Subject) String() string {
	if s.Lot != "" {
		return "lot " + s.Lot
	}
	return "sample " + s.Sample
}

// Assess says what the results, as known and approved at asof, show of the subject. Results may come in any order and more than
// once, and be of other samples, too. An error is that of the policy, or of a result that Check would not have passed.
func Assess(s Subject, results []Result, p Policy, asof telemetry.Instant) (*Answer, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("assess %s: %w", s, err)
	}
	a := &Answer{Sample: s.Sample, Lot: s.Lot, Policy: p, Counted: []Item{}}
	bySample := make(map[string]map[string][]Item) // element → sample → methods
	for _, r := range a.standing(results, asof) {
		it, err := newItem(&r, p.Basis)
		if err != nil {
			return nil, fmt.Errorf("assess %s: %s: %w", s, &r, err)
		}
		if it.LeftOut = p.leaveOut(&it); it.LeftOut != "" {
			a.LeftOut = append(a.LeftOut, it)
			continue
		}
		if bySample[it.Element] == nil {
			bySample[it.Element] = make(map[string][]Item)
		}
		bySample[it.Element][it.Sample] = append(bySample[it.Element][it.Sample], it)
	}
	for _, samples := range bySample {
		a.choose(samples)
	}
	a.add()
	return a, nil
}

func (p *Policy) leaveOut(it *Item) string {
	switch {
	case !p.Scope.holds(it.class):
		return "not in the scope " + string(p.Scope)
	case it.Method == SurfaceMethod:
		return "on the surface, not in the bulk"
	}
	return ""
}

// standing are the results of the subject that count: of each the highest approved revision.
func (a *Answer) standing(results []Result, asof telemetry.Instant) []Result {
	var out []Result
	for k, revisions := range revisionsAt(results, asof) {
		if a.Sample != "" && k.sample != a.Sample {
			continue
		}
		waiting := len(revisions)
		for waiting > 0 && !approvedAt(&revisions[waiting-1], asof) {
			waiting--
		}
		now := &revisions[max(waiting-1, 0)]
		if a.Lot != "" && now.Lot != a.Lot {
			continue
		}
		if waiting < len(revisions) {
			a.Findings = append(a.Findings, fmt.Sprintf("%s is not approved and does not count", &revisions[len(revisions)-1]))
		}
		if waiting > 0 {
			out = append(out, *now)
		}
	}
	Sort(out)
	return out
}

func approvedAt(r *Result, asof telemetry.Instant) bool {
	return r.ApprovedAt != 0 && r.ApprovedAt <= asof
}

// choose takes one of the results of one element: of each sample one method, of these the sample that may hold most.
func (a *Answer) choose(samples map[string][]Item) {
	var chosen []Item
	for _, methods := range samples {
		chosen = append(chosen, a.chooseMethod(methods))
	}
	slices.SortFunc(chosen, func(x, y Item) int {
		_, hx := x.ends(&a.Policy)
		_, hy := y.ends(&a.Policy)
		return cmp.Or(hy.Cmp(hx), y.Low.Cmp(x.Low.Num), cmp.Compare(x.Sample, y.Sample))
	})
	a.Counted = append(a.Counted, chosen[0])
	for _, it := range chosen[1:] {
		it.LeftOut = "sample " + chosen[0].Sample + " may hold more"
		a.LeftOut = append(a.LeftOut, it)
	}
}

// chooseMethod takes one of the results of one element in one sample.
func (a *Answer) chooseMethod(methods []Item) Item {
	slices.SortFunc(methods, compareMethods)
	first, best := methods[0], methods[0]
	for _, other := range methods[1:] {
		if !contradict(&first, &other) {
			continue
		}
		a.Findings = append(a.Findings, fmt.Sprintf("%s in %s: %s and %s contradict each other; the larger counts", first.Element, first.Sample, first.says(), other.says()))
		if other.WideHigh.Cmp(best.WideHigh.Num) > 0 {
			best = other
		}
	}
	for _, it := range methods {
		if it.Method != best.Method {
			it.LeftOut = best.Method + " counts"
			a.LeftOut = append(a.LeftOut, it)
		}
	}
	return best
}

// compareMethods puts the one that counts first: the lowest LOD (one that is not known is last), then the latest, then the larger.
func compareMethods(x, y Item) int {
	unknown := func(it *Item) int { return cmp.Compare(0, it.lod.Sign()) + 1 }
	return cmp.Or(cmp.Compare(unknown(&x), unknown(&y)), x.lod.Cmp(y.lod), cmp.Compare(y.MeasuredAt, x.MeasuredAt),
		y.WideHigh.Cmp(x.WideHigh.Num), cmp.Compare(x.Method, y.Method))
}

// contradict says that no content fits both.
func contradict(x, y *Item) bool {
	return x.WideHigh.Cmp(y.WideLow.Num) < 0 || y.WideHigh.Cmp(x.WideLow.Num) < 0
}

// says is what a method says, in words.
func (it *Item) says() string { return it.Method + " (" + it.Content() + ")" }

// add sums up what counts and grants the grade.
func (a *Answer) add() {
	byElement := func(x, y Item) int {
		return cmp.Or(compareElements(x.Element, y.Element), cmp.Compare(x.Sample, y.Sample), cmp.Compare(x.Method, y.Method))
	}
	slices.SortFunc(a.Counted, byElement)
	slices.SortFunc(a.LeftOut, byElement)
	var low, high, wideLow, wideHigh exact.Num
	for i := range a.Counted {
		it := &a.Counted[i]
		low, high = low.Add(it.Low.Num), high.Add(it.High.Num)
		wideLow, wideHigh = wideLow.Add(it.WideLow.Num), wideHigh.Add(it.WideHigh.Num)
	}
	a.ByLOD, a.Wide = newInterval(low, high), newInterval(wideLow, wideHigh)
	a.Sum = a.ByLOD
	if a.Policy.Uncertainty {
		a.Sum = a.Wide
	}
	for _, symbol := range a.Policy.Required {
		if !slices.ContainsFunc(a.Counted, func(it Item) bool { return it.Element == symbol }) && !slices.Contains(a.Missing, symbol) {
			a.Missing = append(a.Missing, symbol)
		}
	}
	if len(a.Counted) > 0 && len(a.Missing) == 0 {
		a.Grade = gradeOf(a.Sum.High.Num)
	}
	a.Next = a.Why(a.Grade + 1)
	a.remark()
}

// remark notes what the reader of the numbers should know.
func (a *Answer) remark() {
	var noU, quantified []string
	for i := range a.Counted {
		it := &a.Counted[i]
		if it.Censored == Measured && it.U == "" && a.Policy.Uncertainty {
			noU = append(noU, it.Element)
		}
		if it.belowLOQ() {
			quantified = append(quantified, it.Element)
		}
	}
	if len(noU) > 0 {
		a.Findings = append(a.Findings, "no uncertainty is stated for "+inWords(noU)+": they count as measured")
	}
	if len(quantified) > 0 {
		a.Findings = append(a.Findings, "seen, but below the limit of quantification (LOQ): "+inWords(quantified))
	}
	slices.Sort(a.Findings)
	a.Findings = slices.Compact(a.Findings)
}

// belowLOQ says that the element was detected, but the method does not quantify so little.
func (it *Item) belowLOQ() bool {
	v, err := exact.Parse(it.Value)
	loq, errLOQ := exact.Parse(it.LOQ)
	return it.Censored == Measured && err == nil && errLOQ == nil && v.Cmp(loq) < 0
}
