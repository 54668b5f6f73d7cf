package evidence_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kvarts/historian/evidence"
	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// bigModel is a model whose text does not fit one part when it is compressed: comments of random letters, quotes, unicode.
func bigModel(t testing.TB) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString(model(t))
	for b.Len() < 150_000 {
		fmt.Fprintf(&b, "# \"'\\ Кремний 🙂 %x %x\n", rng.Uint64(), rng.Uint64())
	}
	return b.String()
}

func TestModelsComeBack(t *testing.T) {
	eachStore(t, func(t *testing.T, c *influx.Client) {
		ctx := within(t, 30*time.Second)
		none, err := evidence.ReadModels(ctx, c, at(t, "20:00"))
		if err != nil || len(none) != 0 {
			t.Fatalf("models of an empty store: %v, %v", none, err)
		}
		first, big := model(t), bigModel(t)
		for _, k := range []struct {
			text             string
			effective, known telemetry.Instant
			why              string
		}{
			{first, at(t, "01T00:00"), at(t, "08:00"), ""},
			{big, at(t, "09:00"), at(t, "09:00"), "new \"saw\"\nsecond line"},
			{big, at(t, "09:00"), at(t, "09:00"), "new \"saw\"\nsecond line"}, // the same again is the same
			{first, at(t, "10:00"), at(t, "10:00"), "back to the old one"},
		} {
			if err := evidence.ApplyModel(ctx, c, []byte(k.text), k.effective, k.known, "Аня", k.why); err != nil {
				t.Fatal(err)
			}
		}
		h, err := evidence.ReadModels(ctx, c, at(t, "20:00"))
		if err != nil {
			t.Fatal(err)
		}
		if len(h) != 3 || string(h[1].Model.Text) != big || h[1].Why != "new \"saw\"\nsecond line" || h[1].By != "Аня" || h[0].Why != "" || h[2].Effective != at(t, "10:00") {
			t.Errorf("%d versions: %+v", len(h), h)
		}
		if h, err = evidence.ReadModels(ctx, c, at(t, "08:30")); err != nil || len(h) != 1 {
			t.Errorf("as known at 08:30: %d versions, %v", len(h), err)
		}
	})
}

func TestModelThatIsNone(t *testing.T) {
	c := mustClient(t, embedded(t))
	if err := evidence.ApplyModel(within(t, 10*time.Second), c, []byte("plant: x\n"), 1, 2, "a", "b"); err == nil {
		t.Error("a text that is no model was applied")
	}
	if err := evidence.ApplyModel(within(t, 10*time.Second), c, []byte(model(t)), 1, 2, "", "b"); err == nil {
		t.Error("a model was applied by nobody")
	}
}

// Whatever is changed in a stored version, it is an error that names it, and never another model.
func TestDamagedModelIsAnError(t *testing.T) {
	for _, k := range []struct {
		name   string
		damage func(t *testing.T, c *influx.Client, version string)
	}{
		{"a part is gone", func(t *testing.T, c *influx.Client, version string) {
			mustAsk(t, c, "DELETE FROM plant_model WHERE version = '"+version+"' AND time = "+ns(at(t, "08:00")+1))
		}},
		{"all but the last part is gone", func(t *testing.T, c *influx.Client, version string) {
			mustAsk(t, c, "DELETE FROM plant_model WHERE version = '"+version+"' AND time = "+ns(at(t, "08:00")))
		}},
		{"a part is another text", func(t *testing.T, c *influx.Client, version string) {
			mustWrite(t, c, "plant_model,version="+version+" text=\"AAAA\" "+ns(at(t, "08:00")))
		}},
		{"the hash is another", func(t *testing.T, c *influx.Client, version string) {
			mustWrite(t, c, "plant_model,version="+version+" hash=\"00\" "+ns(at(t, "08:00")))
		}},
		{"the date is another in all parts", func(t *testing.T, c *influx.Client, version string) {
			for i := range 4 {
				mustWrite(t, c, "plant_model,version="+version+" effective=5i "+ns(at(t, "08:00")+telemetry.Instant(i)))
			}
		}},
		{"a part too many", func(t *testing.T, c *influx.Client, version string) {
			mustWrite(t, c, "plant_model,version="+version+" text=\"x\",part=9i "+ns(at(t, "08:00")+9))
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := mustClient(t, embedded(t))
			ctx := within(t, 20*time.Second)
			if err := evidence.ApplyModel(ctx, c, []byte(bigModel(t)), at(t, "07:00"), at(t, "08:00"), "a", "b"); err != nil {
				t.Fatal(err)
			}
			version := ""
			if err := c.Query(ctx, influx.Query{Text: "SELECT last(part) FROM plant_model GROUP BY version"}, func(r influx.Row) error {
				version = r.Tag("version")
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			k.damage(t, c, version)
			h, err := evidence.ReadModels(ctx, c, at(t, "20:00"))
			var e *evidence.ModelError
			if !errors.As(err, &e) || e.Version != version || h != nil {
				t.Errorf("%v, %v", h, err)
			}
		})
	}
}

func mustAsk(t testing.TB, c *influx.Client, text string) {
	t.Helper()
	if err := c.Query(within(t, 10*time.Second), influx.Query{Text: text}, func(influx.Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
}
