package influx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// EnsureDatabase creates the database (1.x, embedded, unknown servers: by InfluxQL) or the bucket of that name (2.x) if
// it is not there. Data is kept for retention, 0 = for ever; an existing database is left as it is.
func (c *Client) EnsureDatabase(ctx context.Context, name string, retention time.Duration) error {
	v2, err := c.administersBuckets(ctx)
	if err != nil {
		return err
	}
	if v2 {
		return c.ensureBucket(ctx, name, retention)
	}
	db, err := Ident(name)
	if err != nil {
		return err
	}
	text := "CREATE DATABASE " + db
	if retention > 0 {
		text += " WITH DURATION " + strconv.FormatInt(int64(retention/time.Second), 10) + "s"
	}
	return c.run(ctx, "create database "+name, text)
}

// DropDatabase removes the database or bucket and all that is in it. It is not an error when it is not there.
func (c *Client) DropDatabase(ctx context.Context, name string) error {
	v2, err := c.administersBuckets(ctx)
	if err != nil {
		return err
	}
	if v2 {
		return c.dropBucket(ctx, name)
	}
	db, err := Ident(name)
	if err != nil {
		return err
	}
	return c.run(ctx, "drop database "+name, "DROP DATABASE "+db)
}

func (c *Client) run(ctx context.Context, op, text string) error {
	err := c.Query(ctx, Query{Text: text}, func(Row) error { return nil })
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// administersBuckets says which of the two interfaces the server has.
func (c *Client) administersBuckets(ctx context.Context) (bool, error) {
	s, err := c.Detect(ctx)
	if err != nil {
		return false, err
	}
	if s.Kind == V3 {
		return false, &Error{Op: "create or drop database", Server: c.shown, Kind: KindOther,
			Text: "not supported for InfluxDB 3", Hint: "use its own command line: influxdb3 create database"}
	}
	return s.Kind == V2, nil
}

// named is an organization or a bucket of 2.x.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (c *Client) ensureBucket(ctx context.Context, name string, retention time.Duration) error {
	org, err := c.findOrg(ctx)
	if err != nil {
		return err
	}
	if id, err := c.findBucket(ctx, org, name); err != nil || id != "" {
		return err
	}
	rules := []map[string]any{}
	if retention > 0 {
		rules = append(rules, map[string]any{"type": "expire", "everySeconds": int64(retention / time.Second)})
	}
	return c.api(ctx, "create bucket "+name, http.MethodPost, "api/v2/buckets",
		map[string]any{"orgID": org, "name": name, "retentionRules": rules}, nil)
}

func (c *Client) dropBucket(ctx context.Context, name string) error {
	org, err := c.findOrg(ctx)
	if err != nil {
		return err
	}
	id, err := c.findBucket(ctx, org, name)
	if err != nil || id == "" {
		return err
	}
	return c.api(ctx, "drop bucket "+name, http.MethodDelete, "api/v2/buckets/"+url.PathEscape(id), nil, nil)
}

// findOrg returns the id of the organization named in Options, or of the only one that the token sees.
func (c *Client) findOrg(ctx context.Context) (string, error) {
	var list struct {
		Orgs []named `json:"orgs"`
	}
	path := "api/v2/orgs"
	if c.opts.Org != "" {
		path += "?" + url.Values{"org": {c.opts.Org}}.Encode()
	}
	if err := c.api(ctx, "find organization", http.MethodGet, path, nil, &list); err != nil {
		return "", err
	}
	if len(list.Orgs) != 1 {
		return "", &Error{Op: "find organization", Server: c.shown, Kind: KindNotFound,
			Text: fmt.Sprintf("the token sees %d organizations for the name %q", len(list.Orgs), c.opts.Org), Hint: "name one (org)"}
	}
	return list.Orgs[0].ID, nil
}

// findBucket returns the id of a bucket, "" when it is not there.
func (c *Client) findBucket(ctx context.Context, org, name string) (string, error) {
	var list struct {
		Buckets []named `json:"buckets"`
	}
	path := "api/v2/buckets?" + url.Values{"orgID": {org}, "name": {name}}.Encode()
	err := c.api(ctx, "find bucket "+name, http.MethodGet, path, nil, &list)
	var e *Error
	if errors.As(err, &e) && e.Kind == KindNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, b := range list.Buckets {
		if b.Name == name {
			return b.ID, nil
		}
	}
	return "", nil
}

// api calls 2.x's management interface: in as JSON, out from JSON, both may be nil.
func (c *Client) api(ctx context.Context, op, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return &Error{Op: op, Server: c.shown, Kind: KindOther, Text: "encode request", Err: err}
	}
	if in == nil {
		body = nil
	}
	a, err := c.exchange(ctx, op, method, path, bytes.NewReader(body), func(r *http.Request) {
		r.Header.Set("Accept", "application/json")
		if in != nil {
			r.Header.Set("Content-Type", "application/json")
		}
	})
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return &Error{Op: op, Server: c.shown, Status: a.status, Kind: KindProtocol, Text: "the answer is not the JSON expected", Err: err}
	}
	return nil
}
