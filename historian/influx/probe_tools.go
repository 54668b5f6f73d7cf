package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// write sends lines as one batch of one member.
func (p *prober) write(ctx context.Context, c *Client, lines ...string) (Result, error) {
	m, err := gzipMember([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		return Result{}, err
	}
	r := c.WriteGzip(ctx, [][]byte{m}, len(lines))
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if r.Status == 0 {
		return r, r.Err // no answer at all: the suite would measure the network, not the server
	}
	return r, nil
}

// mustWrite is write for lines that any server takes.
func (p *prober) mustWrite(ctx context.Context, c *Client, lines ...string) error {
	r, err := p.write(ctx, c, lines...)
	if err == nil && r.Class != OK {
		err = r.Err
	}
	return err
}

// rows asks for rows and returns them by the value of the tag k.
func (p *prober) rows(ctx context.Context, c *Client, q Query) (map[string][]Value, error) {
	found := map[string][]Value{}
	err := c.Query(ctx, q, func(r Row) error {
		found[r.Tag("k")] = slices.Clone(r.Values)
		return nil
	})
	return found, err
}

// await polls until the line of measurement m with tag k=key is seen, and says how long that took: 0 when the first
// query saw it, however long that query ran. ok is false when it is not seen within visibleWithin.
func (p *prober) await(ctx context.Context, c *Client, m, key string) (took time.Duration, ok bool, err error) {
	start := time.Now()
	for first := true; ; first = false {
		found, err := p.rows(ctx, c, Query{Text: `SELECT * FROM "` + m + `" GROUP BY "k"`})
		if err != nil {
			return 0, false, err
		}
		took = time.Since(start)
		if _, ok := found[key]; ok && first {
			return 0, true, nil
		} else if ok {
			return took, true, nil
		}
		if took > visibleWithin {
			return took, false, nil
		}
		if err := wait(ctx, visiblePoll); err != nil {
			return 0, false, err
		}
	}
}

// settled waits until what was written to measurement m before is visible: it writes one more line and waits for that,
// and where lines are not visible at once, as long again.
func (p *prober) settled(ctx context.Context, c *Client, m string) error {
	if err := p.mustWrite(ctx, c, fmt.Sprintf("%s,k=settled f=1 %d", m, p.now+999)); err != nil {
		return err
	}
	took, ok, err := p.await(ctx, c, m, "settled")
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("a line that was answered with 204 does not become visible")
	}
	if took > time.Second {
		return wait(ctx, took)
	}
	return nil
}

// wait returns after d, or earlier with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// partial writes a batch whose line with the tag k=bad should be refused and finds out what became of it and of good.
func (p *prober) partial(ctx context.Context, c *Client, m string, want Partial, lines, good []string) (Check, error) {
	r, err := p.write(ctx, c, lines...)
	if err != nil {
		return Check{}, err
	}
	if err := p.settled(ctx, c, m); err != nil {
		return Check{}, err
	}
	found, err := p.rows(ctx, c, Query{Text: `SELECT * FROM "` + m + `" GROUP BY "k"`})
	if err != nil {
		return Check{}, err
	}
	fate := fateOf(found, good, "bad")
	got := Partial{Status: r.Status, Fate: fate}
	k := Check{Got: partialText(got), Expected: partialText(want)}
	silent := r.Class == OK && fate != FateAll
	k.OK = got == want || want == Partial{} && !silent && fate != FateUnknown
	k.Meaning = partialMeaning(got, r.Class)
	return k, nil
}

// fateOf says what became of a batch from the lines found.
func fateOf(found map[string][]Value, good []string, bad string) Fate {
	stored := 0
	for _, g := range good {
		if _, ok := found[g]; ok {
			stored++
		}
	}
	_, badStored := found[bad]
	switch {
	case stored == len(good) && badStored:
		return FateAll
	case stored == len(good):
		return FateGood
	case stored == 0 && !badStored:
		return FateNone
	}
	return FateUnknown
}

func partialText(p Partial) string {
	if p == (Partial{}) {
		return ""
	}
	return fmt.Sprintf("%d, %s", p.Status, p.Fate)
}

func partialMeaning(p Partial, class Class) string {
	switch {
	case class == OK && p.Fate == FateAll:
		return "The server stored every line and said so."
	case class == OK:
		return "The server said that all is stored, but it is not: lines are lost without a word. " +
			"Run `collector verify`, which reads back what was acknowledged."
	case p.Fate == FateGood:
		return "One bad line does no harm to the others; the collector finds it by sending halves and puts it into quarantine."
	case p.Fate == FateNone:
		return "One bad line stops its whole batch; the collector sends halves until only the bad line is left, for quarantine."
	case p.Fate == FateAll:
		return "The server complains but stores the line all the same: look at what it made of it."
	}
	return "Some good lines were stored and some were not: the collector sends halves, which stores the rest."
}

// triCheck is the Check of something that works or does not.
func triCheck(want Tri, works bool, ifNot string) Check {
	got := No
	if works {
		got = Yes
	}
	k := Check{Got: got.String(), OK: got == want || want == Unknown && works}
	if want != Unknown {
		k.Expected = want.String()
	}
	if k.Meaning = "Works."; !works {
		k.Meaning = ifNot
	}
	return k
}

// rawQuery returns the start of the answer to q as it came: for what Query hides.
func (p *prober) rawQuery(ctx context.Context, q Query, accept string) (media, body string, err error) {
	form, err := p.c.form(q)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, p.c.opts.Timeout)
	defer cancel()
	resp, err := p.c.postForm(ctx, form, accept)
	if err != nil {
		return "", "", p.c.queryFailure(ctx, err)
	}
	defer closeBody(resp)
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", "", p.c.queryFailure(ctx, err)
	}
	return resp.Header.Get("Content-Type"), string(b), nil
}
