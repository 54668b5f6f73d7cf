package influx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func (p *prober) checkVisible(ctx context.Context) (Check, error) {
	if err := p.mustWrite(ctx, p.c, fmt.Sprintf("kvp_visible,k=a f=1 %d", p.now)); err != nil {
		return Check{}, err
	}
	took, ok, err := p.await(ctx, p.c, "kvp_visible", "a")
	if err != nil {
		return Check{}, err
	}
	if !ok {
		return Check{}, fmt.Errorf("a line answered with 204 was not visible after %s", visibleWithin)
	}
	return visibleCheck(p.table.Visible, took), nil
}

func visibleCheck(want, took time.Duration) Check {
	k := Check{Got: "at once", Meaning: "What was written can be read at once."}
	if took > 0 {
		k.Got = "after " + took.Round(100*time.Millisecond).String()
		k.Meaning = "Panels and read-back show the last seconds late: this is not a loss."
	}
	switch {
	case want == AtOnce:
		k.Expected, k.OK = "at once", took == 0
	case want > 0:
		k.Expected, k.OK = "within "+want.String(), took <= want
	default:
		k.OK = true
	}
	return k
}

func (p *prober) checkConflict(ctx context.Context) (Check, error) {
	const m = "kvp_conflict"
	if err := p.mustWrite(ctx, p.c, fmt.Sprintf("%s,k=first t=1.5 %d", m, p.now)); err != nil {
		return Check{}, err
	}
	return p.partial(ctx, p.c, m, p.table.TypeConflict, []string{
		fmt.Sprintf("%s,k=good t=2.5 %d", m, p.now+1),
		fmt.Sprintf("%s,k=bad t=\"text\" %d", m, p.now+2),
	}, []string{"good"})
}

func (p *prober) checkUnparsable(ctx context.Context) (Check, error) {
	const m = "kvp_unparsable"
	return p.partial(ctx, p.c, m, p.table.Unparsable, []string{
		fmt.Sprintf("%s,k=good1 t=1 %d", m, p.now),
		fmt.Sprintf("%s,k=bad t= %d", m, p.now+1),
		fmt.Sprintf("%s,k=good2 t=2 %d", m, p.now+2),
	}, []string{"good1", "good2"})
}

func (p *prober) checkTimeRange(ctx context.Context) (Check, error) {
	const m = "kvp_range"
	return p.partial(ctx, p.c, m, p.table.OutOfRange, []string{
		fmt.Sprintf("%s,k=good t=1 %d", m, p.now),
		m + ",k=bad t=2 99999999999999999999",
	}, []string{"good"})
}

func (p *prober) checkRetention(ctx context.Context) (Check, error) {
	const m = "kvp_retention"
	old := p.now - int64(4*probeRetention)
	return p.partial(ctx, p.expire, m, p.table.BeyondRP, []string{
		fmt.Sprintf("%s,k=good t=1 %d", m, p.now),
		fmt.Sprintf("%s,k=bad t=2 %d", m, old),
	}, []string{"good"})
}

func (p *prober) checkMembers(ctx context.Context) (Check, error) {
	const m = "kvp_members"
	var batch [][]byte
	keys := []string{"a", "b", "c"}
	for i, k := range keys {
		b, err := gzipMember(fmt.Appendf(nil, "%s,k=%s t=1 %d\n", m, k, p.now+int64(i)))
		if err != nil {
			return Check{}, err
		}
		batch = append(batch, b)
	}
	r := p.c.WriteGzip(ctx, batch, len(keys))
	if r.Status == 0 {
		return Check{}, r.Err
	}
	if err := p.settled(ctx, p.c, m); err != nil {
		return Check{}, err
	}
	found, err := p.rows(ctx, p.c, Query{Text: `SELECT * FROM "` + m + `" GROUP BY "k"`})
	if err != nil {
		return Check{}, err
	}
	return triCheck(p.table.ConcatGzip, r.Class == OK && fateOf(found, keys, "settled") == FateAll,
		"The server reads only the first block of a batch and loses the others: do not use it with the collector."), nil
}

// checkedIntegers are written and must come back as they are.
var checkedIntegers = []int64{1<<53 + 1, math.MaxInt64, math.MinInt64, -(1<<53 + 1)}

func (p *prober) checkIntegers(ctx context.Context) (Check, error) {
	const m = "kvp_integer"
	var lines []string
	for i, n := range checkedIntegers {
		lines = append(lines, fmt.Sprintf("%s,k=i%d v=%di %d", m, i, n, p.now))
	}
	if err := p.mustWrite(ctx, p.c, lines...); err != nil {
		return Check{}, err
	}
	if _, _, err := p.await(ctx, p.c, m, "i0"); err != nil {
		return Check{}, err
	}
	found, err := p.rows(ctx, p.c, Query{Text: `SELECT "v" FROM "` + m + `" GROUP BY "k"`})
	if err != nil {
		return Check{}, err
	}
	exact := true
	for i, n := range checkedIntegers {
		v := found["i"+strconv.Itoa(i)]
		got := int64(0)
		if len(v) == 2 {
			got, _ = v[1].Int()
		}
		exact = exact && got == n
	}
	return triCheck(p.table.ExactInt64, exact,
		"Integers above 2^53 come back rounded: counters and status codes of 64 bits are not exact in this store."), nil
}

