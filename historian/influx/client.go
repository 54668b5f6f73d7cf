package influx

import (
	"context"
	"errors"
)

// Client talks to one store. See the package comment.
type Client struct{ opts Options }

var errNotYet = errors.New("not there yet")

// New checks o and makes a client. It does not connect.
func New(o Options) (*Client, error) { return &Client{opts: o}, nil }

// Close releases idle connections. Calls under way are not touched.
func (c *Client) Close() {}

// Ping asks /ping: the server is there and answers. It proves nothing about the token.
func (c *Client) Ping(ctx context.Context) error { return errNotYet }

// Health asks the server whether it is ready for queries and writes.
func (c *Client) Health(ctx context.Context) error { return errNotYet }

// Detect finds out what the server is, and keeps its habits for the client's later calls. It is called by WriteGzip on
// its own when nobody called it before; an error leaves the client with the most careful habits.
func (c *Client) Detect(ctx context.Context) (Server, error) { return Server{}, errNotYet }

// WriteGzip posts the concatenation of members, each one gzip member of line protocol with ns times, as one batch of
// lines lines. It never returns a bare error: Result says what to do. members must not be changed until it returns.
func (c *Client) WriteGzip(ctx context.Context, members [][]byte, lines int) Result {
	return Result{Err: errNotYet, Dropped: -1}
}

func (c *Client) query(ctx context.Context, q Query, each func(Row) error) error { return errNotYet }

// EnsureDatabase creates the database (1.x, embedded) or bucket with its virtual mapping (2.x) if it is not there.
func (c *Client) EnsureDatabase(ctx context.Context, name string) error { return errNotYet }

// DropDatabase removes the database or bucket and all that is in it. It is not an error when it is not there.
func (c *Client) DropDatabase(ctx context.Context, name string) error { return errNotYet }
