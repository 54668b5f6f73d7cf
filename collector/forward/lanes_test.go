package forward

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

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
		perRecord := 50
		if testing.Short() {
			perRecord = 10
		}
		r := newRig(t, func(o *Options) { o.Limits.Lines = 10 * perRecord })
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
					rec := src.block("s", fmt.Sprint("g", g), perRecord)
					for i := range perRecord {
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
