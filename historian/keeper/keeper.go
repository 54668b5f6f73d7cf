package keeper

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// The defaults of Options.
const (
	DefaultSettle   = 2 * time.Minute
	DefaultLookback = 35 * 24 * time.Hour
)

// Options of a Keeper. Zero fields take their defaults.
type Options struct {
	Now func() telemetry.Instant // default telemetry.Now
	// Settle is how long after its end a slice is computed first, so that what is on its way arrives.
	Settle time.Duration
	// Lookback is how far back a cycle looks for what late data touched. Later than that, Backfill finds it.
	Lookback time.Duration
	// Parallel is how many subjects are worked on at once; default GOMAXPROCS.
	Parallel int
	// Progress is called after each piece of work, by one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a cycle is.
type Progress struct {
	Done, Total int // pieces of work: a few days of one unit or line
	Subject     evidence.Subject
	Window      calendar.Interval
	Err         error // why the piece failed; the others go on
}

// Report is what a cycle did.
type Report struct {
	Looked   int // slices that are over in the window
	Computed int // that were computed, for the first time or again
	Written  int // of which the facts were new: a first or a further revision
	Failed   []Failure
}

// Failure is one subject that could not be computed. The next cycle tries again.
type Failure struct {
	Subject evidence.Subject
	Window  calendar.Interval
	Err     error
}

func (f Failure) String() string { return fmt.Sprintf("%s in %s: %v", f.Subject, f.Window, f.Err) }

// Keeper computes and stores slices. One keeper works for a store; two do no harm, they do the same work twice. Its methods are
// called by one goroutine at a time.
type Keeper struct {
	client *influx.Client
	o      Options
	write  func(context.Context, *influx.Client, []evidence.Slice) error // fault injection of tests

	sealMu sync.Mutex
	sealed map[evidence.Subject]telemetry.Instant // see seal; only saves work
}

// New makes a keeper of the slices in a store.
func New(client *influx.Client, o Options) *Keeper {
	if o.Now == nil {
		o.Now = telemetry.Now
	}
	if o.Settle == 0 {
		o.Settle = DefaultSettle
	}
	if o.Lookback == 0 {
		o.Lookback = DefaultLookback
	}
	if o.Parallel == 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return &Keeper{client: client, o: o, write: evidence.WriteSlices, sealed: make(map[evidence.Subject]telemetry.Instant)}
}

// What Run looks through: late data mostly comes within hours of its time (a gateway that was off), so each cycle looks at the
// last days only, and at the whole lookback, which costs a store with a month of raw values some seconds, once an hour.
const (
	recent    = 3 * 24 * time.Hour
	fullEvery = time.Hour
)

// Run keeps the ledger until ctx ends: a cycle at once and then one every interval. After each cycle, done gets its report or
// why it failed; a store that is away for a while is tried again with the next one. It returns nil when ctx ended.
func (k *Keeper) Run(ctx context.Context, every time.Duration, done func(Report, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var full telemetry.Instant // when all of the lookback was looked through
	for {
		now := k.o.Now()
		back := k.o.Lookback
		if now.Sub(full) < fullEvery {
			back = min(back, recent)
		}
		r, err := k.keep(ctx, calendar.Interval{From: now.Add(-back), To: now}, now)
		if err == nil && back == k.o.Lookback {
			full = now
		}
		if ctx.Err() != nil {
			return nil
		}
		done(r, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Cycle brings everything that is over in the lookback up to date.
func (k *Keeper) Cycle(ctx context.Context) (Report, error) {
	now := k.o.Now()
	return k.keep(ctx, calendar.Interval{From: now.Add(-k.o.Lookback), To: now}, now)
}

// Backfill brings a window of any age up to date, whole plant days of it. ErrEmpty says that nothing of it is over.
func (k *Keeper) Backfill(ctx context.Context, w calendar.Interval) (Report, error) {
	now := k.o.Now()
	w.To = min(w.To, now)
	if w.Empty() {
		return Report{}, fmt.Errorf("compute slices of %s: %w", w, ErrEmpty)
	}
	return k.keep(ctx, w, now)
}

// ErrEmpty says that a window holds no time that has passed.
var ErrEmpty = errors.New("the window is not over")

// blockDays is how many days are worked on at once: what bounds the memory, a few MB for each subject under way.
const blockDays = 3

// task is one piece of work: some plant days of one subject.
type task struct {
	subject evidence.Subject
	window  calendar.Interval
}

func (k *Keeper) keep(ctx context.Context, w calendar.Interval, now telemetry.Instant) (Report, error) {
	history, err := evidence.ReadModels(ctx, k.client, now)
	if err != nil {
		return Report{}, err
	}
	c := &cycle{Keeper: k, now: now, history: history}
	blocks := blocksOf(w)
	for i, v := range blocks {
		units, lines := c.tasks(v, i == 0)
		if c.total == 0 {
			c.total = (len(units) + len(lines)) * len(blocks)
		}
		c.total = max(c.total, c.done+(len(units)+len(lines))*(len(blocks)-i))
		if err := c.block(ctx, units, lines); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

// blocksOf divides w, the oldest first.
func blocksOf(w calendar.Interval) []calendar.Interval {
	var out []calendar.Interval
	for at := w.From; at < w.To; at = at.Add(blockDays * 24 * time.Hour) {
		out = append(out, calendar.Interval{From: at, To: min(at.Add(blockDays*24*time.Hour), w.To)})
	}
	return out
}

// block does the tasks of one block.
func (s *cycle) block(ctx context.Context, units, lines []task) error {
	if len(units) > 0 {
		ids, v := make([]string, len(units)), units[0].window
		for i, t := range units {
			ids[i], v = t.subject.ID, hull(v, t.window)
		}
		var err error
		if s.fingerprints, err = evidence.ReadFingerprints(ctx, s.client, s.history, ids, calendar.Interval{From: v.From, To: min(v.To, s.now)}, s.now); err != nil {
			return err
		}
	}
	if err := s.work(ctx, units, s.unit); err != nil {
		return err
	}
	return s.work(ctx, lines, s.line) // lines are made of what their units became
}

// cycle is one round of a keeper.
type cycle struct {
	*Keeper
	now          telemetry.Instant // of the cycle: what is in the store then is what slices are made of
	history      plant.History
	fingerprints *evidence.Fingerprints // of the block under way

	mu     sync.Mutex // guards what follows
	report Report
	done   int
	total  int
}

// tasks are the pieces of work of a block: of each subject the plant days that begin in it, and the one that is under way at
// its begin when no block came before.
func (s *cycle) tasks(v calendar.Interval, first bool) (units, lines []task) {
	seen := make(map[evidence.Subject]bool)
	add := func(to *[]task, subject evidence.Subject) {
		days := s.days(subject, v)
		if len(days) > 0 && days[0].From < v.From && !first {
			days = days[1:]
		}
		if !seen[subject] && len(days) > 0 {
			*to = append(*to, task{subject, calendar.Interval{From: days[0].From, To: days[len(days)-1].To}})
		}
		seen[subject] = true
	}
	for _, span := range s.history.Spans(v, s.now) {
		if span.Version == nil {
			continue
		}
		for _, u := range span.Version.Model.Units {
			add(&units, evidence.Subject{Kind: evidence.Unit, ID: u.ID})
		}
		for _, l := range span.Version.Model.Lines {
			add(&lines, evidence.Subject{Kind: evidence.Line, ID: l.ID})
		}
	}
	return units, lines
}

// work does tasks side by side.
func (s *cycle) work(ctx context.Context, tasks []task, do func(context.Context, task) (Report, error)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.o.Parallel)
	for _, t := range tasks {
		g.Go(func() error {
			r, err := do(ctx, t)
			if stops(ctx, err) {
				return fmt.Errorf("ledger of %s: %w", t.subject, err)
			}
			s.note(t, r, err)
			return nil
		})
	}
	return g.Wait()
}

func (s *cycle) note(t task, r Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	s.report.Looked += r.Looked
	s.report.Computed += r.Computed
	s.report.Written += r.Written
	if err != nil {
		s.report.Failed = append(s.report.Failed, Failure{t.subject, t.window, err})
	}
	s.o.Progress(Progress{Done: s.done, Total: s.total, Subject: t.subject, Window: t.window, Err: err})
}

// stops says that an error ends the cycle, as the store cannot be worked with or nobody waits any more. Others are one
// subject's own.
func stops(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || evidence.StoreFailed(err))
}
