package forward

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kvarts/collector/buffer"
	"kvarts/collector/forward/quarantine"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

var (
	errDown  = errors.New("connection refused")
	down     = influx.Result{Class: influx.Retry, Message: "connection refused", Err: errDown, Dropped: -1}
	accepted = influx.Result{Class: influx.OK, Status: 204, Dropped: -1}
)

// source makes lines with values that never repeat.
type source struct {
	n   int
	all []string
}

// block is one record of n lines of one server and group.
func (s *source) block(server, group string, n int) buffer.Record {
	var lines []string
	for range n {
		s.n++
		lines = append(lines, fmt.Sprintf("puller,unit=%s_%s v=%d %d", server, group, s.n, 1_700_000_000_000_000_000+s.n*1000))
	}
	s.all = append(s.all, lines...)
	return record(server, group, lines...)
}

func TestDeliversInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Limits.Lines = 40 })
		r.store.took = 50 * time.Millisecond
		var src source
		for i := range 300 {
			r.log.append(src.block("s1", fmt.Sprint("g", i%3), 5))
		}
		stop := r.run(t)
		for range 300 {
			r.log.append(src.block("s1", "g0", 2))
			time.Sleep(10 * time.Millisecond)
		}
		sleep(20 * time.Second)
		stop()
		if !r.log.allAcked() {
			t.Error("not everything is acknowledged")
		}
		r.account(t, src.all)
		for series, times := range r.store.order {
			if !slices.IsSorted(times) {
				t.Errorf("series %s was written out of order", series)
			}
		}
		if r.store.most > defaultInFlight {
			t.Errorf("%d requests at a time, want at most %d", r.store.most, defaultInFlight)
		}
	})
}

// Small batches gather while one is under way.
func TestCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.took = 200 * time.Millisecond
		var src source
		stop := r.run(t)
		for range 1000 { // 10 s, a record each 10 ms
			r.log.append(src.block("s", "g", 1))
			time.Sleep(10 * time.Millisecond)
		}
		sleep(time.Second)
		stop()
		r.account(t, src.all)
		if n := r.store.writes; n > 60 {
			t.Errorf("%d requests in 10 s of 200 ms each", n)
		}
	})
}

// Fault 22, with fake time: the store is away for a while at full rate. When it is back, live data passes the backlog, the backlog is
// drained meanwhile, and the order within each lane stays.
func TestOutageDrainsWithLiveDataBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Limits.Lines = 500 })
		isDown, bornAt := true, make(map[int64]time.Time)
		arrived := make(map[int64]time.Time)
		r.store.took = 300 * time.Millisecond
		r.store.script = func(_ int, lines []string) (influx.Result, bool, bool) {
			if isDown {
				return down, false, true
			}
			for _, l := range lines {
				p, _ := telemetry.ParseLine([]byte(l))
				if _, ok := arrived[int64(p.Time)]; !ok {
					arrived[int64(p.Time)] = time.Now()
				}
			}
			return accepted, true, true
		}
		setDown := func(v bool) { r.store.mu.Lock(); isDown = v; r.store.mu.Unlock() }
		var src source
		stop := r.run(t)
		produce := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
				for g := range 4 {
					rec := src.block("s", fmt.Sprint("g", g), 50)
					for i := range 50 {
						bornAt[int64(rec.First)+int64(i)*1000] = time.Now()
					}
					r.log.append(rec)
				}
			}
		}
		produce(5 * time.Minute)
		if r.saw(EventRetrying) != 1 {
			t.Errorf("%d events of the outage, want one", r.saw(EventRetrying))
		}
		if n := r.store.writeCount(); n > 60 {
			t.Errorf("%d requests in five minutes of outage", n)
		}
		setDown(false)
		back := time.Now()
		produce(30 * time.Second) // the store is found again within the longest backoff
		backlog, _, _ := r.log.Pending()
		produce(2 * time.Minute)
		sleep(10 * time.Second)
		drained := r.log.allAcked()
		stop()
		if !drained {
			t.Error("backlog was not drained")
		}
		r.account(t, src.all)
		if backlog == 0 {
			t.Error("the backlog was gone before live data could pass it")
		}
		worst := time.Duration(0)
		for at, born := range bornAt {
			if born.After(back.Add(15 * time.Second)) {
				worst = max(worst, arrived[at].Sub(born))
			}
		}
		t.Logf("worst age of live data at the store during the drain: %s", worst)
		if worst > 5*time.Second {
			t.Errorf("live data was %s old", worst)
		}
		if r.saw(EventReplay) != 1 || r.saw(EventCaughtUp) != 1 || r.saw(EventUp) != 1 {
			t.Errorf("events: %d replay, %d caught up, %d up; want one of each", r.saw(EventReplay), r.saw(EventCaughtUp), r.saw(EventUp))
		}
		checkLaneOrder(t, r.store.order)
	})
}

