package influx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// classifyFailure handles an exchange without an answer. Nearly all of it heals by itself: Retry. What a person must
// mend is Hold: certificates, http where https is spoken, a token that cannot be read.
func classifyFailure(a *answer) Result {
	kind, hint := networkKind(a.err)
	r := Result{Class: Retry, Message: a.err.Error(), Remedy: hint, Dropped: -1}
	switch {
	case kind == KindTLS || kind == KindAuth || kind == KindProtocol:
		r.Class, r.Fate = Hold, FateNone
	case a.wrote.Load() && !errors.Is(a.err, context.Canceled):
		r.Suspect = true
	case !a.wrote.Load():
		r.Fate = FateNone
	}
	return r
}

// salvage makes an answer of one that net/http refused to read: influxd 1.8 repeats the line that it could not parse in
// its X-Influxdb-Error header, and a line with a control character makes that header invalid. Taken for a broken
// connection, such a line would be sent again for ever. The status is lost; with those words it was 400.
func (a *answer) salvage() bool {
	var bad textproto.ProtocolError
	if !errors.As(a.err, &bad) {
		return false
	}
	const mark = "X-Influxdb-Error: "
	_, said, ok := strings.Cut(string(bad), mark)
	if !ok {
		return false
	}
	if text, err := strconv.Unquote(`"` + strings.TrimSuffix(said, `"`) + `"`); err == nil {
		said = text
	}
	a.status, a.header = http.StatusBadRequest, http.Header{"X-Influxdb-Error": {said}}
	return true
}

// networkKind sorts the error of a request that got no answer, and says what a person can do about it.
func networkKind(err error) (ErrorKind, string) {
	switch {
	case errors.Is(err, errCredentials):
		return KindAuth, "set a token, or make its file readable"
	case isTLS(err):
		return KindTLS, tlsHint(err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return KindTLS, "the server does not speak TLS: begin the URL with http://"
	case errors.Is(err, context.Canceled):
		return KindOther, ""
	case isTimeout(err):
		return KindTimeout, ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return KindNetwork, "is the server running and listening at this address?"
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return KindNetwork, "is the host name right, and does the name server know it?"
	}
	return KindNetwork, ""
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, errStalled) || errors.As(err, &n) && n.Timeout()
}

func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		remote  *net.OpError
	)
	if errors.As(err, &remote) && remote.Op == "remote error" {
		return true // a TLS alert of the server
	}
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name) ||
		errors.As(err, &invalid) || errors.As(err, &record)
}

func tlsHint(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is not signed by a known authority: give its CA file"
	case errors.As(err, &name):
		return "the server's certificate is for another name: use that name in the URL"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired or is not yet valid: renew it, and check the clocks"
	}
	return "check the server's TLS settings and certificate"
}
