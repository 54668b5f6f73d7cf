package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"kvarts/historian/markup"
)

// destinationForm is strict because the name becomes a file name in the buffer's folder.
var destinationForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// destinations reads the list of destinations.
func (d *decoder) destinations(c *Config, list *value) {
	names := make(map[string]markup.Place)
	for _, v := range list.items() {
		dest := d.destination(v)
		v.Unique(names, "name", dest.Name)
		c.Destinations = append(c.Destinations, dest)
	}
	if list.Kind() == markup.Sequence && len(c.Destinations) == 0 {
		list.FailHidden("the list is empty", "list at least one InfluxDB")
	}
}

// destination reads one member of destinations.
func (d *decoder) destination(v *value) Destination {
	b := v.block(levelDestination)
	out := Destination{Timeout: 30 * time.Second, Batch: Batch{Lines: 20_000, Bytes: 8 << 20}, QuarantineMaxBytes: 256 << 20, At: v.Pos()}
	b.require("name", "write a short name; it names the position in the buffer")
	b.name("name", &out.Name)
	if at := b.get("name"); at != nil && out.Name != "" && !destinationForm.MatchString(out.Name) {
		at.Fail("a destination's name is a file name", "write small letters, digits, - and _")
	}
	b.require("url", "write for example http://127.0.0.1:8086")
	b.web("url", &out.URL)
	b.web("proxy", &out.Proxy)
	b.filename("ca_file", &out.CAFile)
	b.boolean("skip_verify", &out.SkipVerify)
	if out.SkipVerify {
		b.get("skip_verify").Warn("anyone on the way to the store can read the token and change the data", "write ca_file: FILE with the certificate of the store's authority")
	}
	b.duration("timeout", &out.Timeout, time.Second, 10*time.Minute)
	b.size("quarantine_max_bytes", &out.QuarantineMaxBytes, 1<<20, 1<<40)
	if l := b.get("batch"); l != nil {
		lb := l.block(levelBatch)
		lb.Integer("lines", &out.Batch.Lines, 1, 1_000_000)
		lb.size("bytes", &out.Batch.Bytes, 64<<10, 256<<20)
	}
	b.bucket(&out)
	b.login(&out)
	return out
}

// bucket reads where in the store the points go.
func (b *block) bucket(out *Destination) {
	b.Text("org", &out.Org)
	b.Text("bucket", &out.Bucket)
	b.Text("database", &out.Database)
	b.Text("retention_policy", &out.RetentionPolicy)
	bucket, database := b.get("bucket"), b.get("database")
	switch {
	case bucket != nil && database != nil:
		database.Fail("a destination has either a bucket or a database", "keep bucket and org for InfluxDB 2, database for all others")
	case bucket == nil && database == nil && b.Kind() == markup.Mapping:
		b.Missing("database", "write database: NAME, or bucket: NAME and org: NAME for InfluxDB 2")
	case bucket != nil && b.get("org") == nil:
		b.Missing("org", "InfluxDB 2 needs the organisation of the bucket")
	case database != nil && b.get("org") != nil:
		b.get("org").Fail("org belongs to a bucket", "remove it, or write bucket instead of database")
	}
	if rp := b.get("retention_policy"); rp != nil && bucket != nil {
		rp.Fail("a bucket has no retention policy", "remove it, or write database instead of bucket")
	}
}

// login reads the credentials: a token, or user and password.
func (b *block) login(out *Destination) {
	tokenFile, tokenEnv := "", ""
	b.secret("token_file", "token_env", &tokenFile, &tokenEnv)
	b.Text("user", &out.User)
	b.secret("password_file", "password_env", &out.SecretFile, &out.SecretEnv)
	hasToken := b.get("token_file") != nil || b.get("token_env") != nil
	hasPassword := b.get("password_file") != nil || b.get("password_env") != nil
	switch user := b.get("user"); {
	case user != nil && hasToken:
		user.Fail("a destination has either a token or a user", "remove one of the two")
	case user != nil && !hasPassword:
		b.Missing("password_file", remedyPassword)
	case user == nil && hasPassword:
		b.Missing("user", "write the user's name")
	case hasToken:
		out.SecretFile, out.SecretEnv = tokenFile, tokenEnv
	}
	u, err := url.Parse(out.URL)
	if (hasToken || hasPassword) && err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		b.get("url").Warn("the token or password crosses the network unencrypted", "use https, with ca_file for a private authority")
	}
}