// checkLaneOrder: two lanes, each in order: a series' times are a merge of at most two rising runs.
func checkLaneOrder(t *testing.T, order map[string][]telemetry.Instant) {
	t.Helper()
	for series, times := range order {
		var a, b telemetry.Instant // last of each run, a ≤ b
		for _, at := range times {
			switch {
			case at > b:
				b = at
			case at > a:
				a = at
			default:
				t.Fatalf("series %s is not a merge of two rising runs", series)
			}
			if a > b {
				a, b = b, a
			}
		}
	}
}

// While the store answers nothing of use, it is asked at most about once a second, whatever it answers.
func TestNeverSpins(t *testing.T) {
	for name, res := range map[string]influx.Result{
		"down":           down,
		"503":            {Class: influx.Retry, Status: 503, Message: "unavailable", Dropped: -1},
		"suspect 500":    {Class: influx.Retry, Status: 500, Message: "internal error", Suspect: true, Dropped: -1},
		"time-out":       {Class: influx.Retry, Message: "timeout", Err: &influx.Error{Kind: influx.KindTimeout}, Suspect: true, Dropped: -1},
		"429":            {Class: influx.Retry, Status: 429, RetryAfter: 7 * time.Second, Dropped: -1},
		"401":            {Class: influx.Hold, Status: 401, Message: "unauthorized", Remedy: "set the token", Dropped: -1},
		"404":            {Class: influx.Hold, Status: 404, Message: "bucket not found", Dropped: -1},
		"split of all":   {Class: influx.Split, Status: 400, Message: "no", Dropped: -1},
		"too large, all": {Class: influx.TooLarge, Status: 413, Dropped: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				bad := true
				var at []time.Time
				r.store.script = func(int, []string) (influx.Result, bool, bool) {
					if bad {
						at = append(at, time.Now())
					}
					return res, false, bad
				}
				var src source
				stop := r.run(t)
				defer stop()
				for i := range 600 {
					r.log.append(src.block("s", fmt.Sprint("g", i%5), 20))
					time.Sleep(time.Second)
				}
				synctest.Wait()
				perMinute := 0
				for _, a := range at {
					if time.Since(a) < time.Minute {
						perMinute++
					}
				}
				t.Logf("%d requests in 10 minutes, %d in the last one", len(at), perMinute)
				if perMinute > 60 {
					t.Errorf("%d requests in the last minute", perMinute)
				}
				if res.RetryAfter > 0 && perMinute > 60/int(res.RetryAfter.Seconds())+1 {
					t.Errorf("%d requests in the last minute, Retry-After was %s", perMinute, res.RetryAfter)
				}
				if len(r.quarantine.lines()) > 0 {
					t.Errorf("%d good lines in quarantine", len(r.quarantine.lines()))
				}
				r.store.mu.Lock()
				bad = false
				r.store.mu.Unlock()
				sleep(5 * time.Minute)
				if !r.log.allAcked() {
					t.Errorf("not delivered five minutes after the store was back; state %+v", r.f.Snapshot())
				}
				r.account(t, src.all)
			})
		})
	}
}

