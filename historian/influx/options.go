package influx

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
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

	Org             string // 2.x: name of the organization; 1.x and 3 ignore it
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
	// Habits, when set, stand in for those of the table.
	Habits *Habits
}

// The defaults of Options.
const (
	DefaultTimeout           = 30 * time.Second
	DefaultMaxResponse int64 = 1 << 30
	defaultUserAgent         = "kvarts"
)

// String shows o without its secrets.
func (o Options) String() string {
	return fmt.Sprintf("%s (org %q, bucket %q, database %q, retention policy %q, auth: %s)",
		shownURL(o.URL), o.Org, o.Bucket, o.Database, o.RetentionPolicy, o.authName())
}

// GoString keeps secrets out of %#v.
func (o Options) GoString() string { return "influx.Options{" + o.String() + "}" }

func (o Options) authName() string {
	switch {
	case o.TokenFunc != nil:
		return "token from function"
	case o.TokenFile != "":
		return "token from file " + o.TokenFile
	case o.Token != "":
		return "token"
	case o.Username != "":
		return "user " + o.Username
	}
	return "none"
}

// shownURL is raw without what may be secret in it, for messages.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(invalid URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// check fills in the defaults and returns the base URL, whose path ends in '/'.
func (o *Options) check() (*url.URL, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	if err := o.checkAuth(); err != nil {
		return nil, err
	}
	o.fillNames()
	if o.Timeout < 0 || o.MaxResponse < 0 {
		return nil, errors.New("negative Timeout or MaxResponse")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = DefaultMaxResponse
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	return base, nil
}

func (o *Options) checkAuth() error {
	ways := 0
	for _, set := range []bool{o.Token != "", o.TokenFile != "", o.TokenFunc != nil, o.Username != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return errors.New("more than one of token, token file, token function and user name is set: keep one")
	}
	if o.Password != "" && o.Username == "" {
		return errors.New("a password without a user name")
	}
	return nil
}

// fillNames derives the bucket from the database or the other way round: 1.x and 2.x both map the bucket "db/rp" to
// database db and retention policy rp.
func (o *Options) fillNames() {
	switch {
	case o.Bucket == "" && o.Database != "":
		o.Bucket = o.Database
		if o.RetentionPolicy != "" {
			o.Bucket += "/" + o.RetentionPolicy
		}
	case o.Database == "" && o.Bucket != "":
		db, rp, _ := strings.Cut(o.Bucket, "/")
		o.Database = db
		if o.RetentionPolicy == "" {
			o.RetentionPolicy = rp
		}
	}
}

// parseBase checks the URL of a store. Its errors do not repeat the URL when it may hold a password.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the URL of the store is not valid: it should look like http://host:8086")
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("the URL %s holds a user name: give it as user name and password instead", shownURL(raw))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL %s must begin with http:// or https://", shownURL(raw))
	case u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("the URL %s names no host", shownURL(raw))
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the URL %s must end after the host or a path prefix", shownURL(raw))
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	return base, nil
}
