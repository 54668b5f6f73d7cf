package influx

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Ping asks /ping: a server is there and answers as an InfluxDB does. It proves nothing about the token.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.get(ctx, "ping", "ping")
	return err
}

// Health asks the server whether it is ready for queries and writes.
func (c *Client) Health(ctx context.Context) error {
	a, err := c.get(ctx, "health", "health")
	if err != nil {
		return err
	}
	var h healthBody
	if json.Unmarshal(a.body, &h) == nil && h.Status != "" && h.Status != "pass" {
		return &Error{Op: "health", Server: c.shown, Status: a.status, Kind: KindUnavailable,
			Text: clean(c.cred.redact("the server says " + h.Status + ": " + h.Message))}
	}
	return nil
}

// healthBody is the answer of /health of 1.8 and 2.x. InfluxDB 3 answers the text OK.
type healthBody struct {
	Name    string  `json:"name"`
	Status  string  `json:"status"`
	Message string  `json:"message"`
	Version string  `json:"version"`
	Commit  *string `json:"commit"` // 2.x only
}

// Detect finds out what the server is, and keeps its habits for the client's later calls. Nobody needs to call it for
// WriteGzip's sake: most servers name themselves in the headers of every answer, and until one does, the client assumes
// nothing. A server that answers but does not say what it is gives KindUnknown and no error.
func (c *Client) Detect(ctx context.Context) (Server, error) {
	a, err := c.get(ctx, "detect", "ping")
	if err != nil {
		return Server{}, err
	}
	s, named := serverOf(a.header)
	if s.Kind == KindUnknown || s.Version == "" {
		if ha, err := c.get(ctx, "detect", "health"); err == nil {
			s = s.withHealth(ha)
			named = named || s.Kind != KindUnknown
		} else if ctx.Err() != nil {
			return Server{}, err
		}
	}
	if named {
		c.remember(s)
	}
	if c.opts.Habits != nil {
		s.Habits = *c.opts.Habits
	}
	return s, nil
}

// withHealth completes s with what /health tells: servers built without a version stamp are still told apart by the
// members of its body.
func (s Server) withHealth(a *answer) Server {
	var h healthBody
	if json.Unmarshal(a.body, &h) != nil || h.Name != "influxdb" {
		return s
	}
	if v := plainVersion(h.Version); v != "" {
		s.Version = v
	}
	if s.Kind == KindUnknown {
		s.Kind = kindOfVersion(s.Version)
	}
	if s.Kind == KindUnknown && s.Build == "OSS" {
		if s.Kind = V1; h.Commit != nil { // /health came with 1.8
			s.Kind = V2
		}
	}
	s.Habits = habitsOf(s.Kind, s.Version)
	return s
}

// Headers by which servers name themselves.
const (
	headerVersion = "X-Influxdb-Version"
	headerBuild   = "X-Influxdb-Build"
	headerGemini  = "X-Geminidb-Version" // openGemini
)

// serverOf reads what the headers of any answer tell. ok is false when they name no server.
func serverOf(h http.Header) (s Server, ok bool) {
	s.Version, s.Build = plainVersion(h.Get(headerVersion)), clean(h.Get(headerBuild))
	switch {
	case h.Get(headerGemini) != "":
		s.Kind, s.Version = OpenGemini, plainVersion(h.Get(headerGemini))
	case h.Get(headerVersion) == "" && s.Build == "":
		return Server{}, false
	default:
		s.Kind = kindOfVersion(s.Version)
		if s.Kind == V1 && s.Build == "ENT" {
			s.Kind = V1Enterprise
		}
		if s.Kind == V1 && s.Build != "OSS" {
			s.Kind = KindUnknown // others say "1.8.0" to please clients; only InfluxDB also says its build
		}
	}
	s.Habits = habitsOf(s.Kind, s.Version)
	return s, true
}

// plainVersion is v without a leading "v", or "" when it is not a number ("unknown", "dev").
func plainVersion(v string) string {
	v = strings.TrimPrefix(clean(v), "v")
	if v == "" || v[0] < '0' || v[0] > '9' {
		return ""
	}
	return v
}

func kindOfVersion(v string) Kind {
	switch major, _, _ := strings.Cut(v, "."); major {
	case "1":
		return V1
	case "2":
		return V2
	case "3":
		return V3
	}
	return KindUnknown
}

// get asks for a small resource. Answers that are not 2xx, or are pages for people, are errors.
func (c *Client) get(ctx context.Context, op, path string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	return c.exchange(ctx, op, http.MethodGet, path, nil, nil)
}

// exchange sends a request with a small answer and returns it, or an *Error.
func (c *Client) exchange(ctx context.Context, op, method, path string, body io.Reader, setup func(*http.Request)) (*answer, error) {
	ctx, a := withAnswer(ctx)
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, body)
	if err != nil {
		return nil, &Error{Op: op, Server: c.shown, Kind: KindOther, Text: "make request", Err: err}
	}
	if setup != nil {
		setup(req)
	}
	resp, err := c.svc.DoHTTPRequestWithResponse(req, nil)
	if err != nil {
		return nil, c.failure(ctx, op, err)
	}
	closeBody(resp) // a has read it
	c.observe(a.header)
	m := readMessage(a.status, a.header, a.body)
	if a.status/100 == 2 && !m.html {
		if a.bodyErr != nil {
			return nil, &Error{Op: op, Server: c.shown, Status: a.status, Kind: KindIncomplete, Text: "the answer broke off", Err: a.bodyErr}
		}
		return a, nil
	}
	return nil, c.refusal(op, a, m)
}

// failure is the *Error of a request without an answer.
func (c *Client) failure(ctx context.Context, op string, err error) error {
	kind, hint := networkKind(err)
	if errors.Is(context.Cause(ctx), context.Canceled) { // by the caller; a stalled query has another cause
		kind, hint = KindOther, ""
	}
	return &Error{Op: op, Server: c.shown, Kind: kind, Text: clean(c.cred.redact(err.Error())), Hint: hint, Err: err}
}

// refusal is the *Error of an answer that is not the one hoped for.
func (c *Client) refusal(op string, a *answer, m message) *Error {
	e := &Error{Op: op, Server: c.shown, Status: a.status, Kind: KindRefused}
	e.Text = clean(c.cred.redact(m.text))
	switch s := a.status; {
	case m.html || s < 400:
		e.Kind, e.Hint = KindProtocol, "what answers at this URL is not an InfluxDB, or something stands in front of it"
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		e.Kind, e.Hint = KindAuth, clean(c.cred.redact(authRemedy(s, a, m)))
	case s == http.StatusNotFound:
		e.Kind, e.Hint = KindNotFound, "is this the URL of an InfluxDB?"
	case s == http.StatusRequestEntityTooLarge:
		e.Kind = KindTooLarge
	case s == http.StatusTooManyRequests || s >= 500:
		e.Kind = KindUnavailable
	}
	return e
}