// A token that was changed, told by SetStore, is used at once.
func TestSetStoreEndsAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.script = func(int, []string) (influx.Result, bool, bool) {
			return influx.Result{Class: influx.Hold, Status: 401, Message: "unauthorized", Remedy: "set the token", Dropped: -1}, false, true
		}
		var src source
		r.log.append(src.block("s", "g", 10))
		stop := r.run(t)
		defer stop()
		sleep(5 * time.Minute)
		if s := r.f.Snapshot(); s.Condition != Held || s.Failure.Remedy != "set the token" || s.NextTry.IsZero() {
			t.Errorf("state %+v", s)
		}
		good := newMemStore()
		r.f.SetStore(good)
		sleep(10 * time.Millisecond)
		if !r.log.allAcked() {
			t.Error("not delivered at once")
		}
		r.store = good
		r.account(t, src.all)
		if s := r.f.Snapshot(); s.Condition != Delivering || s.LastSuccess == 0 {
			t.Errorf("state %+v", s)
		}
	})
}

// A store that refuses large batches gets smaller ones, and larger ones again later, without asking for trouble often.
func TestTooLargeShrinksAndGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Limits.Lines = 1000 })
		limit, refused := 100, 0
		r.store.script = func(_ int, lines []string) (influx.Result, bool, bool) {
			if len(lines) > limit {
				refused++
				return influx.Result{Class: influx.TooLarge, Status: 413, Message: "too large", Dropped: -1, Err: errDown}, false, true
			}
			return accepted, true, true
		}
		var src source
		for range 4000 {
			r.log.append(src.block("s", "g", 10))
		}
		r.log.append(src.block("s", "g", 900)) // a record that is too large alone
		stop := r.run(t)
		defer stop()
		sleep(10 * time.Second)
		if !r.log.allAcked() {
			t.Fatalf("not delivered: %+v", r.f.Snapshot())
		}
		r.account(t, src.all)
		t.Logf("%d refused of %d requests", refused, r.store.writes)
		if refused > 12 {
			t.Errorf("%d batches were refused as too large", refused)
		}
		r.store.mu.Lock()
		limit = 1 << 20
		r.store.mu.Unlock()
		sleep(ceilingMemory)
		for range 12_000 {
			r.log.append(src.block("s", "g", 10))
		}
		sleep(10 * time.Second)
		if got := slices.Max(r.store.sizes); got < 950 {
			t.Errorf("largest batch has %d lines long after the limit was lifted", got)
		}
		if len(r.quarantine.lines()) > 0 {
			t.Error("good lines in quarantine")
		}
	})
}

// A line that the store trips over, with a 500 or a broken connection, stops its stream for a while and nobody else.
func TestPoisonedLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var src source
		poisoned := src.block("s", "poisoned", 40)
		poison := src.all[17]
		r.store.script = func(_ int, lines []string) (influx.Result, bool, bool) {
			if slices.Contains(lines, poison) {
				return influx.Result{Class: influx.Retry, Status: 500, Message: "panic", Suspect: true, Dropped: -1, Err: errDown}, false, true
			}
			return accepted, true, true
		}
		r.log.append(poisoned)
		stop := r.run(t)
		defer stop()
		var lag time.Duration
		for range 600 {
			r.log.append(src.block("s", "healthy", 5))
			time.Sleep(time.Second)
			r.f.Snapshot()
			r.store.mu.Lock()
			missing := 0
			for _, l := range src.all[40:] {
				pt, _ := telemetry.ParseLine([]byte(l))
				if _, ok := r.store.points[fmt.Sprintf("%s v %d", pt.Key, pt.Time)]; !ok {
					missing++
				}
			}
			r.store.mu.Unlock()
			lag = max(lag, time.Duration(missing/5)*time.Second)
		}
		synctest.Wait()
		t.Logf("neighbours waited at most %s; %d writes", lag, r.store.writes)
		if lag > 5*time.Second {
			t.Errorf("neighbours waited %s", lag)
		}
		if got := r.quarantine.lines(); !slices.Equal(got, []string{poison}) {
			t.Errorf("in quarantine: %q", got)
		}
		r.account(t, src.all)
		if !r.log.allAcked() {
			t.Error("not everything is acknowledged")
		}
	})
}

