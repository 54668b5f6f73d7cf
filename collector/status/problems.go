package status

import (
	"fmt"
	"time"

	"kvarts/collector/forward"
)

// Thresholds above which the page calls something a problem.
const (
	certificateSoon = 30 * 24 * time.Hour
	// diskLow is the share of the buffer's limit that must still fit on the disk.
	diskLow   = 0.1
	oldBuffer = 15 * time.Minute // of the oldest value that a destination does not have
	clockOff  = time.Minute      // between a server and us
)

// problems lists what a technician should look at, the worst first.
func problems(v *View) []string {
	out := unready(v)
	if v.Buffer.Trouble != "" {
		out = append(out, "buffer: "+v.Buffer.Trouble)
	}
	out = append(out, v.Troubles...)
	for _, d := range v.Destinations {
		if d.Condition == forward.Held && d.Failure != nil {
			out = append(out, fmt.Sprintf("destination %s: %s — %s", d.Name, d.Failure.Message, d.Failure.Remedy))
		} else if waits := age(v.Now, d.Oldest); d.Oldest != 0 && waits > oldBuffer {
			out = append(out, fmt.Sprintf("destination %s is %s behind", d.Name, human(waits)))
		}
	}
	for _, s := range v.Servers {
		if s.ItemsBad > 0 {
			out = append(out, fmt.Sprintf("server %s refuses %d of %d tags", s.Server, s.ItemsBad, s.ItemsBad+s.ItemsOK))
		}
		if !s.ServerCertUntil.IsZero() && s.ServerCertUntil.Sub(v.Now) < certificateSoon {
			out = append(out, fmt.Sprintf("the certificate of server %s %s", s.Server, ends(v.Now, s.ServerCertUntil)))
		}
		if s.ClockRTT > 0 && s.ClockOffset.Abs() > clockOff {
			out = append(out, fmt.Sprintf("the clock of server %s is %s", s.Server, offset(s.ClockOffset)))
		}
	}
	if b := &v.Buffer; b.MaxBytes > 0 && b.FreeBytes >= 0 && float64(b.FreeBytes) < diskLow*float64(b.MaxBytes) && b.Bytes+b.FreeBytes < b.MaxBytes {
		out = append(out, fmt.Sprintf("the disk has %s left, the buffer may grow to %s", size(b.FreeBytes), size(b.MaxBytes)))
	}
	if !v.CertificateUntil.IsZero() && v.CertificateUntil.Sub(v.Now) < certificateSoon {
		out = append(out, fmt.Sprintf("our own certificate %s: collector pki init --renew", ends(v.Now, v.CertificateUntil)))
	}
	if v.Quarantine.Entries > 0 {
		out = append(out, fmt.Sprintf("%d entries in quarantine: collector buffer quarantine list", v.Quarantine.Entries))
	}
	return out
}

func ends(now, at time.Time) string {
	if at.Before(now) {
		return "ended on " + at.Format(time.DateOnly)
	}
	return "ends on " + at.Format(time.DateOnly)
}
