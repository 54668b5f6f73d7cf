package influx

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// Client talks to one store. See the package comment.
type Client struct {
	opts  Options // without secrets
	base  *url.URL
	shown string // scheme, host and path prefix, for messages
	cred  *credentials
	http  *http.Client
	svc   influxhttp.Service
	write string           // URL of a write
	now   func() time.Time // wall clock, for Retry-After dates

	seen *seen // what is known of the server; shared with the clients that use derives
}

// seen is what the answers and Detect tell of the server behind a URL.
type seen struct {
	mu     sync.Mutex
	server Server
	known  bool // Detect or an answer's headers have said what it is
}

// New checks o and makes a client. It does not connect, and reads no token file yet.
func New(o Options) (*Client, error) {
	base, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	cred := newCredentials(&o)
	hc, err := newHTTPClient(&o, base, cred)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", shownURL(o.URL), err)
	}
	c := &Client{base: base, shown: shownURL(o.URL), http: hc, now: time.Now, seen: &seen{}}
	c.authorize(cred, o.UserAgent)
	if o.Habits != nil {
		c.seen.server, c.seen.known = Server{Habits: *o.Habits}, true
	}
	o.Token, o.TokenFunc, o.Password, o.ProxyURL = "", nil, "", ""
	c.use(o)
	return c, nil
}

// authorize sets what c's requests go through. The library itself gets no token: doer adds it.
func (c *Client) authorize(cred *credentials, userAgent string) {
	lo := influxdb2.DefaultOptions().SetApplicationName(userAgent)
	lo.HTTPOptions().SetHTTPDoer(&doer{http: c.http, cred: cred, ua: userAgent})
	c.cred = cred
	c.svc = influxdb2.NewClientWithOptions(c.base.String(), "", lo).HTTPService()
}

// use sets the names that c works with.
func (c *Client) use(o Options) {
	c.opts = o
	v := url.Values{"bucket": {o.Bucket}, "precision": {"ns"}}
	if o.Org != "" {
		v.Set("org", o.Org)
	}
	c.write = c.base.String() + "api/v2/write?" + v.Encode()
}

// on is a client of the same server, connections and credentials for another database.
func (c *Client) on(database string) *Client {
	d := *c
	o := c.opts
	o.Bucket, o.Database, o.RetentionPolicy = database, database, ""
	d.use(o)
	return &d
}

// withToken is a client of the same server, connections and database with another token.
func (c *Client) withToken(token string) *Client {
	d := *c
	d.authorize(newCredentials(&Options{Token: token}), c.opts.UserAgent)
	return &d
}

// Close releases idle connections. Calls under way are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// String names the store and what is written to and read from, without secrets.
func (c Client) String() string {
	return fmt.Sprintf("%s bucket %q database %q", c.shown, c.opts.Bucket, c.opts.Database)
}

// GoString is String, for %#v.
func (c Client) GoString() string { return "influx.Client{" + c.String() + "}" }

// URL of the store as it may be shown.
func (c *Client) URL() string { return c.shown }

// Habits known so far: of the last Detect, or of the headers of the last answer; the zero Habits before.
func (c *Client) Habits() Habits {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	return c.seen.server.Habits
}

func (c *Client) remember(s Server) {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	if c.opts.Habits != nil {
		s.Habits = *c.opts.Habits
	}
	c.seen.server, c.seen.known = s, true
}
