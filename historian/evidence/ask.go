package evidence

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"kvarts/historian/influx"
)

// ask collects InfluxQL statements and runs them as one request. Those of one unit have its name as $unit.
type ask struct {
	text   []string
	takers []func(*influx.Row) error
	done   []func()
	params map[string]any
}

func newAsk(unit string) *ask { return &ask{params: map[string]any{"unit": unit}} }

// add adds a statement. take is called for each of its rows, done, which may be nil, when all
// statements were answered in whole.
func (a *ask) add(statement string, take func(*influx.Row) error, done func()) {
	a.text = append(a.text, statement)
	a.takers = append(a.takers, take)
	a.done = append(a.done, done)
}

// run asks all, and is empty afterwards.
func (a *ask) run(ctx context.Context, client *influx.Client) error {
	if err := a.fetch(ctx, client); err != nil {
		return err
	}
	a.finish()
	return nil
}

// runAll is run for several asks at once: a server answers the statements of one request one after the other.
func runAll(ctx context.Context, client *influx.Client, asks ...*ask) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, len(asks))
	var all sync.WaitGroup
	for i, a := range asks {
		all.Go(func() {
			if errs[i] = a.fetch(ctx, client); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err // the first one: others may be its consequence
	}
	for _, a := range asks {
		a.finish()
	}
	return nil
}

// fetch runs the statements and hands their rows out.
func (a *ask) fetch(ctx context.Context, client *influx.Client) error {
	if len(a.text) == 0 {
		return nil
	}
	q := influx.Query{Text: strings.Join(a.text, "; "), Params: a.params}
	return client.Query(ctx, q, func(r influx.Row) error {
		if r.Statement >= len(a.takers) {
			return fmt.Errorf("an answer to statement %d of %d", r.Statement+1, len(a.takers))
		}
		return a.takers[r.Statement](&r)
	})
}

// finish says to all that their rows have come.
func (a *ask) finish() {
	for _, done := range a.done {
		if done != nil {
			done()
		}
	}
	a.text, a.takers, a.done = a.text[:0], a.takers[:0], a.done[:0]
}
