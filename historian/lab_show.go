package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"kvarts/historian/influx"
	"kvarts/historian/purity"
	"kvarts/historian/telemetry"
)

type labList struct {
	target
	labPolicy
	From string `help:"Samples measured since: RFC 3339, the plant's wall clock or 'now-8h'." default:"now-90d"`
	To   string `help:"And before."`
	AsOf string `name:"asof" help:"What was known then. Default: now."`
	Zone string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	JSON bool   `help:"Print one JSON object a line."`
}

// Help is shown by historian lab list --help.
func (c *labList) Help() string {
	return "Lists samples with the grade that their results show, as historian lab show says it of each with its reasons."
}

// listedSample is one line of the list.
type listedSample struct {
	Sample     string          `json:"sample"`
	Lots       []string        `json:"lots"`
	MeasuredAt purity.Moment   `json:"measured_at"` // the latest
	Elements   int             `json:"elements"`    // that count
	N          purity.Interval `json:"sum"`
	Grade      purity.Grade    `json:"grade"`
	Next       string          `json:"next"`
}

// Run lists samples.
func (c *labList) Run(ctx context.Context) error {
	policy, err := c.policy()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := c.list(ctx, client, policy)
	if err != nil {
		return err
	}
	if c.JSON {
		for i := range list {
			if err := writeLabJSON(os.Stdout, &list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return writeSamples(os.Stdout, list, &policy)
}

func (c *labList) list(ctx context.Context, client *influx.Client, policy purity.Policy) ([]listedSample, error) {
	var from, to, asof telemetry.Instant
	for _, t := range []struct {
		flag, text string
		at         *telemetry.Instant
	}{{"from", c.From, &from}, {"to", c.To, &to}, {"asof", c.AsOf, &asof}} {
		at, err := labMoment(ctx, client, t.flag, t.text, c.Zone, labNow)
		if err != nil {
			return nil, err
		}
		*t.at = at
	}
	samples, err := purity.ReadSamples(ctx, client, from, to)
	if err != nil {
		return nil, err
	}
	results, err := purity.ReadResults(ctx, client, samples...)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]purity.Result)
	for _, r := range results {
		of[r.Sample] = append(of[r.Sample], r)
	}
	var list []listedSample
	for _, s := range samples {
		a, err := purity.Assess(purity.Subject{Sample: s}, of[s], policy, asof)
		if err != nil {
			return nil, err
		}
		if len(a.Counted)+len(a.LeftOut)+len(a.Findings) > 0 {
			list = append(list, listed(a))
		}
	}
	return list, nil
}

func listed(a *purity.Answer) listedSample {
	s := listedSample{Sample: a.Sample, Lots: lotsOf(a), Elements: len(a.Counted), N: a.Sum, Grade: a.Grade, Next: a.Next}
	for _, it := range append(a.Counted[:len(a.Counted):len(a.Counted)], a.LeftOut...) {
		s.MeasuredAt = max(s.MeasuredAt, it.MeasuredAt)
	}
	return s
}

func writeSamples(w io.Writer, list []listedSample, policy *purity.Policy) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SAMPLE\tLOT\tMEASURED (UTC)\tELEMENTS\tN\tGRADE\tWHY NOT MORE")
	for _, s := range list {
		fmt.Fprintln(t, strings.Join([]string{s.Sample, strings.Join(s.Lots, " "), labClock(s.MeasuredAt), strconv.Itoa(s.Elements), s.N.String(), s.Grade.String(), s.Next}, "\t"))
	}
	if len(list) == 0 {
		fmt.Fprintln(t, "(no samples)")
	}
	fmt.Fprintf(t, "\n%s\n", policy.Words()[0])
	return t.Flush()
}

// labClock is a stored time for a table; "" for none.
func labClock(m purity.Moment) string {
	if m == 0 {
		return ""
	}
	return telemetry.Instant(m).Time().Format("2006-01-02 15:04")
}

// lotsOf are the lots of an answer's samples.
func lotsOf(a *purity.Answer) []string {
	return distinct(a, func(it *purity.Item) string { return it.Lot })
}

// samplesOf are the samples of an answer.
func samplesOf(a *purity.Answer) []string {
	return distinct(a, func(it *purity.Item) string { return it.Sample })
}

type labShow struct {
	target
	labSubject
	labPolicy
	AsOf string `name:"asof" help:"What was known and approved then: RFC 3339, the plant's wall clock or 'now-8h'. Default: now."`
	Zone string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	JSON bool   `help:"Print one JSON object: the answer, its items, and the certificates that stand."`
}

