package peers

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Dialect is whose answers a fake InfluxDB gives.
type Dialect int

const (
	V18 Dialect = iota // InfluxDB 1.8: 400 and the good lines kept, for whatever is wrong with a line
	V2                 // InfluxDB 2: 400 and nothing kept for an unparsable line, 422 and the good ones kept for a conflict
)

// FakeStore is an InfluxDB that answers as a fault test tells it to, and remembers every value. It is right about what
// matters to such a test: a value is kept per series, field and nanosecond, the last write wins, and a write that puts
// another value in an earlier one's place is counted, because a collector must never cause one.
//
// Lines are parsed by InfluxDB's own parser. Its methods may be called from any goroutine.
type FakeStore struct {
	URL    string
	CAFile string // certificate of WithTLS, PEM

	tb      testing.TB
	server  *httptest.Server
	closing chan struct{} // closed at the end of the test: requests that hang end

	dialect Dialect

	mu       sync.Mutex
	token    string
	bucket   string
	next     []Answer             // for the next writes, in order
	always   func(Request) Answer // for later ones
	requests []Request
	points   fakePoints
}

// FakeOption changes how a fake InfluxDB is started.
type FakeOption func(*FakeStore)

// WithDialect chooses whose answers it gives; V18 is the default.
func WithDialect(d Dialect) FakeOption { return func(f *FakeStore) { f.dialect = d } }

// WithTLS makes it speak TLS with a certificate of its own that is valid until notAfter, which may be past.
func WithTLS(notAfter time.Time) FakeOption {
	return func(f *FakeStore) {
		f.CAFile = filepath.Join(f.tb.TempDir(), "fake-influx.pem")
		cert, err := selfSigned(f.CAFile, notAfter)
		if err != nil {
			f.tb.Fatalf("make certificate: %v", err)
		}
		f.server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
}

// FakeInflux starts a fake InfluxDB, which keeps what it is given and answers 204 until Next or Always say otherwise.
func FakeInflux(tb testing.TB, options ...FakeOption) *FakeStore {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	f := &FakeStore{
		tb: tb, closing: make(chan struct{}), points: newFakePoints(),
		always: func(Request) Answer { return Answer{} },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/write", f.serveWrite)
	mux.HandleFunc("POST /write", f.serveWrite)
	mux.HandleFunc("/ping", f.servePing)
	mux.HandleFunc("/health", f.serveHealth)
	f.server = &httptest.Server{Listener: l, Config: &http.Server{
		Handler: mux, ErrorLog: log.New(io.Discard, "", 0), // clients that break off are the point
	}}
	for _, o := range options {
		o(f)
	}
	if f.server.TLS != nil {
		f.server.StartTLS()
	} else {
		f.server.Start()
	}
	f.URL = f.server.URL
	tb.Cleanup(func() {
		close(f.closing)
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

// Next scripts the answers to the next writes, one each. After them Always applies.
func (f *FakeStore) Next(answers ...Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, answers...)
}

// Always sets the answer to all writes that Next does not speak of.
func (f *FakeStore) Always(a Answer) { f.AlwaysFunc(func(Request) Answer { return a }) }

// AlwaysFunc decides the answer by the request. decide runs under the store's lock: it must not call its methods.
func (f *FakeStore) AlwaysFunc(decide func(Request) Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = decide
}

// SetToken makes writes with another token fail with 401; "" accepts all.
func (f *FakeStore) SetToken(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = token
}

// SetBucket makes writes to another bucket or database fail with 404; "" accepts all.
func (f *FakeStore) SetBucket(bucket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bucket = bucket
}

// Request is one write that came.
type Request struct {
	At        time.Time
	Path      string // with its query
	Header    http.Header
	WireBytes int   // of the body as it came
	Bytes     int   // after decompression
	Points    int   // parsed
	Status    int   // of the answer, which may be under way; 0 where there is none
	Scripted  bool  // the answer came from Next
	Err       error // why the body could not be read or decompressed
}

// Requests returns the writes that have come whole, in that order.
func (f *FakeStore) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.requests...)
}

func (f *FakeStore) version() string {
	if f.dialect == V2 {
		return influxd2Version
	}
	return influxd18Version
}

func (f *FakeStore) servePing(w http.ResponseWriter, _ *http.Request) {
	f.identify(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

func (f *FakeStore) serveHealth(w http.ResponseWriter, _ *http.Request) {
	f.identify(w.Header())
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"name":"influxdb","message":"ready for queries and writes","status":"pass","checks":[],"version":%q}`, f.version())
}

func (f *FakeStore) identify(h http.Header) {
	h.Set("X-Influxdb-Version", f.version())
	h.Set("X-Influxdb-Build", "OSS")
}