func (p *prober) checkString(ctx context.Context) (Check, error) {
	const m = "kvp_string"
	long := strings.Repeat("x", 64<<10-1)
	r, err := p.write(ctx, p.c, fmt.Sprintf("%s,k=a v=\"%s\" %d", m, long, p.now))
	if err != nil {
		return Check{}, err
	}
	k := Check{Got: fmt.Sprintf("refused (%d)", r.Status), Meaning: "Long texts go to quarantine."}
	if r.Class == OK {
		if err := p.settled(ctx, p.c, m); err != nil {
			return Check{}, err
		}
		found, err := p.rows(ctx, p.c, Query{Text: `SELECT "v" FROM "` + m + `" GROUP BY "k"`})
		if err != nil {
			return Check{}, err
		}
		k.Got, k.Meaning = "lost", "The server said that the text is stored, but it is not."
		if v := found["a"]; len(v) == 2 {
			text, _ := v[1].Text()
			k.Got = fmt.Sprintf("%d bytes", len(text))
			k.Meaning = "The longest text that the collector sends comes back."
			if text != long {
				k.Meaning = "Long texts come back changed."
			}
		}
	}
	want := fmt.Sprintf("%d bytes", len(long))
	if p.table.MaxString > 0 {
		k.Expected = want
	}
	k.OK = k.Got == want
	return k, nil
}

// Sizes of the bodies that checkBody tries, before compression.
const (
	firstBody = 1 << 20
	lastBody  = 32 << 20
)

func (p *prober) checkBody(ctx context.Context) (Check, error) {
	largest, refused, slow := 0, "", false
	for size := firstBody; size <= p.body && refused == ""; size *= 2 {
		r, err := p.writeBig(ctx, size)
		switch {
		case err != nil:
			return Check{}, err
		case r.Class == OK:
			largest = size
		case r.Class == Retry:
			slow = true
			refused = fmt.Sprintf(", %d MiB not in time (%d)", size>>20, r.Status)
		default:
			refused = fmt.Sprintf(", %d MiB refused (%d)", size>>20, r.Status)
		}
	}
	k := Check{Got: fmt.Sprintf("%d MiB%s", largest>>20, refused), OK: largest >= 4*firstBody}
	k.Meaning = "Batches of the collector are far smaller than this."
	if !k.OK {
		k.Meaning = "Set the collector's batch size (before compression) below this; until then it sends halves after each refusal."
	}
	switch want := p.table.MaxBody; {
	case want < 0:
		k.Expected, k.OK = fmt.Sprintf("%d MiB", p.body>>20), largest == p.body || slow && k.OK
	case want > 0:
		k.Expected, k.OK = fmt.Sprintf("%d MiB", want>>20), int64(largest) <= want && (int64(largest)*2 > want || slow)
	}
	return k, nil
}

// writeBig writes a batch of size bytes. A server that is only busy is asked three times: it is the limit that counts.
func (p *prober) writeBig(ctx context.Context, size int) (r Result, err error) {
	m, lines, err := p.bigBatch(size)
	if err != nil {
		return r, err
	}
	for range 3 {
		r = p.c.WriteGzip(ctx, [][]byte{m}, lines)
		if r.Class != Retry || ctx.Err() != nil {
			break
		}
		if err := wait(ctx, max(r.RetryAfter, time.Second)); err != nil {
			return r, err
		}
	}
	return r, ctx.Err()
}

// bigBatch makes a batch of size bytes of long texts: large for the limit, small on the wire and in the store.
func (p *prober) bigBatch(size int) (member []byte, lines int, err error) {
	const text = 32 << 10
	pad := strings.Repeat("x", text)
	var b strings.Builder
	for b.Len() < size-text {
		fmt.Fprintf(&b, "kvp_body v=\"%s\" %d\n", pad, p.now+int64(lines))
		lines++
	}
	member, err = gzipMember([]byte(b.String()))
	return member, lines, err
}

func (p *prober) checkToken(ctx context.Context) (Check, error) {
	if p.c.cred.anonymous() {
		return Check{Got: "no token in use", OK: true,
			Meaning: "Whoever reaches this server can write to it and read it: give it a token, or keep it on a network of its own."}, nil
	}
	wrong := p.c.withToken("kvarts-probe:wrong-token")
	r, err := p.write(ctx, wrong, fmt.Sprintf("kvp_token,k=a t=1 %d", p.now))
	if err != nil {
		return Check{}, err
	}
	k := statusCheck(p.table.BadToken, r.Status)
	k.Meaning = "A wrong token is refused."
	if r.Class == OK {
		k.OK, k.Meaning = false, "The server does not look at the token: anyone can write."
	} else if r.Class != Hold {
		k.OK, k.Meaning = false, "A wrong token does not look like one: the collector would go on trying without telling anyone."
	}
	return k, nil
}

