package forward

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

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
				lines := 20
				if testing.Short() {
					lines = 4
				}
				stop := r.run(t)
				defer stop()
				for i := range 600 {
					r.log.append(src.block("s", fmt.Sprint("g", i%5), lines))
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
		before, after := 4000, 12_000 // records
		if testing.Short() {
			before, after = 1000, 6000
		}
		for range before {
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
		for range after {
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
		var healthy []string // what the store calls its points
		for range 600 {
			r.log.append(src.block("s", "healthy", 5))
			for _, l := range src.all[len(src.all)-5:] {
				pt, _ := telemetry.ParseLine([]byte(l))
				healthy = append(healthy, fmt.Sprintf("%s v %d", pt.Key, pt.Time))
			}
			time.Sleep(time.Second)
			r.f.Snapshot()
			r.store.mu.Lock()
			missing := 0
			for _, id := range healthy {
				if _, ok := r.store.points[id]; !ok {
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
