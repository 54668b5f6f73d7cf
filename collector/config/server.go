package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/markup"
)

// maxTitleBytes bounds the names of gateways, servers, groups and destinations: they stand in tables and tags.
const maxTitleBytes = 64

func (b *block) name(key string, dst *string) {
	v := b.get(key)
	if v == nil || !b.Text(key, dst) {
		return
	}
	if problem := wordProblem(*dst, maxTitleBytes); problem != "" {
		v.Fail("this cannot be a name: "+problem, "write letters, digits, - and _")
	}
}

var prefixForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// namespaces reads short prefixes of namespace URIs, over those from above.
func (b *block) namespaces(above map[string]string) map[string]string {
	out := maps.Clone(above)
	if out == nil {
		out = make(map[string]string)
	}
	v := b.get("namespaces")
	if v == nil {
		return out
	}
	for _, e := range v.entries() {
		uri, ok := e.Scalar()
		switch {
		case !prefixForm.MatchString(e.Key()) || slices.Contains([]string{"i", "s", "g", "b", "ns", "nsu", "svr"}, e.Key()):
			e.Fail(fmt.Sprintf("%q cannot be a prefix: letters, digits, - and _, and none of i, s, g, b, ns, nsu, svr", e.Key()), "write for example m")
		case !ok:
		case wordProblem(uri, maxIDBytes) != "":
			e.Fail("this cannot be a namespace URI: "+wordProblem(uri, maxIDBytes), "copy it from `collector browse`")
		default:
			out[e.Key()] = uri
		}
	}
	return out
}

// servers reads the list of servers.
func (d *decoder) servers(c *Config, list *value, namespaces map[string]string) {
	names, endpoints := make(map[string]markup.Place), make(map[string]markup.Place)
	for _, v := range list.items() {
		s := d.server(v, namespaces)
		v.Unique(names, "name", s.Name)
		if first, twice := endpoints[s.Endpoint]; twice && s.Endpoint != "" {
			v.Warn(fmt.Sprintf("it has the endpoint of %s, so the server keeps two sessions", first), "put both servers' groups under one")
		} else {
			endpoints[s.Endpoint] = v.Place()
		}
		c.Servers = append(c.Servers, s)
	}
	if list.Kind() == markup.Sequence && len(c.Servers) == 0 {
		list.FailHidden("the list is empty", "list the OPC UA servers")
	}
}

// server reads one member of servers.
func (d *decoder) server(v *value, namespaces map[string]string) Server {
	b := v.block(levelServer)
	s := Server{
		Security: Security{PolicyAuto, ModeAuto}, Time: ClockSource, MaxSkew: time.Hour, RequestTimeout: 10 * time.Second,
		SessionTimeout: 2 * time.Minute, Backoff: Backoff{time.Second, time.Minute}, PublishRequests: 3, At: v.Pos(),
	}
	b.require("name", "write a short name; it appears in gap records and on the status page")
	b.name("name", &s.Name)
	b.require("endpoint", "write opc.tcp://HOST:PORT")
	b.endpoint(&s.Endpoint)
	b.security(&s.Security)
	b.auth(&s)
	b.certificate(&s.ServerCertificate)
	markup.Choice(b.Get("time"), &s.Time, ClockSource, ClockServer, ClockReceive)
	b.duration("time_offset", &s.TimeOffset, -day, day)
	b.duration("max_skew", &s.MaxSkew, time.Second, day)
	b.duration("request_timeout", &s.RequestTimeout, time.Second, 5*time.Minute)
	b.duration("session_timeout", &s.SessionTimeout, 10*time.Second, time.Hour)
	b.Integer("publish_requests", &s.PublishRequests, 1, 20)
	b.backoff(&s.Backoff)

	scope := serverScope{namespaces: b.namespaces(namespaces), tags: b.tags(nil)}
	b.boolean("allow_index", &scope.allowIndex)
	if scope.allowIndex {
		b.get("allow_index").Warn("node ids with a namespace index name other nodes when the server's namespace array changes", "use nsu=URI or a prefix where the server allows it")
	}
	groups := b.require("groups", "list at least one group of nodes")
	if groups == nil {
		return s
	}
	names := make(map[string]markup.Place)
	for _, item := range groups.items() {
		g := d.group(item, &scope)
		item.Unique(names, "name", g.Name)
		s.Groups = append(s.Groups, g)
	}
	if groups.Kind() == markup.Sequence && len(s.Groups) == 0 {
		groups.FailHidden("the list is empty", "list at least one group of nodes")
	}
	return s
}

// defaultPort is IANA's for opc.tcp.
const defaultPort = "4840"

