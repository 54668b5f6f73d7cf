package influx

import "context"

// ProbeOptions of Probe.
type ProbeOptions struct {
	Progress func(step string) // called before each step, may be nil
}

// Report is what Probe found.
type Report struct {
	Server Server
	Checks []Check
}

// Check is one measured habit beside the table's.
type Check struct {
	Name     string
	Expected string // of the table, "" when the table does not know
	Got      string
	OK       bool   // Got is what the table says, or the table does not know and Got is the harmless answer
	Meaning  string // what it means for the user, in words
}

// OK says that the server behaves as the table says.
func (r *Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Probe measures the habits of the server behind c in a scratch database (bucket) of its own, which it removes again,
// even after an error or when ctx is cancelled. It needs a token that may create databases.
func Probe(ctx context.Context, c *Client, o ProbeOptions) (*Report, error) { return nil, nil }
