package status

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"kvarts/collector/uasession"
	"kvarts/historian/telemetry"
)

//go:embed page.html
var pageText string

// page is parsed anew for each request: a technician opens it a few times a day.
func page() (*template.Template, error) {
	return template.New("page").Funcs(template.FuncMap{
		"size":    size,
		"count":   count,
		"join":    strings.Join,
		"state":   stateWord,
		"offset":  offset,
		"clock":   func(t time.Time) string { return t.Local().Format("15:04:05 MST") },
		"instant": func(i telemetry.Instant) string { return i.Time().Local().Format("2006-01-02 15:04:05") },
		"span":    func(from, to telemetry.Instant) string { return human(to.Sub(from)) },
		"cause":   func(c telemetry.Cause) string { return strings.ReplaceAll(string(c), "_", " ") },
	}).Parse(pageText)
}

// pageData is what the template sees.
type pageData struct {
	View
	Problems []string
	Paused   bool // does not load itself again: what a person has opened stays open
}

// Ago is the age of an instant for people; "never" for 0.
func (d *pageData) Ago(i telemetry.Instant) string {
	if i == 0 {
		return "never"
	}
	return human(age(d.Now, i)) + " ago"
}

// Since is the age of a time.
func (d *pageData) Since(t time.Time) string { return human(d.Now.Sub(t)) }

// Left is the time until t.
func (d *pageData) Left(t time.Time) string {
	if left := t.Sub(d.Now); left > 0 {
		return human(left) + " left"
	}
	return "ended " + human(d.Now.Sub(t)) + " ago"
}

// Young says that the collector has not run for a day: it does not know of older gaps.
func (d *pageData) Young() bool { return d.Now.Sub(d.Started) < 24*time.Hour }

// Shown cuts the list of gaps to what a phone can scroll.
func (d *pageData) Shown() []telemetry.Gap { return d.Gaps[:min(len(d.Gaps), shownGaps)] }

// More is how many gaps are not shown.
func (d *pageData) More() int { return len(d.Gaps) - len(d.Shown()) }

const shownGaps = 50

func servePage(w http.ResponseWriter, v View, paused bool) {
	var b bytes.Buffer
	t, err := page()
	if err == nil {
		err = t.Execute(&b, &pageData{View: v, Problems: problems(&v), Paused: paused})
	}
	if err != nil {
		http.Error(w, "the page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader is gone
}

func age(now time.Time, then telemetry.Instant) time.Duration { return now.Sub(then.Time()) }

// stateWord says a session's state to a technician.
func stateWord(s uasession.ConnState) string {
	switch s {
	case uasession.StateRunning:
		return "collecting"
	case uasession.StateWaiting:
		return "not connected"
	default:
		return string(s)
	}
}

// offset says how a clock stands to ours.
func offset(d time.Duration) string {
	if d < 0 {
		return human(-d) + " behind ours"
	}
	return human(d) + " ahead of ours"
}

// human shows a duration in its two largest units, without zeros.
func human(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + human(-d)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return two(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 48*time.Hour:
		return two(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

func two(a int, unitA string, b int, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// size shows bytes in binary units.
func size(n int64) string {
	const step = 1024
	v, unit := float64(n), 0
	for units := []string{"B", "KiB", "MiB", "GiB", "TiB"}; ; unit++ {
		if v < step || unit == len(units)-1 {
			if unit == 0 {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", v, units[unit])
		}
		v /= step
	}
}

// count shows a number in groups of three digits, with thin spaces.
func count(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}