// endpoint reads opc.tcp://host[:port][/path] and completes the port.
func (b *block) endpoint(dst *string) {
	v := b.get("endpoint")
	if v == nil || !b.Text("endpoint", dst) {
		return
	}
	const remedy = "write opc.tcp://HOST:PORT, as the server's documentation or its discovery shows it"
	u, err := url.Parse(*dst)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		v.FailHidden("this is not an endpoint", remedy)
	case u.User != nil:
		v.FailHidden("the endpoint holds a user name or password", "write auth: with user and password_file")
	case u.Scheme == "opc.https" || u.Scheme == "https" || u.Scheme == "opc.wss" || u.Scheme == "http":
		v.Fail(u.Scheme+" is not supported, only opc.tcp", remedy)
	case u.Scheme != "opc.tcp":
		v.Fail(fmt.Sprintf("%q is not a scheme of OPC UA", u.Scheme), remedy)
	case !validPort(u.Port(), true):
		v.Fail("the port must be from 1 to 65535", remedy)
	default:
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), defaultPort)
		}
		*dst = u.String()
	}
}

func validPort(s string, empty bool) bool {
	n, err := strconv.Atoi(s)
	return (err == nil && n >= 1 && n <= 65535) || (s == "" && empty)
}

func (b *block) security(dst *Security) {
	v := b.get("security")
	if v == nil {
		return
	}
	b = v.block(levelSecurity)
	markup.Choice(b.Get("policy"), &dst.Policy, PolicyAuto, PolicyNone, PolicyBasic256Sha256, PolicyAes128Sha256RsaOaep, PolicyAes256Sha256RsaPss)
	markup.Choice(b.Get("mode"), &dst.Mode, ModeAuto, ModeNone, ModeSign, ModeSignAndEncrypt)
	switch policy, mode := dst.Policy, dst.Mode; {
	case policy == PolicyNone && mode == ModeAuto:
		dst.Mode = ModeNone
	case mode == ModeNone && policy == PolicyAuto:
		dst.Policy = PolicyNone
	case policy == PolicyNone && mode != ModeNone:
		b.get("mode").Fail("the policy None can neither sign nor encrypt", "write mode: None, or another policy")
	case mode == ModeNone && policy != PolicyNone:
		b.get("mode").Fail(fmt.Sprintf("the policy %s needs mode Sign or SignAndEncrypt", policy), "write mode: SignAndEncrypt, or policy: None")
	}
}

func (b *block) auth(s *Server) {
	v := b.get("auth")
	if v == nil {
		return
	}
	b = v.block(levelAuth)
	b.require("user", "write the user's name, or remove auth to be anonymous")
	b.Text("user", &s.Auth.User)
	b.secret("password_file", "password_env", &s.Auth.PasswordFile, &s.Auth.PasswordEnv)
	if v.Kind() == markup.Mapping && b.get("password_file") == nil && b.get("password_env") == nil {
		b.Missing("password_file", remedyPassword)
	}
	b.boolean("allow_plaintext_password", &s.Auth.AllowPlaintextPassword)
	if s.Auth.AllowPlaintextPassword {
		b.get("allow_plaintext_password").Warn("the password may cross the network unencrypted", "use a security policy that the server offers")
	}
}

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret reads where a secret is: a file or an environment variable, not both.
func (b *block) secret(fileKey, envKey string, file, env *string) {
	b.filename(fileKey, file)
	if v := b.get(envKey); v != nil && b.Text(envKey, env) && !envForm.MatchString(*env) {
		// The value is not repeated: it may be the secret itself.
		v.FailHidden("this is not the name of an environment variable", "write the variable's name, not its content")
	}
	if v := b.get(envKey); v != nil && b.get(fileKey) != nil {
		v.FailHidden(fmt.Sprintf("%s and %s exclude each other", fileKey, envKey), "remove one of the two")
	}
}

// certificate reads the pin: sha256:…, sha1:… or a file.
func (b *block) certificate(dst *string) {
	v := b.get("server_certificate")
	if v == nil || !b.Text("server_certificate", dst) {
		return
	}
	for prefix, size := range map[string]int{"sha256:": 64, "sha1:": 40} {
		digits, ok := strings.CutPrefix(*dst, prefix)
		if !ok {
			continue
		}
		digits = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(digits))
		if _, err := hex.DecodeString(digits); err != nil || len(digits) != size {
			v.Fail(fmt.Sprintf("after %s come %d hexadecimal digits", prefix, size), "copy the thumbprint that `collector pki list` shows")
			return
		}
		*dst = prefix + digits
		return
	}
	*dst = b.d.resolve(*dst)
}

func (b *block) backoff(dst *Backoff) {
	v := b.get("backoff")
	if v == nil {
		return
	}
	b = v.block(levelBackoff)
	b.duration("min", &dst.Min, 100*time.Millisecond, time.Hour)
	b.duration("max", &dst.Max, 100*time.Millisecond, 24*time.Hour)
	if dst.Min > dst.Max {
		v.FailHidden(fmt.Sprintf("min (%s) is longer than max (%s)", showDuration(dst.Min), showDuration(dst.Max)), "exchange or change them")
	}
}
