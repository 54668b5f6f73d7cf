package status

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"kvarts/historian/telemetry"
)

//go:embed page.html
var pageText string

// page is parsed anew for each request: a technician opens it a few times a day.
func page() (*template.Template, error) {
	return template.New("page").Funcs(template.FuncMap{
		"human":    human,
		"size":     size,
		"count":    count,
		"join":     strings.Join,
		"clock":    func(t time.Time) string { return t.Local().Format("15:04:05") },
		"date":     func(t time.Time) string { return t.Local().Format("2006-01-02 15:04") },
		"instant":  func(i telemetry.Instant) string { return i.Time().Local().Format("2006-01-02 15:04:05.000") },
		"span":     func(from, to telemetry.Instant) string { return human(to.Sub(from)) },
		"cause":    func(c telemetry.Cause) string { return strings.ReplaceAll(string(c), "_", " ") },
		"unixzero": func(i telemetry.Instant) bool { return i == 0 },
	}).Parse(pageText)
}

// pageData is what the template sees.
type pageData struct {
	View
	Problems []string
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
		return human(left)
	}
	return "ended"
}

// Shown cuts the list of gaps to what a phone can scroll.
func (d *pageData) Shown() []telemetry.Gap { return d.Gaps[:min(len(d.Gaps), shownGaps)] }

// More is how many gaps are not shown.
func (d *pageData) More() int { return len(d.Gaps) - len(d.Shown()) }

const shownGaps = 50

func servePage(w http.ResponseWriter, v View) {
	var b bytes.Buffer
	t, err := page()
	if err == nil {
		err = t.Execute(&b, &pageData{View: v, Problems: problems(&v)})
	}
	if err != nil {
		http.Error(w, "the page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader is gone
}

func age(now time.Time, then telemetry.Instant) time.Duration { return now.Sub(then.Time()) }

// human shows a duration in its two largest units.
func human(d time.Duration) string {
	if d < 0 {
		return "-" + human(-d)
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
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