// web reads an http or https URL without secrets.
func (b *block) web(key string, dst *string) {
	v, s, ok := b.Scalar(key)
	if !ok {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		v.FailHidden("this is not a URL", "write for example http://127.0.0.1:8086")
	case u.User != nil:
		v.FailHidden("the URL holds a user name or password", "a store takes token_file or user and password_file; a proxy must let this gateway pass without")
	case u.RawQuery != "" || u.Fragment != "":
		v.FailHidden("the URL has parameters", "write only scheme, host, port and path; database, bucket and token have their own keys")
	case u.Scheme != "http" && u.Scheme != "https":
		v.Fail("the URL must begin with http:// or https://", "write for example http://127.0.0.1:8086")
	case u.Hostname() == "" || !validPort(u.Port(), true):
		v.Fail("the URL needs a host, and a port from 1 to 65535", "write for example http://127.0.0.1:8086")
	default:
		*dst = strings.TrimRight(s, "/")
	}
}

func (d *decoder) status(b *block, out *Status) {
	v := b.get("status")
	if v == nil {
		return
	}
	b = v.block(levelStatus)
	b.boolean("allow_remote", &out.AllowRemote)
	at := b.get("listen")
	if at == nil || !b.Text("listen", &out.Listen) {
		return
	}
	if out.Listen == "off" {
		out.Listen = ""
		return
	}
	host, port, err := net.SplitHostPort(out.Listen)
	switch {
	case err != nil || (port != "0" && !validPort(port, false)):
		at.Fail("this must be HOST:PORT, or off", "write for example 127.0.0.1:9478")
	case !isLoopback(host) && !out.AllowRemote:
		at.Fail("the page would be readable from the network", "write allow_remote: true beside it if that is meant, else 127.0.0.1:PORT")
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// minKeyBits is the least that the security policies in use allow (OPC UA Part 7: Basic256Sha256 and Aes* from 2048).
const minKeyBits = 2048

func (d *decoder) pki(b *block, out *PKI) {
	v := b.get("pki")
	if v == nil {
		return
	}
	b = v.block(levelPKI)
	b.filename("dir", &out.Dir)
	b.Integer("key_bits", &out.KeyBits, minKeyBits, 4096)
	if at := b.get("key_bits"); at != nil && out.KeyBits%1024 != 0 {
		at.Fail("allowed are 2048, 3072 and 4096", "write 3072")
	}
	b.duration("validity", &out.Validity, 30*day, 7300*day)
	b.duration("renew_before", &out.RenewBefore, day, 3650*day)
	if out.RenewBefore >= out.Validity {
		v.FailHidden(fmt.Sprintf("renew_before (%s) is not shorter than validity (%s)", showDuration(out.RenewBefore), showDuration(out.Validity)), "lower renew_before or raise validity")
	}
	if at := b.get("application_uri"); at != nil && b.Text("application_uri", &out.ApplicationURI) {
		u, err := url.Parse(out.ApplicationURI)
		if err != nil || u.Scheme == "" || wordProblem(out.ApplicationURI, maxNameBytes) != "" || strings.Contains(out.ApplicationURI, " ") {
			at.Fail("this is not a URI", "write for example urn:gw-pullers-1:kvarts:collector")
		}
	}
	if at := b.get("hostnames"); at != nil {
		for _, item := range at.items() {
			if s, ok := item.Scalar(); ok && (wordProblem(s, maxNameBytes) != "" || strings.ContainsAny(s, " /:") && net.ParseIP(s) == nil) {
				item.Fail("this is neither a host name nor an IP address", "write for example gw-pullers-1.plant.example")
			} else if ok {
				out.Hostnames = append(out.Hostnames, s)
			}
		}
	}
}
