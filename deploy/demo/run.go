package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"kvarts/configs/plants"
	"kvarts/historian/answer"
	"kvarts/historian/influx"
	"kvarts/historian/keeper"
	"kvarts/historian/plant"
	"kvarts/historian/store"
	"kvarts/historian/telemetry"
)

// demo is everything that runs.
type demo struct {
	options
	out      io.Writer
	terminal bool
	screen   *screen // out, where it is a terminal
	log      zerolog.Logger
	model    *plant.Model
	work     string // folder of this run alone, in dir: buffer, configuration, logs of the machines
	store    *storeProcess
	client   *influx.Client
	folder   *os.File // its lock
	past     *past
	live     *live
	chaos    *chaos
	look     *looker
	pic      atomic.Pointer[picture]
}

// run is the demo from the first start to the settled books.
func run(ctx context.Context, o options, out io.Writer, terminal bool) (res *result, err error) {
	d := &demo{options: o, out: out, terminal: terminal, screen: &screen{out: out}}
	log := out
	if terminal {
		log = d.screen
	}
	d.log = zerolog.New(zerolog.ConsoleWriter{Out: log, TimeFormat: time.TimeOnly, NoColor: !d.coloured()}).Level(zerolog.ErrorLevel).With().Timestamp().Logger()
	defer func() { err = errors.Join(err, d.close()) }()
	for _, step := range []func(context.Context) error{d.open, d.remember, d.collect} {
		switch err := step(ctx); {
		case err != nil && ctx.Err() != nil: // what it broke off is of no interest
			if terminal {
				fmt.Fprintln(out) // below the bar
			}
			return nil, errEarly
		case err != nil:
			return nil, err
		}
	}
	if err := d.present(ctx); err != nil {
		return nil, err
	}
	return d.settle(context.WithoutCancel(ctx))
}

// errEarly says that the person went before there was anything to see.
var errEarly = errors.New("stopped before the machines ran; the next start goes on")

// open finds the plant's folder and starts the store in it.
func (d *demo) open(ctx context.Context) (err error) {
	if d.model, err = plant.Parse("demo.yaml", plants.Demo); err != nil {
		return fmt.Errorf("read the demo's plant model: %w", err)
	}
	if d.dir == "" {
		if d.dir, err = keptDir(); err != nil {
			return err
		}
	}
	if d.dir, err = filepath.Abs(d.dir); err != nil { // what is in the collector's configuration is relative to its file
		return fmt.Errorf("find the plant's folder: %w", err)
	}
	if d.folder, err = takeFolder(d.dir); err != nil {
		return err
	}
	d.work = filepath.Join(d.dir, workDir)
	if err := os.RemoveAll(d.work); err != nil { // of a run that was killed
		return fmt.Errorf("make room for this run: %w", err)
	}
	if err := os.Mkdir(d.work, 0o700); err != nil {
		return fmt.Errorf("make a folder for this run: %w", err)
	}
	if d.fresh {
		if err := forget(d.dir); err != nil {
			return err
		}
	}
	if d.status, err = orFree(d.status); err != nil {
		return err
	}
	if d.options.store, err = orFree(d.options.store); err != nil {
		return err
	}
	if d.past, err = recall(d.dir, d.model, d.seed, telemetry.Now()); err != nil {
		return err
	}
	if d.past.fresh { // a store of another plant, or none
		if err := forget(d.dir); err != nil {
			return err
		}
	}
	if d.store, err = startStore(ctx, d.dir, d.options.store); err != nil {
		return err
	}
	if d.client, err = influx.New(influx.Options{URL: d.store.url, Database: store.DefaultDatabase}); err != nil {
		return err
	}
	d.past.store = d.client
	d.look = &looker{engine: answer.New(d.client, telemetry.Now), client: d.client, model: d.model}
	return nil
}

// workDir is the folder of one run, in the plant's.
const workDir = "run"

