package influx

import (
	"context"

	"kvarts/historian/telemetry"
)

// Query is one InfluxQL request. Values from outside reach Text only through Params, Ident or Literal.
type Query struct {
	Text   string
	Params map[string]any // bound parameters, $name in Text: string, bool, int…, float…, telemetry.Instant (as ns)
	// Database and RetentionPolicy stand in for those of Options when set.
	Database        string
	RetentionPolicy string
	// ChunkRows is how many rows the server sends in one piece, 0 = its default of 10,000.
	ChunkRows int
	Write     bool // the statement changes something (CREATE, DROP, …)
}

// Row is one row of one series. It and what it points to may be used only until the callback returns, except strings,
// which may be kept.
type Row struct {
	Statement int             // number of the statement within Query.Text, from 0
	Series    string          // measurement
	Tags      []telemetry.Tag // of GROUP BY, sorted by key
	Columns   []string
	Values    []Value // one for each column
}

// Query runs q and calls each for each row, in the order of the answer, while the answer is still being received. It
// returns nil only when the whole answer was read and no part of it reported an error or was cut short: rows already
// delivered before an error are real, but not all. An error of each stops the query and is returned as it is.
func (c *Client) Query(ctx context.Context, q Query, each func(Row) error) error {
	return c.query(ctx, q, each)
}
