package influx

import (
	"fmt"
	"time"
)

// Options say where a store is and how to talk to it. URL is required; all else has a default.
type Options struct {
	URL string // http(s)://host:port[/prefix], without user, query and fragment

	// One of Token, TokenFile, TokenFunc, or Username with Password, or none. TokenFile and TokenFunc are asked again
	// when the server answers 401, so that a token can be replaced without a restart.
	Token     string
	TokenFile string
	TokenFunc func() (string, error)
	Username  string
	Password  string

	Org             string // 2.x: name of the organization; "" = the token's own
	Bucket          string // written to; "" = Database[/RetentionPolicy]
	Database        string // queried; "" = Bucket up to its first '/'
	RetentionPolicy string // "" = the database's default

	ProxyURL           string // "" = from the environment; "direct" = none
	CAFile             string // PEM; trusted in addition to the system's
	InsecureSkipVerify bool

	// Timeout bounds a write from call to end of answer, and for a query each stretch without data. Default 30 s.
	Timeout time.Duration
	// MaxResponse bounds the bytes of one query's answer after decompression. Default 1 GiB.
	MaxResponse int64
	UserAgent   string // default "kvarts"
	// Habits, when set, stand in for those that Detect would find.
	Habits *Habits
}

// The defaults of Options.
const (
	DefaultTimeout           = 30 * time.Second
	DefaultMaxResponse int64 = 1 << 30
)

// String shows o without its secrets.
func (o Options) String() string {
	auth := "none"
	switch {
	case o.TokenFunc != nil:
		auth = "token from function"
	case o.TokenFile != "":
		auth = "token from file " + o.TokenFile
	case o.Token != "":
		auth = "token"
	case o.Username != "":
		auth = "user " + o.Username
	}
	return fmt.Sprintf("%s (org %q, bucket %q, database %q, retention policy %q, auth: %s)",
		o.URL, o.Org, o.Bucket, o.Database, o.RetentionPolicy, auth)
}

// GoString keeps secrets out of %#v.
func (o Options) GoString() string { return "influx.Options{" + o.String() + "}" }
