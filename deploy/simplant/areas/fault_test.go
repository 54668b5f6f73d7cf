package areas_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"kvarts/deploy/simplant/areas"

	"github.com/gopcua/opcua/ua"
	"golang.org/x/sync/errgroup"
)

// Whatever happens to servers and their networks, each sample is stored or in the ledger of losses.
func TestNothingIsLostUnaccounted(t *testing.T) {
	p, logs := serve(t, areas.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	group, gctx := errgroup.WithContext(ctx)
	c := collect(gctx, t, p, group)
	for _, text := range []string{
		"reset server=hot after=300ms",
		"cut server=cold after=500ms for=1s",
		"restart server=hot after=1s for=700ms",
		"failed unit=a1 signal=oil_c after=200ms for=400ms",
		"stuck unit=a2 after=100ms for=1s",
		"skewed server=cold skew=90s after=2s for=500ms",
	} {
		f, err := areas.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Inject(gctx, f); err != nil {
			t.Fatal(err)
		}
	}
	live := func(d time.Duration) {
		run, stop := context.WithTimeout(gctx, d)
		defer stop()
		if err := p.Run(run, nil); err != nil {
			t.Fatal(err)
		}
	}
	live(4 * time.Second)
	for _, s := range p.Servers() {
		if err := s.UA.WaitMonitored(gctx, len(s.Targets)); err != nil {
			t.Fatalf("the collector does not come back to %s: %v", s.Name, err)
		}
	}
	live(2 * time.Second)
	account := c.settle(t, p, logs)
	await(ctx, t, func() bool { account = c.settle(t, p, logs); return account.Balanced() })
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if account.Stored < 80 || account.Ledgered == 0 || account.Quarantined > 0 {
		t.Errorf("%+v", *account)
	}
	bad := 0
	for _, s := range p.Servers() {
		for _, line := range strings.Split(logs[s.Name].String(), "\n") {
			if strings.Contains(line, "a1.oil_c") && strings.Contains(line, `"status":2156658688`) { // BadSensorFailure
				bad++
			}
		}
	}
	if bad == 0 {
		t.Errorf("no sample has status %d", ua.StatusBadSensorFailure)
	}
}

func TestFaultsThatCannotBe(t *testing.T) {
	p, _ := serve(t, areas.Options{})
	for text, want := range map[string]string{
		"cut server=lukewarm for=1s":            `no server "lukewarm"`,
		"cut unit=a1 for=1s":                    "say of which server",
		"failed for=1s":                         "say of which server, or of which unit",
		"failed server=hot unit=a1 for=1s":      "say of which server, or of which unit",
		"failed unit=a9 for=1s":                 `no unit "a9"`,
		"failed unit=a1 signal=x for=1s":        `no signal "x"`,
		"failed server=hot signal=total for=1s": "say of which unit the signal is",
		"failed unit=a1":                        "say for how long",
		"cut server=hot for=-1s":                "say for how long",
		"skewed unit=a1 for=1s":                 "say by how much",
	} {
		f, err := areas.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Inject(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                         "empty",
		"melt unit=a1":             `no kind "melt"`,
		"cut server=hot for=x":     "for is a duration",
		"cut server=hot until=1h":  `no key "until"`,
		"cut server=hot for=1s 7s": `no key "7s"`,
	} {
		if _, err := areas.ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("cut server=hot for=1s after=5m")
	f.Add("skewed,unit=a1,signal=total,skew=-2s,for=1h")
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := areas.ParseFault(text)
		if err != nil {
			return
		}
		again, err := areas.ParseFault(fault.String())
		if err != nil || again != fault {
			t.Errorf("%q is read as %+v, written as %q, read as %+v (%v)", text, fault, fault, again, err)
		}
	})
}