// A store that hangs on large batches (a slow line) gets small ones; one that hangs on all is only waited for.
func TestTimeOutsShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Limits.Lines = 1000 })
		r.store.slow = func(lines []string) time.Duration {
			if len(lines) > 300 {
				return 30 * time.Second
			}
			return 0
		}
		r.store.script = func(_ int, lines []string) (influx.Result, bool, bool) {
			if len(lines) > 300 {
				return influx.Result{Class: influx.Retry, Message: "timeout", Err: &influx.Error{Kind: influx.KindTimeout}, Suspect: true, Dropped: -1}, false, true
			}
			return accepted, true, true
		}
		var src source
		for range 2000 {
			r.log.append(src.block("s", "g", 10))
		}
		stop := r.run(t)
		defer stop()
		sleep(10 * time.Minute)
		r.account(t, src.all)
		if !r.log.allAcked() {
			t.Errorf("not delivered: %+v", r.f.Snapshot())
		}
		t.Logf("%d requests, %d batches timed out", r.store.writes, r.f.Snapshot().Totals.ByClass["retry"])
	})
}

// The bad line is durable in quarantine before its record is acknowledged; while it cannot be, nothing is lost.
func TestQuarantineBeforeAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var src source
		rec := src.block("s", "g", 10)
		r.store.bad = func(l string) string {
			if l == src.all[3] {
				return "bad"
			}
			return ""
		}
		r.quarantine.fail = errors.New("no space left on device")
		r.quarantine.onAdd = func() {
			if r.log.allAcked() {
				t.Error("acknowledged before it was in quarantine")
			}
		}
		r.log.append(rec)
		stop := r.run(t)
		sleep(time.Minute)
		if r.log.allAcked() {
			t.Error("acknowledged although the bad line is nowhere")
		}
		if r.saw(EventQuarantineFailed) == 0 {
			t.Error("nobody was told")
		}
		r.quarantine.mu.Lock()
		r.quarantine.fail = nil
		r.quarantine.mu.Unlock()
		sleep(time.Minute)
		stop()
		if !r.log.allAcked() {
			t.Error("not acknowledged after the disk was mended")
		}
		r.account(t, src.all)
		if s := r.f.Snapshot(); s.Totals.QuarantinedLines != 1 || s.Totals.QuarantinedSamples != 1 || s.Totals.Samples != 10 {
			t.Errorf("totals %+v", s.Totals)
		}
	})
}

// Records that the buffer dropped or found damaged are passed over, in both lanes, and the cursor with them.
func TestMissingRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(rt, "records")
		gone := rapid.SliceOfN(rapid.IntRange(1, n), 0, n).Draw(rt, "gone")
		acked := rapid.SliceOfN(rapid.IntRange(1, n), 0, n).Draw(rt, "acked")
		old := rapid.IntRange(0, n).Draw(rt, "old")
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.Limits.Lines = 20; o.Limits.Bytes = 300 })
			var src source
			var want []string
			for i := range n {
				rec := src.block("s", fmt.Sprint("g", i%3), 5)
				if i < old {
					rec.Received = telemetry.Now().Add(-time.Hour)
				}
				seq := r.log.append(rec)
				if slices.Contains(acked, i+1) {
					r.log.acked.add(seq, seq)
				}
				if slices.Contains(gone, i+1) {
					r.log.gone[seq] = true
				}
				if !slices.Contains(acked, i+1) && !slices.Contains(gone, i+1) {
					want = append(want, src.all[len(src.all)-5:]...)
				}
			}
			stop := r.run(t)
			sleep(2 * time.Second)
			last := src.block("s", "g", 1)
			r.log.append(last)
			sleep(10 * time.Second)
			stop()
			r.account(t, append(want, src.all[len(src.all)-1]))
			if !r.log.allAcked() {
				t.Errorf("left unacknowledged: %v of %d", r.log.acked, r.log.Durable())
			}
		})
	})
}

