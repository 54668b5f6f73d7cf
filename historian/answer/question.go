package answer

import (
	"errors"
	"fmt"
	"strings"

	"kvarts/historian/calendar"
	"kvarts/historian/kpi"
	"kvarts/historian/telemetry"
)

// Kind says what is asked.
type Kind uint8

// The kinds of questions.
const (
	OEE    Kind = iota // effectiveness and its factors
	Energy             // energy, per good piece and per watt, by stage
	Losses             // where planned time went: the six losses
	States             // time by category and by reason
)

var kindNames = []string{OEE: "oee", Energy: "energy", Losses: "losses", States: "states"}

func (k Kind) String() string { return nameOf(kindNames, int(k)) }

// MarshalText gives String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String gives.
func (k *Kind) UnmarshalText(text []byte) error { return readName(k, kindNames, "kind", string(text)) }

// Level says what kind of thing a target or a row is.
type Level uint8

// The levels. All but Line are sums of their units' facts; a line is its bottleneck's ideal against what leaves it.
const (
	Unit  Level = iota
	Units       // the sum of the units named
	Line
	Area
	Stage
	Plant
	Chain // the plant, stage by stage
)

var levelNames = []string{Unit: "unit", Units: "units", Line: "line", Area: "area", Stage: "stage", Plant: "plant", Chain: "chain"}

func (l Level) String() string { return nameOf(levelNames, int(l)) }

// MarshalText gives String.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what String gives.
func (l *Level) UnmarshalText(text []byte) error {
	return readName(l, levelNames, "level", string(text))
}

// Target is what a question is about.
type Target struct {
	Level Level
	// IDs name it: one for a unit, a line, an area and a stage, at least one for units, none for the plant and the chain.
	IDs []string
}

func (t Target) String() string {
	return strings.TrimSpace(t.Level.String() + " " + strings.Join(t.IDs, ", "))
}

// Question is what Engine.Ask answers.
type Question struct {
	Kind   Kind
	Target Target
	// Window is cut at the moment of asking, and at Asof.
	Window calendar.Interval
	By     By
	// Each asks for rows of the target's parts too: each unit, each line, each area, each stage.
	Each []Level
	// Calendar names the calendar of the model whose shifts and days divide the window; "" is the one that the target's
	// units follow, or the model's first when they follow several.
	Calendar string
	Standard kpi.Standard
	// Asof asks what was known then; 0 is now. One in the future is now.
	Asof telemetry.Instant
	// Raw computes everything from raw data. The numbers are the same.
	Raw bool
	// Explain adds what the numbers come from: Answer.Evidence.
	Explain bool
	// Progress, when set, hears how many of the units and lines are done, from one goroutine at a time.
	Progress func(done, total int)
}

// ErrQuestion is in the chain of every error that asking otherwise would avoid.
var ErrQuestion = errors.New("question cannot be answered")

func asking(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrQuestion}, args...)...)
}

// check finds what is wrong with q without knowing the plant.
func (q *Question) check() error {
	n := len(q.Target.IDs)
	switch q.Target.Level {
	case Unit, Line, Area, Stage:
		if n != 1 {
			return asking("a %s is asked for by one name, not %d: name it, or ask for units", q.Target.Level, n)
		}
	case Units:
		if n == 0 {
			return asking("no unit is named: name at least one, or ask for the plant")
		}
	case Plant, Chain:
		if n != 0 {
			return asking("the %s has no name: leave out %q", q.Target.Level, q.Target.IDs)
		}
	default:
		return asking("level %s is none", q.Target.Level)
	}
	for _, l := range q.Each {
		if l != Unit && l != Line && l != Area && l != Stage {
			return asking("rows for each %s: use unit, line, area or stage", l)
		}
	}
	if int(q.Kind) >= len(kindNames) || int(q.By) >= len(byNames) {
		return asking("kind %s by %s is none", q.Kind, q.By)
	}
	if q.Window.To < q.Window.From {
		return asking("the window ends at %s, before it begins at %s: put the times in order", q.Window.To, q.Window.From)
	}
	return nil
}
