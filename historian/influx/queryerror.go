package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// queryFailure is the error of a query without an answer.
func (c *Client) queryFailure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return c.failure(ctx, "query", err)
}

// checkQueryAnswer looks at status and type of an answer before it is decoded.
func (c *Client) checkQueryAnswer(q Query, resp *http.Response) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && media != "text/html" {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body}
	m := readMessage(a.status, a.header, a.body)
	e := c.refusal("query", a, m)
	if !m.html && m.influx {
		c.explain(e, q)
	}
	return e
}

// decodeError turns what ended the decoding into an *Error.
func (c *Client) decodeError(ctx context.Context, q Query, status int, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return c.failure(ctx, "query", cause)
	}
	e := &Error{Op: "query", Server: c.shown, Status: status, Err: err, Text: clean(c.cred.redact(err.Error()))}
	var said *statementError
	switch {
	case errors.As(err, &said):
		e.Kind, e.Status = KindRefused, 0
		c.explain(e, q)
	case errors.Is(err, errPartial):
		e.Kind, e.Hint = KindIncomplete, "raise the server's row limit (1.x: max-row-limit), or ask for less"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind, e.Text = KindIncomplete, "the answer broke off"
	case errors.Is(err, errAnswerTooLarge):
		e.Kind, e.Hint = KindTooLarge, "ask for less, or raise MaxResponse"
	case isTimeout(err):
		e.Kind = KindTimeout
	default:
		e.Kind = KindProtocol
	}
	return e
}

// explain finds the kind and a hint for what a server said of a query. The words are those of 1.8, 2.x and 3.
func (c *Client) explain(e *Error, q Query) {
	db := q.Database
	if db == "" {
		db = c.opts.Database
	}
	rp := cmp.Or(q.RetentionPolicy, c.opts.RetentionPolicy, "autogen")
	switch h := strings.ToLower(e.Text); {
	case e.Kind == KindAuth:
	case strings.HasPrefix(h, "error parsing query") || strings.Contains(h, "parse error") || strings.HasPrefix(h, "failed to parse query"):
		e.Kind, e.Hint = KindSyntax, ""
	case strings.HasPrefix(h, "missing parameter") || strings.HasPrefix(h, "error parsing query parameters"):
		e.Kind, e.Hint = KindSyntax, ""
	case strings.Contains(h, "dbrp") || strings.Contains(h, "no mapping") ||
		c.isV2() && (strings.Contains(h, "database not found") || strings.Contains(h, "retention policy not found")):
		e.Kind = KindMapping
		e.Hint = fmt.Sprintf("InfluxDB 2 finds the bucket of database %q by a mapping; make one: "+
			"influx v1 dbrp create --db %s --rp %s --default --bucket-id <id from `influx bucket list`>", db, shellWord(db), shellWord(rp))
	case strings.Contains(h, "database not found") || strings.Contains(h, "database name required") || strings.Contains(h, "database is required"):
		e.Kind, e.Hint = KindNotFound, fmt.Sprintf("create database %q, or correct its name", db)
	case strings.Contains(h, "retention policy not found"):
		e.Kind, e.Hint = KindNotFound, "correct the name of the retention policy"
	case strings.Contains(h, "not authorized") || strings.Contains(h, "unauthorized") || strings.Contains(h, "insufficient permissions"):
		e.Kind, e.Hint = KindAuth, "the token (or user) may not read this: give it read permission"
	case strings.Contains(h, "bucket") && strings.Contains(h, "not found"):
		e.Kind, e.Hint = KindNotFound, "create the bucket, or correct its name"
	case strings.Contains(h, "timeout") || strings.Contains(h, "max-concurrent-queries"):
		e.Kind = KindUnavailable
	}
}

func (c *Client) isV2() bool {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	return c.seen.server.Kind == V2
}

// shellWord is s as one word of a POSIX shell.
func shellWord(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./", r)
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