// Stopped and started at random moments, under a store that fails and refuses at random, every line arrives once.
func TestRestartsUnderFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			next := rand.New(rand.NewPCG(seed, 1)).IntN
			storeNext := rand.New(rand.NewPCG(seed, 2)).IntN // used under the store's lock
			options := func(o *Options) { o.Limits.Lines = 60; o.InFlight = 1 + int(seed%4) }
			r := newRig(t, options)
			r.store.took = 20 * time.Millisecond
			r.store.refuse = servers[[]string{"silent", "counting", "quoting"}[seed%3]]
			r.store.bad = func(l string) string {
				if p, _ := telemetry.ParseLine([]byte(l)); p.Time/1000%97 == 5 {
					return "field type conflict"
				}
				return ""
			}
			r.store.script = func(int, []string) (influx.Result, bool, bool) {
				switch storeNext(8) {
				case 0:
					return down, false, true
				case 1:
					return influx.Result{Class: influx.Retry, Status: 503, RetryAfter: time.Duration(storeNext(3)) * time.Second, Dropped: -1}, false, true
				}
				return influx.Result{}, false, false
			}
			var src source
			for range 4 {
				stop := r.run(t)
				for range 10 + next(20) {
					r.log.append(src.block("s", fmt.Sprint("g", next(3)), 1+next(30)))
					time.Sleep(time.Duration(next(400)) * time.Millisecond)
				}
				stop()
				r.build(t, options)
			}
			stop := r.run(t)
			sleep(20 * time.Minute)
			stop()
			if !r.log.allAcked() {
				t.Errorf("left: %v of %d; %+v", r.log.acked, r.log.Durable(), r.f.Snapshot())
			}
			r.account(t, src.all)
		})
	})
}

// Run's end waits for requests under way, for the grace, and takes their outcome into account.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name  string
		took  time.Duration
		acked bool
	}{{"ends in time", 3 * time.Second, true}, {"hangs", time.Hour, false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.took = c.took
				var src source
				r.log.append(src.block("s", "g", 5))
				stop := r.run(t)
				sleep(time.Second)
				start := time.Now()
				stop()
				if took := time.Since(start); took > defaultGrace {
					t.Errorf("Run took %s to end", took)
				}
				if r.log.allAcked() != c.acked {
					t.Errorf("acknowledged: %v, want %v", !c.acked, c.acked)
				}
			})
		})
	}
}

