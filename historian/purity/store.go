package purity

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"kvarts/historian/influx"
	"kvarts/historian/telemetry"
)

// Limits of one request.
const (
	batchLines = 5000 // of a write: about 2 MB, far below the smallest limit of a server
	perQuery   = 50   // samples of one query
)

// WriteResults stores results. All are checked before the first is written.
func WriteResults(ctx context.Context, client *influx.Client, results []Result) error {
	lines := make([][]byte, len(results))
	for i := range results {
		var err error
		if lines[i], err = results[i].appendLine(nil); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	for some := range slices.Chunk(lines, batchLines) {
		if err := client.WriteLines(ctx, bytes.Join(some, nil), len(some)); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// WriteCertificate stores a certificate. Writing it again changes nothing.
func WriteCertificate(ctx context.Context, client *influx.Client, c *Certificate) error {
	line, err := c.line()
	if err == nil {
		err = client.WriteLines(ctx, line, 1)
	}
	if err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}

// PlanResults is Plan with what is stored of the rows' samples. It writes nothing.
func PlanResults(ctx context.Context, client *influx.Client, rows []Result) ([]Entry, error) {
	var samples []string
	for i := range rows {
		samples = append(samples, rows[i].Sample)
	}
	stored, err := ReadResults(ctx, client, samples...)
	if err != nil {
		return nil, err
	}
	return Plan(stored, rows), nil
}

// ReadResults reads all revisions of all results of the samples, sorted as Sort does. A stored point that is no result is an error:
// what it was to say would be missing without a word.
func ReadResults(ctx context.Context, client *influx.Client, samples ...string) ([]Result, error) {
	samples = slices.Clone(samples)
	slices.Sort(samples)
	var out []Result
	for some := range slices.Chunk(slices.Compact(samples), perQuery) {
		params := map[string]any{"kind": kindResult}
		var any []string
		for i, s := range some {
			name := fmt.Sprintf("s%d", i)
			any = append(any, "sample = $"+name)
			params[name] = s
		}
		text := `SELECT "` + strings.Join(resultFields(), `", "`) + `" FROM ` + measurement + ` WHERE kind = $kind AND (` + strings.Join(any, " OR ") + `) GROUP BY sample, lot`
		err := query(ctx, client, text, params, func(p row) error {
			r, err := resultFrom(p)
			out = append(out, r)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
	}
	Sort(out)
	return out, nil
}

// ReadSubject reads all revisions of all results that Assess needs of the subject.
func ReadSubject(ctx context.Context, client *influx.Client, s Subject) ([]Result, error) {
	if s.Sample != "" {
		return ReadResults(ctx, client, s.Sample)
	}
	samples, err := seriesOf(ctx, client, "kind = $kind AND lot = $lot", map[string]any{"kind": kindResult, "lot": s.Lot})
	if err != nil {
		return nil, fmt.Errorf("read samples of %s: %w", s, err)
	}
	return ReadResults(ctx, client, samples...) // of all lots: a revision may have moved a sample to another one
}

// ReadSamples reads the names of the samples of which something was measured in the seconds that [from, to) touches, sorted.
func ReadSamples(ctx context.Context, client *influx.Client, from, to telemetry.Instant) ([]string, error) {
	from, to = max(from, earliest), min(to, latest)
	samples, err := seriesOf(ctx, client, "kind = $kind AND time >= $from AND time < $to",
		map[string]any{"kind": kindResult, "from": from - from%second, "to": (to + second - 1) / second * second})
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	return samples, nil
}

// seriesOf reads the samples that have a point under the condition.
func seriesOf(ctx context.Context, client *influx.Client, where string, params map[string]any) ([]string, error) {
	var samples []string
	text := "SELECT element FROM " + measurement + " WHERE " + where + " GROUP BY sample, lot LIMIT 1"
	err := query(ctx, client, text, params, func(p row) error {
		samples = append(samples, p.Tag("sample"))
		return nil
	})
	slices.Sort(samples)
	return slices.Compact(samples), err
}

// ReadCertificates reads the certificates of the subject that were issued by asof, the newest first.
func ReadCertificates(ctx context.Context, client *influx.Client, s Subject, asof telemetry.Instant) ([]*Certificate, error) {
	where, params := "sample = $sample", map[string]any{"kind": kindCertificate, "sample": s.Sample}
	if s.Lot != "" {
		where, params = "lot = $lot AND sample = ''", map[string]any{"kind": kindCertificate, "lot": s.Lot}
	}
	var out []*Certificate
	text := `SELECT "` + strings.Join(certificateFields(), `", "`) + `" FROM ` + measurement + " WHERE kind = $kind AND " + where + " GROUP BY sample, lot"
	err := query(ctx, client, text, params, func(p row) error {
		c, err := certificateFrom(p)
		if err == nil && telemetry.Instant(c.IssuedAt) <= asof {
			out = append(out, c)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read certificates of %s: %w", s, err)
	}
	slices.SortFunc(out, func(a, b *Certificate) int {
		return cmp.Or(cmp.Compare(b.IssuedAt, a.IssuedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// query runs text and names the point in the error of each.
func query(ctx context.Context, client *influx.Client, text string, params map[string]any, each func(row) error) error {
	return client.Query(ctx, influx.Query{Text: text, Params: params}, func(r influx.Row) error {
		if err := each(storedRow{&r}); err != nil {
			at, _ := r.Time()
			return fmt.Errorf("point %s of %v at %d ns: %w (import it again, and remove the point with InfluxQL: DELETE FROM %s WHERE time = %d)",
				measurement, r.Tags, at, err, measurement, at)
		}
		return nil
	})
}

// storedRow is a row of a query.
type storedRow struct{ *influx.Row }

func (r storedRow) value(field string) influx.Value {
	if i := slices.Index(r.Columns, field); i >= 0 {
		return r.Values[i]
	}
	return influx.Value{}
}

func (r storedRow) Text(field string) (string, bool) { return r.value(field).Text() }
func (r storedRow) Int(field string) (int64, bool)   { return r.value(field).Int() }
