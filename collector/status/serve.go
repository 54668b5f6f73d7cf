package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the listener: it answers people and scrapers of one plant, and must not be a way to hurt the collector.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	stopGrace     = 2 * time.Second
)

// Serve answers on addr until ctx is done.
func Serve(ctx context.Context, addr string, src Source) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("status page: %w (another collector? choose another status.listen)", err)
	}
	srv := newServer(src)
	serving, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-serving.Done()
		grace, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // whoever still reads after the grace is cut off
		}
	}()
	err = srv.Serve(ln)
	cancel()
	<-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("status page on %s: %w", ln.Addr(), err)
	}
	return nil
}

func newServer(src Source) *http.Server {
	return &http.Server{Handler: Handler(src), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
}

// Handler answers
//
//	/             the page; with ?pause it does not load itself again
//	/status.json  the View
//	/metrics      Prometheus
//	/healthz      200 while the process works at all
//	/readyz       200 while every server is collected to disk, else 503 and why not
//
// All of it only reads; nothing else is answered.
func Handler(src Source) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newMetrics(src), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { servePage(w, src.View(), r.URL.Query().Has("pause")) })
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(src.View()) // the reader is gone
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		v := src.View()
		answer(w, unready(&v))
	})
	return guard(mux)
}

// guard sets what protects a browser. The page needs nothing from anywhere.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, problems []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if len(problems) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, strings.Join(problems, "\n"))
		return
	}
	fmt.Fprintln(w, "ok")
}

// unready lists what keeps values from reaching the disk.
func unready(v *View) []string {
	var out []string
	if v.Buffer.Failed != "" {
		out = append(out, "the buffer has failed: "+v.Buffer.Failed)
	}
	if v.Buffer.DiskFull {
		out = append(out, "the buffer's disk is full: the servers are queueing")
	}
	for _, w := range v.Workers {
		if !w.Running {
			out = append(out, fmt.Sprintf("the worker of %s is not running", strings.Join(w.Servers, ", ")))
		}
	}
	for _, s := range v.Servers {
		if !s.Connected {
			out = append(out, fmt.Sprintf("server %s is not connected: %s", s.Server, firstOf(s.LastError, s.Text)))
		}
	}
	return out
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