// A log that cannot be read for a while is read again; one that was closed, or a cursor that failed, ends Run.
func TestLogFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var src source
		r.log.append(src.block("s", "g", 5))
		r.log.readErr = errors.New("input/output error")
		stop := r.run(t)
		sleep(10 * time.Second)
		if n := r.saw(EventReadFailed); n != 1 {
			t.Errorf("%d events of failed reads in 10 s, want one", n)
		}
		r.log.mu.Lock()
		r.log.readErr = nil
		r.log.mu.Unlock()
		sleep(3 * time.Second)
		r.account(t, src.all)
		stop()
	})
	for name, fail := range map[string]func(*memLog, error){
		"closed": func(l *memLog, err error) { l.readErr = fmt.Errorf("read: %w", buffer.ErrClosed) },
		"ack":    func(l *memLog, err error) { l.ackErr = err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var src source
				r.log.append(src.block("s", "g", 5))
				cause := errors.New("cause")
				fail(r.log, cause)
				err := r.f.Run(t.Context())
				if !errors.Is(err, cause) && !errors.Is(err, buffer.ErrClosed) {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

func TestNewChecks(t *testing.T) {
	for name, o := range map[string]Options{
		"no name":   {Log: newMemLog(), Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no log":    {Name: "x", Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no cursor": {Name: "x", Log: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine()},
		"no store":  {Name: "x", Log: newMemLog(), Cursor: newMemLog(), Quarantine: newMemQuarantine()},
		"negative":  {Name: "x", Log: newMemLog(), Cursor: newMemLog(), Store: newMemStore(), Quarantine: newMemQuarantine(), InFlight: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRangeSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s rangeSet
		want := make(map[uint64]bool)
		for range rapid.IntRange(0, 30).Draw(rt, "adds") {
			from := rapid.Uint64Range(1, 40).Draw(rt, "from")
			to := from + rapid.Uint64Range(0, 6).Draw(rt, "more")
			s.add(from, to)
			for i := from; i <= to; i++ {
				want[i] = true
			}
		}
		for i := uint64(1); i < 60; i++ {
			if s.has(i) != want[i] {
				rt.Fatalf("has(%d) = %v in %v", i, s.has(i), s)
			}
			n := i
			for want[n] {
				n++
			}
			if s.next(i) != n {
				rt.Fatalf("next(%d) = %d, want %d in %v", i, s.next(i), n, s)
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i-1].To+1 >= s[i].From {
				rt.Fatalf("ranges %v touch", s)
			}
		}
		missing := make(map[uint64]bool)
		for _, r := range s.missing(3, 50) {
			for i := r.From; i <= r.To; i++ {
				missing[i] = true
			}
		}
		for i := uint64(1); i < 60; i++ {
			if missing[i] != (i >= 3 && i <= 50 && !want[i]) {
				rt.Fatalf("missing(3,50) is wrong at %d in %v", i, s)
			}
		}
	})
}

// With nothing else in the log, a batch of one good line among bad ones gives its own proof.
func TestProofFromTheBatch(t *testing.T) {
	for _, good := range []int{0, 7, 30, 59} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			var src source
			rec := src.block("s", "g", 60)
			r.store.bad = func(l string) string {
				if l == src.all[good] {
					return ""
				}
				return "bad"
			}
			r.log.append(rec)
			stop := r.run(t)
			defer stop()
			sleep(3 * time.Hour)
			if !r.log.allAcked() {
				t.Errorf("good line %d: not delivered: %+v", good, r.f.Snapshot())
			}
			r.account(t, src.all)
		})
	}
}

// Killed after the bad line is durable in quarantine and before the record is acknowledged: one entry, not two.
func TestCrashBetweenQuarantineAndAck(t *testing.T) {
	q, err := quarantine.Open(quarantine.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	options := func(o *Options) { o.Quarantine = q }
	r := newRig(t, options)
	var src source
	rec := src.block("s", "g", 10)
	r.store.bad = func(l string) string {
		if l == src.all[4] {
			return "bad"
		}
		return ""
	}
	r.log.append(rec)
	killed := errors.New("killed")
	for range 3 {
		r.log.ackErr = killed
		if err := r.f.Run(t.Context()); !errors.Is(err, killed) {
			t.Fatalf("Run: %v", err)
		}
		r.build(t, options)
	}
	r.log.mu.Lock()
	r.log.ackErr = nil
	r.log.mu.Unlock()
	stop := r.run(t)
	waitFor(t, "acknowledgement", r.log.allAcked)
	stop()
	entries, err := q.List(quarantine.Filter{})
	if err != nil || len(entries) != 1 || entries[0].Line != src.all[4] {
		t.Fatalf("quarantine holds %+v, %v", entries, err)
	}
	r.quarantine.Add(entries...)
	r.account(t, src.all)
}
