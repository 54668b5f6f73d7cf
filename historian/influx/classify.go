package influx

import (
	"net/http"
	"strings"
	"time"
)

// exchange is all that classify may look at. Nothing else in this package, and nobody outside of it, decides what an
// answer means.
type exchange struct {
	answer  *answer
	habits  Habits
	lines   int          // lines in the batch
	now     time.Time    // for a Retry-After that is a date
	gzipErr func() error // reads the batch's own gzip members: is it they that are damaged?
}

// reason is why a server refused a batch, as far as its words tell.
type reason uint8

const (
	noReason      reason = iota
	lineUnparsed         // a line is not line protocol
	lineConflict         // a field has another type
	lineRetention        // a line is older than the retention policy keeps
	lineOther            // another fault of single lines: limits of series, lengths, time out of range
	gzipRefused          // the body could not be decompressed
	tooLarge             // the batch is too large
	notNow               // the server itself is in the way, for a moment
	setupWrong           // database, bucket, organization, precision: nothing to do with the lines
)

// reasons lists the words of the servers, in lower case, in the order of looking. Servers send a status for a whole
// family of faults, so the words are the only way to tell "this line is bad" (bisect) from "nothing will ever pass"
// (hold). Words in a quoted part are the user's own data and are not looked at: see head.
var reasons = []struct {
	words  string
	reason reason
}{
	{"unable to parse", lineUnparsed}, // 1.x, 2.x
	{"field type conflict", lineConflict},
	{"partial write of line protocol", lineOther}, // 3
	{"parsing for line protocol failed", lineUnparsed},
	{"invalid column type for column", lineConflict},
	{"beyond retention policy", lineRetention},
	{"outside retention policy", lineRetention},
	{"is pending deletion", notNow}, // 1.x, 2.x: the shard is being dropped; the next try meets a new one, or the retention policy
	{"max-values-per-tag", lineOther},
	{"max-series-per-database", lineOther},
	{"max key length", lineOther},
	{"time outside range", lineOther},
	{"points batch is too large", tooLarge},
	{"request entity too large", tooLarge},
	{"request body too large", tooLarge},
	{"gzip", gzipRefused},
	{"flate: ", gzipRefused},
	{"unexpected eof", gzipRefused},
	{"content-encoding", gzipRefused},
	{"content encoding", gzipRefused},
	{"database is required", setupWrong},
	{"database not found", setupWrong},
	{"retention policy not found", setupWrong},
	{"not authorized", setupWrong},
	{"precision", setupWrong},
	{"consistency level", setupWrong},
	{"organization", setupWrong},
	{"orgid", setupWrong},
	{"bucket", setupWrong},
	{"http request to an https server", setupWrong},
	{"plain http request was sent to https port", setupWrong},
}

// head is the part of a server's words before the first quotation: what follows may be a line of the batch.
func head(text string) string {
	if i := strings.IndexAny(text, `'"`); i >= 0 {
		text = text[:i]
	}
	return strings.ToLower(text)
}

func findReason(m message) reason {
	h := head(m.text)
	for _, r := range reasons {
		if !strings.Contains(h, r.words) {
			continue
		}
		if r.reason == lineUnparsed && strings.ContainsAny(m.text, "\x1f") {
			return gzipRefused // the server tried to parse the compressed bytes themselves
		}
		return r.reason
	}
	if strings.Contains(h, "partial write") && m.dropped > 0 {
		return lineOther // "partial write" alone is also what a cluster says when a node did not answer
	}
	return noReason
}

// classify turns an answer into what to do next. Whenever it is in doubt it keeps the batch: OK needs a 204, and a line
// can only come into quarantine when the server, not something in front of it, refused it.
func classify(x exchange) Result {
	a := x.answer
	if a.status == 0 && !a.salvage() {
		return classifyFailure(a)
	}
	m := readMessage(a.status, a.header, a.body)
	r := Result{Status: a.status, Message: m.text, Dropped: -1}
	r.RetryAfter = retryAfter(a.header, x.now)
	switch s := a.status; {
	case s == http.StatusNoContent:
		return accepted(x, r)
	case s < 300:
		classifyOddSuccess(x, &r, m)
	case s < 400:
		r.hold("the answer is a redirect to " + shownURL(a.header.Get("Location")) + ": set the URL of the store itself")
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusPaymentRequired, s == http.StatusProxyAuthRequired:
		r.hold(authRemedy(s, a, m))
	case s == http.StatusRequestEntityTooLarge:
		r.Class, r.Fate = TooLarge, FateNone
		r.Remedy = "raise the body limit of the server, or of the proxy in front of it, or lower the batch size"
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		r.Class = Retry
	case s == http.StatusBadRequest, s == http.StatusUnprocessableEntity, s == http.StatusUnsupportedMediaType, s == http.StatusInternalServerError:
		classifyRefusal(x, &r, m)
	case s == http.StatusNotFound, s == http.StatusMethodNotAllowed, s == http.StatusGone:
		r.hold(notFoundRemedy(m))
	case s == http.StatusNotImplemented, s == http.StatusHTTPVersionNotSupported, s == http.StatusNetworkAuthenticationRequired:
		r.hold("what answers at this URL cannot take writes: check the URL and any proxy in between")
	case s >= 500:
		r.Class = Retry
	default:
		r.hold("an answer that no InfluxDB gives: check the URL and any proxy in between")
	}
	return r
}

func (r *Result) hold(remedy string) {
	r.Class, r.Remedy, r.Fate = Hold, remedy, FateNone
}

