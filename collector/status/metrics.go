package status

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kvarts/collector/forward"
	"kvarts/historian/telemetry"
)

// metrics shows a View as Prometheus metrics, at each scrape anew. Names end in their unit; what only grows in _total.
type metrics struct{ src Source }

func newMetrics(src Source) *metrics { return &metrics{src} }

// Describe sends nothing: the metrics are those of the servers and destinations that the View has.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of the current View.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	v := m.src.View()
	e := emitter{ch: ch, now: v.Now}
	e.gauge("build_info", "Version of the collector.", 1, "version", v.Version)
	e.counter("samples_total", "Samples taken to disk.", v.Samples)
	e.counter("gaps_total", "Entries written to the loss ledger.", v.GapsTotal)
	e.gauge("quarantine_entries", "Entries in quarantine.", float64(v.Quarantine.Entries))
	if !v.CertificateUntil.IsZero() {
		e.gauge("certificate_seconds_left", "Validity left of our own certificate.", v.CertificateUntil.Sub(v.Now).Seconds())
	}
	b := &v.Buffer
	e.gauge("buffer_bytes", "Size of the buffer on disk.", float64(b.Bytes))
	e.gauge("buffer_limit_bytes", "Limit of the buffer's size; 0: none.", float64(b.MaxBytes))
	if b.FreeBytes >= 0 {
		e.gauge("buffer_disk_free_bytes", "Room left on the buffer's disk.", float64(b.FreeBytes))
	}
	e.gauge("buffer_disk_full", "1 while the disk takes no values.", truth(b.DiskFull))
	e.age("buffer_oldest_seconds", "Age of the oldest block in the buffer.", b.Oldest)
	e.gauge("buffer_failed", "1 when an fsync has failed: the collector is ending.", truth(b.Failed != ""))
	e.gauge("troubles", "What does not work in the collector itself and does not stop it: see the page.", float64(len(v.Troubles)))
	for i := range v.Servers {
		e.server(&v.Servers[i])
	}
	for i := range v.Destinations {
		e.destination(&v.Destinations[i])
	}
	for _, w := range v.Workers {
		for _, s := range w.Servers {
			e.gauge("worker_running", "1 while the worker process of the server runs.", truth(w.Running), "server", s)
			e.counter("worker_starts_total", "Starts of that process since its servers are together.", uint64(w.Starts), "server", s)
		}
	}
}

type emitter struct {
	ch  chan<- prometheus.Metric
	now time.Time
}

func (e *emitter) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var keys, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		keys, values = append(keys, labels[i]), append(values, labels[i+1])
	}
	m, err := prometheus.NewConstMetric(prometheus.NewDesc("kvarts_collector_"+name, help, keys, nil), kind, value, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(prometheus.NewDesc("kvarts_collector_"+name, help, keys, nil), err)
	}
	e.ch <- m
}

func (e *emitter) gauge(name, help string, value float64, labels ...string) {
	e.send(prometheus.GaugeValue, name, help, value, labels)
}

func (e *emitter) counter(name, help string, value uint64, labels ...string) {
	e.send(prometheus.CounterValue, name, help, float64(value), labels)
}

// age sends the age of at, nothing when it is unknown.
func (e *emitter) age(name, help string, at telemetry.Instant, labels ...string) {
	if at != 0 {
		e.gauge(name, help, age(e.now, at).Seconds(), labels...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (e *emitter) server(s *Server) {
	l := []string{"server", s.Server}
	e.gauge("server_connected", "1 while a session with the server is active.", truth(s.Connected), l...)
	e.age("server_last_value_age_seconds", "Age of the newest value.", s.LastValue, l...)
	e.age("server_last_seen_age_seconds", "Time since the server was last heard of, keep-alives included.", s.LastSeen(), l...)
	e.gauge("server_items", "Monitored items that the server accepted.", float64(s.ItemsOK), l...)
	e.gauge("server_items_refused", "Tags that the server refuses.", float64(s.ItemsBad), l...)
	if s.ClockRTT > 0 {
		e.gauge("server_clock_offset_seconds", "Server's clock minus ours.", s.ClockOffset.Seconds(), l...)
	}
	if !s.ServerCertUntil.IsZero() {
		e.gauge("server_certificate_seconds_left", "Validity left of the server's certificate.", s.ServerCertUntil.Sub(e.now).Seconds(), l...)
	}
	c := &s.Counters
	for _, n := range []struct {
		name, help string
		value      uint64
	}{
		{"connects_total", "Channels opened.", c.Connects},
		{"connect_failures_total", "Attempts to connect that failed.", c.ConnectFails},
		{"sessions_reactivated_total", "Sessions that survived a lost channel.", c.Reactivated},
		{"sessions_created_total", "Sessions created.", c.Sessions},
		{"subscriptions_recreated_total", "Subscriptions created again.", c.Recreated},
		{"messages_total", "Notification messages received.", c.Messages},
		{"keepalives_total", "Keep-alives received.", c.KeepAlives},
		{"values_total", "Values received.", c.Values},
		{"messages_republished_total", "Messages recovered by Republish.", c.Republished},
		{"messages_lost_total", "Messages that could not be recovered.", c.Lost},
		{"messages_duplicate_total", "Messages seen again and dropped.", c.Duplicates},
		{"queue_overflows_total", "Values with the overflow bit.", c.Overflows},
		{"values_rejected_total", "Values put into quarantine.", c.Rejected},
		{"messages_undecodable_total", "Messages given up as undecodable.", c.Undecodable},
		{"silences_total", "Channels closed because nothing came.", c.Silences},
	} {
		e.counter("server_"+n.name, n.help, n.value, l...)
	}
}

func (e *emitter) destination(d *Destination) {
	l := []string{"destination", d.Name}
	e.gauge("destination_held", "1 while a person must act: the page says how.", truth(d.Condition == forward.Held), l...)
	e.gauge("destination_waiting_records", "Blocks that the destination does not have.", float64(d.Records), l...)
	e.gauge("destination_waiting_bytes", "Bytes of the blocks that the destination does not have.", float64(d.State.Bytes), l...)
	e.age("destination_oldest_seconds", "Age of the oldest block that the destination does not have.", d.Oldest, l...)
	e.age("destination_last_success_seconds", "Time since the last accepted write.", d.LastSuccess, l...)
	e.gauge("destination_live_lag_seconds", "Age of the oldest waiting block that is not part of a backlog.", d.LiveLag.Seconds(), l...)
	e.counter("destination_lines_total", "Lines delivered, those put into quarantine included.", d.Totals.Lines, l...)
	e.counter("destination_quarantined_lines_total", "Lines that the store refused.", d.Totals.QuarantinedLines, l...)
	e.counter("destination_sent_bytes_total", "Compressed bytes sent.", d.Totals.Bytes, l...)
	for class, n := range d.Totals.ByClass {
		e.counter("destination_answers_total", "Answers of the store by class: ok, retry, hold, split, …", n, "destination", d.Name, "class", class)
	}
}
