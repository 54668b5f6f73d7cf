package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

// Query is one InfluxQL request. Values from outside reach Text only through Params, Ident or Literal.
type Query struct {
	Text string
	// Params are bound parameters, $name in Text: string, bool, int, int64, uint32, float64, telemetry.Instant and
	// time.Time (both as ns, which InfluxQL compares with `time`). A NaN, an infinity and any other type is an error.
	Params map[string]any
	// Database and RetentionPolicy stand in for those of Options when set.
	Database        string
	RetentionPolicy string
	// ChunkRows is how many rows the server sends in one piece, 0 = its default of 10,000.
	ChunkRows int
}

// Row is one row of one series. Values may be used only until the callback returns; strings, Tags and Columns may be
// kept, but not changed.
type Row struct {
	Statement int             // number of the statement within Query.Text, from 0
	Series    string          // measurement
	Tags      []telemetry.Tag // of GROUP BY, sorted by key
	Columns   []string
	Values    []Value // one for each column
}

// Time returns the row's time: column 0 when it is called time.
func (r *Row) Time() (t telemetry.Instant, ok bool) {
	if len(r.Values) == 0 || r.Columns[0] != "time" {
		return 0, false
	}
	n, ok := r.Values[0].Int()
	return telemetry.Instant(n), ok
}

// Tag returns the value of the tag named key, or "".
func (r *Row) Tag(key string) string {
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Query runs q and calls each for each row, in the order of the answer, while the answer is still being received. It
// returns nil only when the whole answer was read and no part of it reported an error or was cut short: rows already
// delivered before an error are real, but not all. An error of each stops the query and is returned as it is; all
// others are *Error. Timeout bounds each wait for data, not the whole: that is ctx's.
func (c *Client) Query(ctx context.Context, q Query, each func(Row) error) error {
	form, err := c.form(q)
	if err != nil {
		return &Error{Op: "query", Server: c.shown, Kind: KindSyntax, Text: err.Error(), Err: err}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newWatchdog(c.opts.Timeout, func() { cancel(errStalled) })
	defer watch.stop()

	watch.start()
	resp, err := c.postForm(ctx, form, "application/json")
	if err != nil {
		return c.queryFailure(ctx, err)
	}
	defer closeBody(resp)
	c.observe(resp.Header)
	if err := c.checkQueryAnswer(q, resp); err != nil {
		return err
	}
	d := &decoder{s: newScanner(&watchedReader{resp.Body, watch}, c.opts.MaxResponse), each: each}
	err = d.run()
	switch {
	case d.refused != nil:
		return d.refused
	case err != nil:
		return c.decodeError(ctx, q, resp.StatusCode, err)
	}
	return nil
}

// postForm sends the query through influxdb-client-go, whose error parsing is not used: see answer.
func (c *Client) postForm(ctx context.Context, form url.Values, accept string) (*http.Response, error) {
	target := c.base.String() + "query"
	if c.opts.Org != "" {
		target += "?" + url.Values{"org": {c.opts.Org}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", accept)
	return c.svc.DoHTTPRequestWithResponse(req, nil)
}

func (c *Client) form(q Query) (url.Values, error) {
	db, rp := c.opts.Database, c.opts.RetentionPolicy
	if q.Database != "" {
		db, rp = q.Database, ""
	}
	if q.RetentionPolicy != "" {
		rp = q.RetentionPolicy
	}
	form := url.Values{"q": {q.Text}, "epoch": {"ns"}, "chunked": {"true"}}
	if db != "" {
		form.Set("db", db)
	}
	if rp != "" {
		form.Set("rp", rp)
	}
	if q.ChunkRows > 0 {
		form.Set("chunk_size", strconv.Itoa(q.ChunkRows))
	}
	if len(q.Params) > 0 {
		params, err := encodeParams(q.Params)
		if err != nil {
			return nil, err
		}
		form.Set("params", params)
	}
	return form, nil
}

// encodeParams writes the parameters so that the server takes each for the type it has here: it tells a float from an
// integer by the decimal point alone.
func encodeParams(params map[string]any) (string, error) {
	out := make(map[string]json.RawMessage, len(params))
	for name, v := range params {
		raw, err := encodeParam(v)
		if err != nil {
			return "", fmt.Errorf("parameter %s: %w", name, err)
		}
		out[name] = raw
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func encodeParam(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case string, bool, int, int64, uint32, telemetry.Instant:
		return json.Marshal(v)
	case time.Time:
		t, ok := telemetry.FromTime(v)
		if !ok {
			return nil, fmt.Errorf("time %s does not fit 64 bits of ns", v)
		}
		return json.Marshal(t)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%g is no value in InfluxQL", v)
		}
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return json.RawMessage(text), nil
	}
	return nil, fmt.Errorf("a %T cannot be bound", v)
}

// errStalled is the cause of a query's end when no data came for Timeout.
var errStalled = errors.New("no data within the timeout")

// watchdog calls bark when nobody stops it in time. It runs only while someone waits for the server, so that a slow
// reader of the rows is not mistaken for a slow server.
type watchdog struct {
	after time.Duration
	timer *time.Timer
}

func newWatchdog(after time.Duration, bark func()) *watchdog {
	t := time.AfterFunc(after, bark)
	t.Stop()
	return &watchdog{after, t}
}

func (w *watchdog) start() { w.timer.Reset(w.after) }
func (w *watchdog) stop()  { w.timer.Stop() }

type watchedReader struct {
	r io.Reader
	w *watchdog
}

func (r *watchedReader) Read(p []byte) (int, error) {
	r.w.start()
	defer r.w.stop()
	return r.r.Read(p)
}
