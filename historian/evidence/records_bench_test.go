package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/evidence"
	"kvarts/historian/record"
	"kvarts/historian/telemetry"
)

// BenchmarkReadRecords reads a day of a plant whose people entered 1,000 records a day for 100 days.
func BenchmarkReadRecords(b *testing.B) {
	c := mustClient(b, embedded(b))
	begin := at(b, "01T00:00")
	var all []record.Record
	for i := range 100_000 {
		from := begin + telemetry.Instant(i)*telemetry.Instant(86400*time.Millisecond)
		r := record.Record{Kind: record.DowntimeReason, Unit: fmt.Sprint("u", i%200), From: from, To: from.Add(20 * time.Minute), Reach: from.Add(20 * time.Minute),
			Reason: "wire break", Revision: 1, Audit: entered(b, "03T08:00")}
		r.ID = r.DefaultID()
		all = append(all, r)
	}
	mustWriteRecords(b, c, all...)
	day := calendar.Interval{From: begin.Add(90 * 24 * time.Hour), To: begin.Add(91 * 24 * time.Hour)}
	b.Run("day", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			records, err := evidence.ReadRecords(b.Context(), c, day, forever)
			if err != nil || len(records) < 1000 {
				b.Fatal(len(records), err)
			}
		}
	})
	b.Run("day of a unit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			records, err := evidence.ReadEffective(b.Context(), c, forever, evidence.RecordFilter{Window: day, Unit: "u7", Line: "L1", Area: "wafer"})
			if err != nil || len(records) < 5 {
				b.Fatal(len(records), err)
			}
		}
	})
	b.Run("revisions of an id", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := revisionsOf(b, c, all[5].ID); len(got) != 1 {
				b.Fatal(len(got))
			}
		}
	})
}