// keptDir is where the plant is kept.
func keptDir() (string, error) {
	if dir := os.Getenv("KVARTS_CACHE"); dir != "" {
		return filepath.Join(dir, "demo"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find your cache folder (--dir names another one): %w", err)
	}
	return filepath.Join(dir, "kvarts", "demo"), nil
}

// remember brings the record up to the present and starts to collect.
func (d *demo) remember(ctx context.Context) (err error) {
	if err := d.past.fill(ctx, d.out, d.terminal); err != nil {
		return err
	}
	if err := d.past.enter(ctx, d.model); err != nil {
		return err
	}
	if err := d.past.keep(d.dir); err != nil { // what comes is lived through again if this run is killed
		return err
	}
	d.live, err = goLive(d)
	return err
}

const (
	paintEvery  = time.Second
	plainEvery  = 10 * time.Second // without a terminal
	lookEvery   = 5 * time.Second
	weekEvery   = time.Minute
	ledgerEvery = time.Minute
	bookEvery   = 20 * time.Second
)

// collect starts the collector. It and the store outlive ctx and the machines: until the books are settled.
func (d *demo) collect(ctx context.Context) error {
	path, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, path := errgroup.WithContext(path)
	var once sync.Once
	d.live.stop = func() (err error) {
		once.Do(func() { stop(); err = group.Wait() })
		return err
	}
	d.live.over = path.Done()
	return d.live.collect(ctx, path, group)
}

// present runs until ctx ends, or for the length that was asked for: the machines, the ledger, the picture.
func (d *demo) present(ctx context.Context) error {
	if d.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.length)
		defer cancel()
	}
	d.next()
	machines, ctx := errgroup.WithContext(ctx)
	machines.Go(func() error { return d.live.plant.Run(ctx, nil) })
	machines.Go(func() error { d.keepLedger(ctx); return nil })
	machines.Go(func() error { d.keepLooking(ctx); return nil })
	machines.Go(func() error { d.keepBook(ctx); return nil })
	machines.Go(func() error { d.show(ctx); return nil })
	machines.Go(func() error {
		return d.store.keep(ctx, func(how string) { d.log.Error().Str("how", how).Msg("the store ended by itself; it is started again") })
	})
	if d.options.chaos {
		d.chaos = newChaos(d.live.plant.Servers(), d.store, d.seed)
		machines.Go(func() error { return d.chaos.run(ctx) })
	}
	machines.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-d.live.over:
			return errors.New("the collector stopped by itself")
		}
	})
	return machines.Wait()
}

// keepLedger computes the slices of what is over, as `historian serve --ledger` does; not before there is something to see.
func (d *demo) keepLedger(ctx context.Context) {
	for pic := d.pic.Load(); pic == nil || pic.week == nil; pic = d.pic.Load() {
		if !rest(ctx, paintEvery) {
			return
		}
	}
	k := keeper.New(d.client, keeper.Options{})
	_ = k.Run(ctx, ledgerEvery, func(_ keeper.Report, err error) {
		if err != nil && ctx.Err() == nil && !d.options.chaos {
			d.log.Error().Err(err).Msg("the ledger was not brought up to date; it is tried again")
		}
	})
}

// keepBook enters what MES, laboratory and people hand over. A store that is away gets it the next time.
func (d *demo) keepBook(ctx context.Context) {
	for rest(ctx, bookEvery) {
		if err := d.past.book.enter(ctx, d.client); err != nil && ctx.Err() == nil && !d.options.chaos {
			d.log.Error().Err(err).Msg("the book was not entered; it is tried again")
		}
	}
}

// keepLooking asks for the picture again and again.
func (d *demo) keepLooking(ctx context.Context) {
	d.pic.Store(d.look.look(ctx, nil, false)) // what is quick first
	var week time.Time
	for {
		due := time.Since(week) > weekEvery
		pic := d.look.look(ctx, d.pic.Load(), due)
		if ctx.Err() != nil {
			return
		}
		if due && pic.err == nil {
			week = time.Now()
		}
		d.pic.Store(pic)
		if !rest(ctx, lookEvery) {
			return
		}
	}
}

// show paints until ctx ends.
func (d *demo) show(ctx context.Context) {
	every := paintEvery
	if !d.terminal {
		every = plainEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	p := &paint{colour: d.coloured()}
	before := d.live.agent.View()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v, now := d.live.agent.View(), time.Now().In(d.model.Location)
		if d.terminal {
			width, height := d.screen.size()
			d.screen.draw(p.screen(now, d.pic.Load(), &v, &before, d.chaos.word(), height-1), width, height-1)
		} else {
			fmt.Fprintln(d.out, p.line(now, d.pic.Load(), &v, &before))
		}
		before = v
	}
}

// coloured says that there may be colours (https://no-color.org).
func (d *demo) coloured() bool { return d.terminal && os.Getenv("NO_COLOR") == "" }

func (d *demo) close() error {
	var errs []error
	if d.live != nil {
		errs = append(errs, d.live.close())
	} else if d.past != nil {
		d.past.world.Close()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.store != nil {
		errs = append(errs, d.store.close())
	}
	if d.work != "" {
		errs = append(errs, os.RemoveAll(d.work))
	}
	if d.folder != nil {
		errs = append(errs, d.folder.Close())
	}
	return errors.Join(errs...)
}