// Help is shown by historian lab show --help.
func (c *labShow) Help() string {
	return "Prints what each element adds to Σ, Σ and N = -log10(Σ) as intervals (what was not detected may be anything up to its LOD), the highest grade " +
		"that is demonstrated, and in words why the next one is not. nN is demonstrated when the upper end of Σ is at most 10^-n.\n\n" +
		"Examples:\n  historian lab show S-12N-004\n  historian lab show --lot CRY-0012 --elements metals --require Fe,Cu,Ni --json"
}

// shownLab is what lab show --json prints.
type shownLab struct {
	*purity.Answer
	Certificates []shownCertificate `json:"certificates,omitempty"`
}

type shownCertificate struct {
	ID       string        `json:"id"`
	IssuedAt purity.Moment `json:"issued_at"`
	By       string        `json:"by"`
	Grade    purity.Grade  `json:"grade"`
}

// Run shows the results of a sample or lot.
func (c *labShow) Run(ctx context.Context) error {
	s, err := c.subject()
	if err != nil {
		return err
	}
	policy, err := c.policy()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	asof, err := labMoment(ctx, client, "asof", c.AsOf, c.Zone, labNow)
	if err != nil {
		return err
	}
	a, err := assess(ctx, client, s, policy, asof)
	if err != nil {
		return err
	}
	certificates, err := purity.ReadCertificates(ctx, client, s, asof)
	if err != nil {
		return err
	}
	shown := shownLab{Answer: a}
	for _, cert := range certificates {
		shown.Certificates = append(shown.Certificates, shownCertificate{cert.ID, cert.IssuedAt, cert.By, cert.Grade})
	}
	if c.JSON {
		return writeLabJSON(os.Stdout, shown)
	}
	return shown.write(os.Stdout)
}

// assess reads and assesses a subject. That there is nothing of it is an error.
func assess(ctx context.Context, client *influx.Client, s purity.Subject, policy purity.Policy, asof telemetry.Instant) (*purity.Answer, error) {
	results, err := purity.ReadSubject(ctx, client, s)
	if err != nil {
		return nil, err
	}
	a, err := purity.Assess(s, results, policy, asof)
	if err != nil {
		return nil, err
	}
	if len(a.Counted)+len(a.LeftOut)+len(a.Findings) == 0 {
		return nil, fmt.Errorf("no result of %s is stored, or was known then: see historian lab list --from now-3650d", s)
	}
	return a, nil
}

func (l *shownLab) write(w io.Writer) error {
	a := l.Answer
	if err := writeItems(w, a); err != nil {
		return err
	}
	var b strings.Builder
	unit := a.Policy.Basis.Unit()
	fmt.Fprintf(&b, "\nΣ %s %s, N %s\n", a.Sum.ShowSum(), unit, a.Sum)
	if a.ByLOD.ShowSum() != a.Wide.ShowSum() {
		fmt.Fprintf(&b, "  from what was not detected alone: Σ %s, N %s\n  with the uncertainty (k=2):       Σ %s, N %s\n", a.ByLOD.ShowSum(), a.ByLOD, a.Wide.ShowSum(), a.Wide)
	}
	if a.Grade > 0 {
		fmt.Fprintf(&b, "%s demonstrated\n", a.Grade)
	}
	if a.Next != "" {
		fmt.Fprintln(&b, a.Next)
	}
	writeList(&b, "Remarks", a.Findings)
	writeList(&b, "Rules", a.Policy.Words())
	for _, c := range l.Certificates {
		fmt.Fprintf(&b, "certificate %s: %s, issued %s by %s\n", c.ID, c.Grade, labClock(c.IssuedAt), c.By)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeList(b *strings.Builder, title string, items []string) {
	if len(items) > 0 {
		fmt.Fprintf(b, "%s:\n  - %s\n", title, strings.Join(items, "\n  - "))
	}
}

// writeItems writes the table of elements: those that count, then those that do not.
func writeItems(w io.Writer, a *purity.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "ELEMENT\tCONTENT\tLOD\tMETHOD\tSAMPLE\tREV\tMEASURED (UTC)\tADDS TO Σ (%s)\n", a.Policy.Basis.Unit())
	for _, it := range a.Counted {
		low, high := it.Low, it.High
		if a.Policy.Uncertainty {
			low, high = it.WideLow, it.WideHigh
		}
		writeItem(t, &it, "["+low.Shown(false)+", "+high.Shown(true)+"]")
	}
	for _, it := range a.LeftOut {
		writeItem(t, &it, "left out: "+it.LeftOut)
	}
	return t.Flush()
}

func writeItem(w io.Writer, it *purity.Item, adds string) {
	lod := ""
	if it.LOD != "" {
		lod = it.LOD + " " + string(it.Unit)
	}
	fmt.Fprintln(w, strings.Join([]string{it.Element, it.Content(), lod, it.Method, it.Sample, strconv.Itoa(it.Revision), labClock(it.MeasuredAt), adds}, "\t"))
}
