package evidence_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/plant"
)

func TestModelsOf(t *testing.T) {
	first, second := mustParse(t, model(t)), mustParse(t, model(t, "ideal", "1.5"))
	h := plant.NewHistory(plant.Version{Model: first, Effective: at(t, "01T00:00"), Known: at(t, "01T00:00"), Hash: first.Hash},
		plant.Version{Model: second, Effective: at(t, "03T00:00"), Known: at(t, "04T00:00"), Hash: second.Hash})
	for _, k := range []struct {
		v    calendar.Interval
		asof string
		want string
	}{
		{between(t, "02T00:00", "02T12:00"), "05T00:00", first.Hash},
		{between(t, "02T00:00", "03T12:00"), "05T00:00", first.Hash + " " + second.Hash},
		{between(t, "02T00:00", "03T12:00"), "03T00:00", first.Hash},
		{calendar.Interval{From: at(t, "01T00:00").Add(-time.Hour), To: at(t, "01T00:00")}, "05T00:00", ""},
	} {
		if got := evidence.ModelsOf(h, k.v, at(t, k.asof)); got != k.want {
			t.Errorf("%s as of %s: %q, want %q", k.v, k.asof, got, k.want)
		}
	}
}

// The mark changes when a model is applied, also one that has the same length and date, and not otherwise.
func TestModelsMark(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		now := at(t, "05T00:00")
		read := func() evidence.ModelsMark {
			m, err := evidence.ReadModelsMark(within(t, 10*time.Second), c, now)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		seen := map[evidence.ModelsMark]bool{read(): true}
		for _, ideal := range []string{"1.5", "1.4"} {
			if err := evidence.ApplyModel(within(t, 10*time.Second), c, []byte(model(t, "ideal", ideal)), at(t, "02T00:00"), at(t, "03T00:00"), "test", ideal); err != nil {
				t.Fatal(err)
			}
			m := read()
			if seen[m] || m != read() {
				t.Errorf("mark %+v after a model was applied", m)
			}
			seen[m] = true
		}
	})
}

func TestStoreFailed(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("one unit's data"):                                         false,
		&influx.Error{Kind: influx.KindRefused}:                               false,
		fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindNetwork}):     true,
		fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindNotFound}):    true,
		fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindSyntax}):      false,
		fmt.Errorf("gather: %w", &influx.Error{Kind: influx.KindUnavailable}): true,
	} {
		if got := evidence.StoreFailed(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
