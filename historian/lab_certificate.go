package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"kvarts/historian/influx"
	"kvarts/historian/purity"
	"kvarts/historian/telemetry"
)

type labCertificate struct {
	target
	labSubject
	labPolicy
	Grade string `help:"Grade that is asked for, like 12N. Default: the highest that is demonstrated."`
	Issue bool   `help:"Issue a new certificate, by the rules that the other flags give, and store it."`
	By    string `help:"Who issues it." env:"KVARTS_BY"`
	ID    string `help:"Show the certificate of this number. Default: the one issued last."`
	AsOf  string `name:"asof" help:"Show what stood then: RFC 3339, the plant's wall clock or 'now-8h'. Default: now."`
	Zone  string `help:"IANA zone of times without an offset; default: that of the plant model in the store."`
	JSON  bool   `help:"Print one JSON object: the certificate, whether it is a draft, and what changed since."`
}

// Help is shown by historian lab certificate --help.
func (c *labCertificate) Help() string {
	return "Prints the certificate as it was issued: it is stored with all that it rests on and never computed again. Where a later revision says something " +
		"else, that is told below it (\"results changed since\"), and the certificate keeps its value; --issue makes a new one. Without a certificate, a draft " +
		"is printed of what --issue would store.\n\n" +
		"Examples:\n  historian lab certificate S-12N-004 --grade 12N\n  historian lab certificate --lot CRY-0012 --grade 12N --issue --by Aigerim\n\n" +
		"Exit codes: 0 the grade is demonstrated (by the certificate shown, or the draft), 1 it is not, or it failed, 2 wrong usage."
}

// certified is what lab certificate prints.
type certified struct {
	*purity.Certificate
	Draft   bool   `json:"draft,omitempty"`   // not issued, not stored
	Changed string `json:"changed,omitempty"` // what became of the results since
}

// Run shows or issues a certificate.
func (c *labCertificate) Run(ctx context.Context) error {
	s, err := c.subject()
	if err != nil {
		return err
	}
	policy, err := c.policy()
	if err != nil {
		return err
	}
	grade, err := c.asked()
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
	var out *certified
	if c.Issue {
		out, err = c.issue(ctx, client, s, policy, grade)
	} else {
		out, err = c.stored(ctx, client, s, policy, grade, asof)
	}
	if err != nil {
		return err
	}
	if err := c.print(os.Stdout, out); err != nil {
		return err
	}
	if grade > out.Grade {
		return fmt.Errorf("certificate %s of %s is of %s, not %s", out.ID, s, out.Grade, grade)
	}
	return nil
}

// asked is the grade asked for; 0: the highest.
func (c *labCertificate) asked() (purity.Grade, error) {
	switch {
	case c.Issue && c.By == "":
		return 0, fmt.Errorf("--issue needs --by, the name of who issues it: %w", errInvalid)
	case c.Issue && (c.ID != "" || c.AsOf != ""):
		return 0, fmt.Errorf("--issue makes a new certificate of what is known now: leave --id and --asof out: %w", errInvalid)
	case c.Grade == "":
		return 0, nil
	}
	g, err := purity.ParseGrade(c.Grade)
	if err != nil {
		return 0, fmt.Errorf("--grade: %w: %w", err, errInvalid)
	}
	return g, nil
}

// issue makes a new certificate and stores it.
func (c *labCertificate) issue(ctx context.Context, client *influx.Client, s purity.Subject, policy purity.Policy, grade purity.Grade) (*certified, error) {
	a, err := assess(ctx, client, s, policy, labNow)
	if err != nil {
		return nil, err
	}
	cert, err := purity.Issue(a, grade, c.By, knownNow())
	if err != nil {
		return nil, err
	}
	return &certified{Certificate: cert}, purity.WriteCertificate(ctx, client, cert)
}

// stored is the certificate that stands or, without one, the draft of one.
func (c *labCertificate) stored(ctx context.Context, client *influx.Client, s purity.Subject, policy purity.Policy, grade purity.Grade, asof telemetry.Instant) (*certified, error) {
	all, err := purity.ReadCertificates(ctx, client, s, asof)
	if err != nil {
		return nil, err
	}
	k := slices.IndexFunc(all, func(o *purity.Certificate) bool { return c.ID == "" || o.ID == c.ID })
	if k < 0 && c.ID != "" {
		return nil, fmt.Errorf("no certificate %s of %s stands: see historian lab show", c.ID, s)
	}
	if k < 0 {
		a, err := assess(ctx, client, s, policy, asof)
		if err != nil {
			return nil, err
		}
		cert, err := purity.Issue(a, grade, "(nobody yet)", knownNow())
		if err != nil {
			return nil, err
		}
		cert.ID = ""
		return &certified{Certificate: cert, Draft: true}, nil
	}
	now, err := assess(ctx, client, s, all[k].Answer.Policy, asof)
	if err != nil {
		return nil, err
	}
	return &certified{Certificate: all[k], Changed: all[k].Changed(now)}, nil
}

func (c *labCertificate) print(w io.Writer, out *certified) error {
	if c.JSON {
		return writeLabJSON(w, out)
	}
	return errors.Join(out.head(w), writeItems(w, &out.Answer), out.foot(w))
}

// head is the part of the certificate above the table.
func (o *certified) head(w io.Writer) error {
	a := &o.Answer
	title := "CERTIFICATE OF PURITY " + o.ID
	if o.Draft {
		title = "DRAFT OF A CERTIFICATE OF PURITY: not issued (--issue --by NAME issues it)"
	}
	of := a.Subject().String()
	if a.Lot != "" {
		of += " (samples " + strings.Join(samplesOf(a), ", ") + ")"
	} else if lots := lotsOf(a); len(lots) > 0 {
		of += " of lot " + strings.Join(lots, ", ")
	}
	lines := []string{title, "", "Silicon    " + of, fmt.Sprintf("Grade      %s, demonstrated", o.Certificate.Grade),
		"N          " + a.Sum.String() + ", N = -log10 Σ", fmt.Sprintf("Σ          %s %s", a.Sum.ShowSum(), a.Policy.Basis.Unit())}
	if !o.Draft {
		lines = append(lines, "Issued     "+o.IssuedAt.String()+" by "+o.By)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n")+"\n")
	return err
}

// foot is the part below the table.
func (o *certified) foot(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n")
	writeList(&b, "Rules", o.Answer.Policy.Words())
	writeList(&b, "Remarks", o.Answer.Findings)
	if !o.Draft {
		b.WriteString("\nSignature  ____________________    Date  ____________________\n")
	}
	if o.Changed != "" {
		fmt.Fprintf(&b, "\nNote (not part of the certificate, which keeps its value): %s\n", o.Changed)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// distinct are the texts that items have, sorted, without "".
func distinct(a *purity.Answer, text func(*purity.Item) string) []string {
	var out []string
	for _, items := range [][]purity.Item{a.Counted, a.LeftOut} {
		for i := range items {
			if s := text(&items[i]); s != "" {
				out = append(out, s)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