func (p *prober) checkBucket(ctx context.Context) (Check, error) {
	r, err := p.write(ctx, p.c.on(p.c.opts.Database+"_none"), fmt.Sprintf("kvp_bucket,k=a t=1 %d", p.now))
	if err != nil {
		return Check{}, err
	}
	k := statusCheck(p.table.UnknownBucket, r.Status)
	k.Meaning = "A bucket that is not there is refused; nothing is lost."
	if r.Class == OK {
		k.Meaning = "The server takes lines for a bucket that does not exist: it made one (a typing error then makes a second store), or it lost them."
		if err := p.c.DropDatabase(ctx, p.c.opts.Database+"_none"); err != nil {
			return Check{}, err
		}
	}
	return k, nil
}

func statusCheck(want, got int) Check {
	k := Check{Got: strconv.Itoa(got), OK: got == want || want == 0 && got >= 400 && got < 500}
	if want != 0 {
		k.Expected = strconv.Itoa(want)
	}
	return k
}

func (p *prober) checkMapping(ctx context.Context) (Check, error) {
	err := p.c.Query(ctx, Query{Text: `SHOW MEASUREMENTS`}, func(Row) error { return nil })
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Kind != KindMapping && e.Kind != KindNotFound) {
		return Check{}, err
	}
	return triCheck(p.table.BucketIsDatabase, err == nil,
		"Queries do not find a bucket by its name: make a DBRP mapping for each bucket."), nil
}

func (p *prober) checkParams(ctx context.Context) (Check, error) {
	const m = "kvp_params"
	hostile := `a' OR "k" =~ /.*/ --`
	err := p.mustWrite(ctx, p.c,
		fmt.Sprintf("%s,k=a s=\"%s\",f=2 %d", m, strings.ReplaceAll(hostile, `"`, `\"`), p.now),
		fmt.Sprintf("%s,k=b s=\"other\",f=2.5 %d", m, p.now+1))
	if err != nil {
		return Check{}, err
	}
	if _, _, err := p.await(ctx, p.c, m, "b"); err != nil {
		return Check{}, err
	}
	found, err := p.rows(ctx, p.c, Query{
		Text:   `SELECT "f" FROM "` + m + `" WHERE "s" = $s AND "f" >= $f AND time >= $t GROUP BY "k"`,
		Params: map[string]any{"s": hostile, "f": 2.0, "t": p.now},
	})
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Kind == KindNetwork || e.Kind == KindTimeout) {
		return Check{}, err
	}
	_, a := found["a"]
	return triCheck(p.table.BoundParams, err == nil && a && len(found) == 1,
		"Values cannot be bound to a query: Kvarts cannot read from this store."), nil
}

func (p *prober) checkEpoch(ctx context.Context) (Check, error) {
	const m = "kvp_epoch"
	at := p.now/1000*1000 + 7
	if err := p.mustWrite(ctx, p.c, fmt.Sprintf("%s,k=a t=1 %d", m, at)); err != nil {
		return Check{}, err
	}
	if _, _, err := p.await(ctx, p.c, m, "a"); err != nil {
		return Check{}, err
	}
	found, err := p.rows(ctx, p.c, Query{Text: `SELECT "t" FROM "` + m + `" GROUP BY "k"`})
	if err != nil {
		return Check{}, err
	}
	got := int64(0)
	if v := found["a"]; len(v) == 2 {
		got, _ = v[0].Int()
	}
	return triCheck(p.table.Epoch, got == at,
		"Times do not come back in ns as written: values within one OPC UA tick are told apart by their ns, and would be lost."), nil
}

func (p *prober) checkChunked(ctx context.Context) (Check, error) {
	const m, rows, chunk = "kvp_chunked", 25, 10
	var lines []string
	for i := range rows {
		lines = append(lines, fmt.Sprintf("%s,k=a t=1 %d", m, p.now+int64(i)))
	}
	if err := p.mustWrite(ctx, p.c, lines...); err != nil {
		return Check{}, err
	}
	if err := p.settled(ctx, p.c, m); err != nil {
		return Check{}, err
	}
	q := Query{Text: `SELECT "t" FROM "` + m + `" WHERE "k" = 'a'`, ChunkRows: chunk}
	n := 0
	if err := p.c.Query(ctx, q, func(Row) error { n++; return nil }); err != nil {
		return Check{}, err
	}
	_, body, err := p.rawQuery(ctx, q, "application/json")
	if err != nil {
		return Check{}, err
	}
	documents := strings.Count(body, `"results"`)
	return triCheck(p.table.Chunked, n == rows && documents >= rows/chunk,
		"The server makes each answer whole in its memory before it sends it: ask for shorter ranges."), nil
}

func (p *prober) checkCSV(ctx context.Context) (Check, error) {
	media, body, err := p.rawQuery(ctx, Query{Text: `SELECT "t" FROM "kvp_chunked" LIMIT 1`}, "application/csv")
	if err != nil {
		return Check{}, err
	}
	works := strings.HasPrefix(media, "text/csv") || strings.HasPrefix(media, "application/csv")
	return triCheck(p.table.CSV, works && strings.HasPrefix(body, "name,"),
		"Only JSON: nothing in Kvarts needs CSV from the store."), nil
}
