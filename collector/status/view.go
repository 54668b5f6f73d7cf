// Package status shows how a collector is: a page for a technician's phone, the same as JSON, Prometheus metrics, and
// two answers for machines that only ask yes or no. It shows a View and knows nothing of where it comes from.
package status

import (
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

// View is the state of a collector at one time.
type View struct {
	Collector string    `json:"collector"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Now       time.Time `json:"now"`

	Samples  uint64   `json:"samples"`            // taken to disk since the start
	Warnings []string `json:"warnings,omitempty"` // of the configuration
	Troubles []string `json:"troubles,omitempty"` // what does not work in the collector itself and does not stop it

	Servers      []Server        `json:"servers"`
	Workers      []Worker        `json:"workers"`
	Buffer       Buffer          `json:"buffer"`
	Destinations []Destination   `json:"destinations"`
	Gaps         []telemetry.Gap `json:"gaps"`       // of the last day, newest first
	GapsTotal    uint64          `json:"gaps_total"` // since the start

	CertificateUntil time.Time       `json:"certificate_until,omitzero"` // our own; zero when there is none
	Quarantine       quarantine.Stat `json:"quarantine"`
}

// Server is one OPC UA server.
type Server struct {
	uasession.ServerState
	Endpoint string `json:"endpoint"`
}

// LastSeen is when the server was last heard of, keep-alives included; 0: never.
func (s Server) LastSeen() (at telemetry.Instant) {
	for _, g := range s.Groups {
		at = max(at, g.LastSeen)
	}
	return at
}

// Worker is one child process.
type Worker struct {
	PID       int       `json:"pid"` // 0: a goroutine
	Running   bool      `json:"running"`
	Servers   []string  `json:"servers"`
	Since     time.Time `json:"since"`
	Starts    int       `json:"starts"`
	LastError string    `json:"last_error,omitempty"`
}

// Buffer is the log on disk.
type Buffer struct {
	buffer.Stat
	Dir      string `json:"dir"`
	DiskFull bool   `json:"disk_full"` // the last append met a full disk: the servers are queueing
}

// Destination is one store.
type Destination struct {
	URL string `json:"url"`
	forward.State
}

// WaitingBytes is State.Bytes under a name that the page's template can convert.
func (d Destination) WaitingBytes() int64 { return int64(d.State.Bytes) }

// Failing says that the last failure is not over.
func (d Destination) Failing() bool { return d.Failure != nil && d.Failure.At >= d.LastSuccess }

// Source gives the current View. It is called from several goroutines.
type Source interface{ View() View }
