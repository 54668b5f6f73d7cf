package peers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/influxdb/models"
)

// Answer is what a fake InfluxDB does with one write. The zero value keeps all and answers as a real server would.
//
// The fields work together: what Keep and Bad say is stored first, then the connection is cut, or the answer given.
type Answer struct {
	Keep Keep
	// Bad names points that the server refuses, as beyond retention or of another type; the answer is then that of a
	// partial write in the store's dialect, with Reason.
	Bad    func(models.Point) bool
	Reason string // default "points beyond retention policy"

	Status int         // 0: as a real server answers to what was kept
	Header http.Header // added to the answer
	Body   string

	Cut      bool          // the connection is reset in place of an answer
	Hang     bool          // no answer at all, until the client goes away
	After    time.Duration // wait before the answer
	Drip     time.Duration // wait before each byte of the answer
	MaxBytes int           // larger bodies, as they come: 413 and nothing kept; 0 = no limit
	NoGzip   bool          // compressed bodies: 415 and nothing kept
	ReadHalf bool          // only the first half of the body is read, what it holds is kept, and the answer is 204
}

// Keep is how much of a write is stored.
type Keep int

// What is kept of the good points of a write.
const (
	KeepAll Keep = iota
	KeepNone
	KeepHalf // the first half of the points
)

// Fail answers with a status and keeps nothing.
func Fail(status int, body string) Answer { return Answer{Keep: KeepNone, Status: status, Body: body} }

// RetryLater answers with a status (429, 503) and a Retry-After header, as it is written, and keeps nothing.
func RetryLater(status int, retryAfter string) Answer {
	a := Fail(status, `{"code":"too many requests","message":"slow down"}`)
	a.Header = http.Header{"Retry-After": {retryAfter}}
	return a
}

// CommitThenCut keeps all and resets the connection before the answer.
func CommitThenCut() Answer { return Answer{Cut: true} }

// CommitHalfThenCut keeps the first half and resets the connection before the answer.
func CommitHalfThenCut() Answer { return Answer{Keep: KeepHalf, Cut: true} }

// Lie answers 204 and keeps nothing.
func Lie() Answer { return Answer{Keep: KeepNone, Status: http.StatusNoContent} }

// Hang takes the body and never answers; what came is not kept.
func Hang() Answer { return Answer{Keep: KeepNone, Hang: true} }

// SlowLoris keeps all and sends the answer one byte at a time.
func SlowLoris(every time.Duration) Answer { return Answer{Drip: every} }

// TooLarge answers 413 to bodies above n bytes.
func TooLarge(n int) Answer { return Answer{MaxBytes: n} }

// RefuseGzip answers 415 to compressed bodies.
func RefuseGzip() Answer { return Answer{NoGzip: true} }

// Partial refuses the points that bad names and keeps the others.
func Partial(bad func(models.Point) bool) Answer { return Answer{Bad: bad} }

// Times repeats an answer, for Next.
func Times(n int, a Answer) []Answer {
	list := make([]Answer, n)
	for i := range list {
		list[i] = a
	}
	return list
}

// refusal is the status and body of a write that a real server refuses wholly or in part.
type refusal struct {
	status  int
	message string
}

// apply sets the headers of the refusal in the dialect and returns its body, as measured on the real servers.
func (r refusal) apply(d Dialect, h http.Header) string {
	if d == V18 {
		h.Set("X-Influxdb-Error", strings.ReplaceAll(r.message, "\n", " "))
		return `{"error":` + strconv.Quote(r.message) + "}\n"
	}
	code := map[int]string{
		http.StatusBadRequest: "invalid", http.StatusUnauthorized: "unauthorized", http.StatusNotFound: "not found",
		http.StatusRequestEntityTooLarge: "request too large", http.StatusUnprocessableEntity: "unprocessable entity",
		http.StatusUnsupportedMediaType: "invalid",
	}[r.status]
	h.Set("X-Platform-Error-Code", code)
	return `{"code":` + strconv.Quote(code) + `,"message":` + strconv.Quote(r.message) + "}"
}
