package status

import (
	"time"

	"kvarts/collector/buffer"
	"kvarts/collector/forward"
	"kvarts/collector/forward/quarantine"
	"kvarts/collector/uasession"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

var viewNow = time.Date(2026, 11, 23, 14, 5, 6, 0, time.UTC)

func ago(d time.Duration) telemetry.Instant {
	at, _ := telemetry.FromTime(viewNow.Add(-d))
	return at
}

// fixed is a Source of one View.
type fixed View

func (f fixed) View() View { return View(f) }

// healthy is a collector without a problem.
func healthy() View {
	return View{
		Collector: "gw-crystal-1", Version: "v0.1.0", Started: viewNow.Add(-50 * time.Hour), Now: viewNow, Samples: 1_234_567_890,
		CertificateUntil: viewNow.Add(700 * 24 * time.Hour),
		Servers: []Server{{Endpoint: "opc.tcp://192.0.2.10:4840", ServerState: uasession.ServerState{
			Server: "pullers", State: uasession.StateRunning, Connected: true, Since: viewNow.Add(-49 * time.Hour), Text: "collecting",
			LastValue: ago(400 * time.Millisecond), LastPublish: ago(400 * time.Millisecond), Policy: "Aes256Sha256RsaPss", Mode: "SignAndEncrypt", User: "historian",
			ServerCertUntil: viewNow.Add(200 * 24 * time.Hour), ClockOffset: -12 * time.Millisecond, ClockRTT: 3 * time.Millisecond, ItemsOK: 4321,
			Groups:   []uasession.GroupState{{Name: "cz01", ID: 7, Publishing: time.Second, KeepAlive: 5 * time.Second, Items: 4321, LastSeen: ago(400 * time.Millisecond)}},
			Counters: uasession.Counters{Connects: 1, Sessions: 1, Messages: 176_000, Values: 1_234_567_890, KeepAlives: 12},
		}}},
		Workers: []Worker{{PID: 4711, Running: true, Servers: []string{"pullers"}, Since: viewNow.Add(-49 * time.Hour), Starts: 1}},
		Buffer: Buffer{Dir: "/var/lib/kvarts/buffer", Stat: buffer.Stat{Segments: 3, Bytes: 40 << 20, MaxBytes: 20 << 30, Records: 1200, DurableSeq: 99, NextSeq: 100,
			Oldest: ago(2 * time.Second), FreeBytes: 80 << 30}},
		Destinations: []Destination{{URL: "http://historian.plant.example:8086", State: forward.State{Name: "plant", Condition: forward.Delivering,
			Server: influx.Server{Kind: influx.V1, Version: "v0.1.0"}, Detected: true, LastSuccess: ago(300 * time.Millisecond), Records: 2, Bytes: 61_000, Oldest: ago(time.Second),
			LinesPerSecond: 6872, Totals: forward.Totals{Requests: 90_000, ByClass: map[string]uint64{"ok": 90_000}, Bytes: 1 << 34, Lines: 1_234_560_000}}}},
	}
}

// troubled is one in which most of what can be wrong is.
func troubled() View {
	v := healthy()
	v.Started = viewNow.Add(-5 * time.Hour)
	v.CertificateUntil = viewNow.Add(20 * 24 * time.Hour)
	v.Servers[0].ItemsBad = 3
	v.Servers[0].BadItems = []uasession.BadItem{
		{Tag: "nsu=urn:machine:puller;s=CZ01.MainHeater.PowerSetpointLimitHigh (cz_puller,area=crystal,site=north,unit=CZ-01 main_heater_limit_kw)", Group: "cz01",
			Node: "ns=2;s=CZ01.MainHeater.PowerSetpointLimitHigh", Reason: "BadNodeIdUnknown: the node id refers to a node that does not exist in the server address space", Since: viewNow.Add(-3 * time.Hour), Next: viewNow.Add(4 * time.Minute)},
		{Tag: "m:s=CZ01.Recipe (cz_puller,unit=CZ-01 recipe_name)", Group: "cz01", Reason: "BadUserAccessDenied", Since: viewNow.Add(-3 * time.Hour), Next: viewNow.Add(time.Minute)},
	}
	v.Servers[0].Deviations = []uasession.Deviation{{Group: "cz01", What: "sampling", Asked: "100ms", Got: "250ms", Count: 120}, {Group: "cz01", What: "queue", Asked: "1000", Got: "100", Count: 120}}
	v.Servers[0].Findings = []uasession.Finding{{Tag: "m:s=CZ01.Clock (cz_puller,unit=CZ-01 plc_clock)", Text: "its source time is 3 h ahead: the server's time is used", At: viewNow.Add(-time.Hour)}}
	v.Servers = append(v.Servers, Server{Endpoint: "opc.tcp://saws.plant.example:4840/a/very/long/path/of/a/gateway/that/somebody/configured", ServerState: uasession.ServerState{
		Server: "saws", State: uasession.StateWaiting, Since: viewNow.Add(-42 * time.Minute), Text: "next try in 38 s: dial tcp 192.0.2.77:4840: i/o timeout", LastValue: ago(42 * time.Minute), Policy: "Basic256Sha256", Mode: "Sign",
		ServerCertUntil: viewNow.Add(-time.Hour), ClockOffset: 2*time.Minute + 3*time.Second, ClockRTT: 40 * time.Millisecond,
		Counters:  uasession.Counters{Connects: 4, ConnectFails: 51, Values: 88_123_456, Lost: 2, Overflows: 7, Silences: 3},
		LastError: "connect to opc.tcp://saws.plant.example:4840: dial tcp 192.0.2.77:4840: i/o timeout", LastErrorTime: viewNow.Add(-20 * time.Second)}})
	v.Workers[0].Servers, v.Workers[0].Starts, v.Workers[0].LastError = []string{"pullers", "saws"}, 3, "the worker ended by itself\nsignal: killed"
	v.Buffer.Bytes, v.Buffer.FreeBytes, v.Buffer.Oldest, v.Buffer.Trouble = 9<<30, 300<<20, ago(7*time.Hour+12*time.Minute), "save cursors: read-only file system"
	v.Destinations[0].Replaying, v.Destinations[0].Records, v.Destinations[0].State.Bytes, v.Destinations[0].Oldest = true, 81_234, 3<<30, ago(7*time.Hour+12*time.Minute)
	v.Destinations = append(v.Destinations, Destination{URL: "https://influx.head-office.example", State: forward.State{Name: "head-office", Condition: forward.Held, LastSuccess: ago(26 * time.Hour),
		Records: 912_345, Bytes: 8 << 30, Oldest: ago(26 * time.Hour), NextTry: viewNow.Add(42 * time.Second), Totals: forward.Totals{ByClass: map[string]uint64{"ok": 3, "hold": 40}, QuarantinedLines: 12},
		Failure: &forward.Failure{At: ago(18 * time.Second), Since: ago(26 * time.Hour), Class: influx.Hold, Status: 401, Message: "unauthorized access", Remedy: "put a token that may write to bucket kvarts into /etc/kvarts/head-office.token"}}})
	v.Gaps = []telemetry.Gap{
		{Server: "saws", Group: "saw01", From: ago(43 * time.Minute), To: ago(30 * time.Second), Cause: telemetry.CauseSession, Count: -1, Detail: "the server did not keep the session"},
		{Server: "pullers", Group: "cz01", Series: "cz_puller,unit=CZ-01", Signal: "melt_temp_c", From: ago(3 * time.Hour), To: ago(3*time.Hour - 20*time.Millisecond), Cause: telemetry.CauseOverflow, Count: -1, Detail: "the server's queue overflowed: ask for a longer one (queue) or publish more often"},
		{Server: "pullers", From: ago(20 * time.Hour), To: ago(19 * time.Hour), Cause: telemetry.CauseBufferLimit, Count: 1_204_332, Detail: "limit of 21474836480 bytes reached, policy oldest"},
	}
	v.GapsTotal = 3
	v.Warnings = []string{"collector.yaml:41:9: servers[1].groups[0]: the group has no tag unit: points of several machines would mix; remedy: add tags: {unit: …}"}
	v.Troubles = []string{"save checkpoint of saws: no space left on device"}
	v.Quarantine = quarantine.Stat{Count: quarantine.Count{Entries: 12, Samples: 12}, Bytes: 9000, MaxBytes: 64 << 20}
	return v
}