func accepted(x exchange, r Result) Result {
	r.Class, r.Message, r.RetryAfter = OK, "", 0
	if x.habits.SilentLoss == No {
		r.Fate = FateAll
	}
	return r
}

// classifyOddSuccess handles 2xx other than 204. No InfluxDB says "all stored" with any of them, and proxies send 200
// with a login page.
func classifyOddSuccess(x exchange, r *Result, m message) {
	switch {
	case m.html:
		r.hold("something in front of the store answers with a page for people (a login?): check URL and proxy")
	case x.answer.status == http.StatusCreated && isLineFault(findReason(m)):
		r.Class, r.Fate = Split, FateGood // InfluxDB Clustered: some lines refused
		r.Dropped = believable(m.dropped, x.lines)
	case m.influx && len(x.answer.body) == 0:
		r.Class, r.Suspect = Retry, true // 1.x: "there was no point in the body": something took it away
		r.Message = "the server says it received an empty batch"
	default:
		r.hold("only 204 says that lines are stored: check that this URL is a store")
	}
}

// classifyRefusal handles the statuses with which servers refuse lines, but also other things.
func classifyRefusal(x exchange, r *Result, m message) {
	why := findReason(m)
	switch {
	case m.html && x.answer.status >= 500:
		r.Class = Retry
	case m.html:
		r.hold("something in front of the store refuses the request with a page for people: check URL and proxy")
	case why == tooLarge:
		r.Class, r.Fate = TooLarge, FateNone
		r.Remedy = "raise the body limit of the server, or lower the batch size"
	case why == gzipRefused || x.answer.status == http.StatusUnsupportedMediaType:
		classifyGzip(x, r, m)
	case why == notNow:
		r.Class = Retry
	case isLineFault(why):
		r.Class = Split
		r.Dropped = believable(m.dropped, x.lines)
		r.Fate, r.Remedy = lineFate(why, x), lineRemedy(why)
	case why == setupWrong:
		r.hold(notFoundRemedy(m))
	case x.answer.bodyErr != nil:
		r.Class = Retry // the words that would have told are lost
	case x.gzipErr() != nil:
		classifyGzip(x, r, m)
	case x.answer.status == http.StatusInternalServerError:
		r.Class, r.Suspect = Retry, true
	case m.influx:
		r.Class = Split // refused, in words that we do not know: one bad line must not stop the others
		r.Dropped = believable(m.dropped, x.lines)
	default:
		r.hold("the request was refused, but not in the words of an InfluxDB: check URL and proxy")
	}
}

func isLineFault(why reason) bool {
	return why == lineUnparsed || why == lineConflict || why == lineRetention || why == lineOther
}

// classifyGzip tells three cases apart: a member that really is damaged (bisect down to it), a connection that broke
// while the body was sent, and a server or proxy that does not take gzip, where bisecting would put every line into
// quarantine.
func classifyGzip(x exchange, r *Result, m message) {
	switch {
	case x.gzipErr() != nil:
		r.Class, r.Fate = Split, FateNone
		r.Remedy = "a block of the batch is damaged: it cannot be decompressed"
	case strings.Contains(head(m.text), "unexpected eof"):
		r.Class, r.Suspect = Retry, true
	default:
		r.hold("the server, or a proxy in front of it, does not accept gzip (Content-Encoding): let the proxy pass the header and the body as they are")
	}
}

// believable is n when a batch of so many lines can have lost n.
func believable(n, lines int) int {
	if n < 1 || n > lines {
		return -1
	}
	return n
}

// lineFate is what the server's habits say of the good lines.
func lineFate(why reason, x exchange) Fate {
	var p Partial
	switch why {
	case lineUnparsed:
		p = x.habits.Unparsable
	case lineConflict:
		p = x.habits.TypeConflict
	case lineRetention:
		p = x.habits.BeyondRP
	}
	if p.Status != x.answer.status {
		return FateUnknown // not the answer that was measured
	}
	return p.Fate
}

func lineRemedy(why reason) string {
	switch why {
	case lineConflict:
		return "the field already exists with another type: correct the tag's type, or give the field another name"
	case lineRetention:
		return "the line is older than the retention policy keeps: lengthen it, or let the line go"
	case lineOther:
		return "the server's words name the limit: raise it there, or correct the tag"
	}
	return ""
}

func authRemedy(status int, a *answer, m message) string {
	switch {
	case a.renewal != nil:
		return "the token was refused, and reading it again failed: " + a.renewal.Error()
	case status == http.StatusProxyAuthRequired:
		return "the proxy wants a user and password: put them into the proxy's URL"
	case m.html:
		return "something in front of the store refuses the request: check URL and proxy"
	case status == http.StatusForbidden:
		return "the token may not write here: give it write permission for the bucket"
	case status == http.StatusPaymentRequired:
		return "the provider of the store wants to be paid"
	}
	return "the token (or user and password) is missing or wrong: set the right one; it is read again by itself when it comes from a file"
}

func notFoundRemedy(m message) string {
	h := head(m.text)
	switch {
	case strings.Contains(h, "https"):
		return "the server speaks TLS: begin the URL with https://"
	case strings.Contains(h, "retention policy not found"):
		return "create the retention policy, or correct its name"
	case strings.Contains(h, "database"):
		return "create the database (CREATE DATABASE), or correct its name"
	case strings.Contains(h, "org"):
		return "correct the name of the organization (org)"
	case strings.Contains(h, "bucket"):
		return "create the bucket, or correct its name"
	}
	return "no InfluxDB write endpoint at this URL: check host, port and path prefix"
}
