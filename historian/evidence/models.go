package evidence

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"kvarts/historian/influx"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// modelMeasurement holds the plant models that were applied.
const modelMeasurement = "plant_model"

// Limits of a stored model.
const (
	modelPart     = 32 << 10 // characters of one part: half of the longest string that every store keeps
	maxModelParts = 1000     // the time of a part is that of its version plus its number in ns
	maxModelBytes = 16 << 20 // of the text: as plant.Load takes
)

// ApplyModel stores a model's text: from effective on it describes the plant, as was known from known on; by and why are for
// the audit. The text must be a model that plant.Parse takes. Nothing is overwritten: every other text, date or person makes
// another version, and the same again is the same version.
func ApplyModel(ctx context.Context, client *influx.Client, text []byte, effective, known telemetry.Instant, by, why string) error {
	if _, err := plant.Parse("model", text); err != nil {
		return fmt.Errorf("apply model: %w", err)
	}
	v := storedModel{known: known, effective: effective, by: by, why: why, hash: hashOf(text)}
	lines, n, err := v.lines(text)
	if err != nil {
		return fmt.Errorf("apply model %s: %w", v.hash, err)
	}
	w := writer{client: client, lines: lines, n: n} // one request: the parts are stored together or not at all
	if err := w.flush(ctx); err != nil {
		return fmt.Errorf("apply model %s: %w", v.hash, err)
	}
	return nil
}

// hashOf is the hash that a model is known by: plant.Model.Hash.
func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// storedModel is one version as it stands in the store.
type storedModel struct {
	version          string // the tag that keeps versions apart
	hash             string // of the text
	effective, known telemetry.Instant
	by, why          string
	parts            []string // base64 of gzip, in order; "" one that is missing
	err              error    // what does not fit
}

// identity is the tag of the version.
func (v *storedModel) identity() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%q\n%q", v.hash, v.effective, v.known, v.by, v.why))
	return hex.EncodeToString(sum[:8])
}

// lines are the points of the version.
func (v *storedModel) lines(text []byte) (lines []byte, n int, err error) {
	packed, err := deflate(text)
	if err != nil {
		return nil, 0, err
	}
	parts := (len(packed) + modelPart - 1) / modelPart
	switch {
	case parts > maxModelParts:
		return nil, 0, fmt.Errorf("it needs %d parts: more than %d", parts, maxModelParts)
	case v.by == "":
		return nil, 0, errors.New("nobody is named who applies it")
	case len(v.by) > telemetry.MaxStringBytes || len(v.why) > telemetry.MaxStringBytes:
		return nil, 0, fmt.Errorf("the reason or name is longer than %d bytes", telemetry.MaxStringBytes)
	}
	series, err := telemetry.NewSeries(modelMeasurement, map[string]string{"version": v.identity()})
	if err != nil {
		return nil, 0, err
	}
	for i := range parts {
		part := packed[i*modelPart : min(len(packed), (i+1)*modelPart)]
		lines = telemetry.NewLine(lines, series).Text("text", part).Int("part", int64(i)).Int("parts", int64(parts)).
			Text("hash", v.hash).Int("effective", int64(v.effective)).Int("known", int64(v.known)).
			Text("by", v.by).Text("why", v.why).End(v.known + telemetry.Instant(i))
	}
	return lines, parts, nil
}

// deflate is the text as stored: gzip, base64.
func deflate(text []byte) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return "", fmt.Errorf("compress: %w", err)
	}
	if err := z.Close(); err != nil {
		return "", fmt.Errorf("compress: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// inflate is the inverse of deflate. A text that is longer than a model can be is an error before it is in memory.
func inflate(packed string) ([]byte, error) {
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader([]byte(packed))))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxModelBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("decompress: %w", err)
	case len(text) > maxModelBytes:
		return nil, fmt.Errorf("its text is longer than %d bytes", maxModelBytes)
	}
	return text, z.Close()
}

// ModelError names a stored model that is not what was applied.
type ModelError struct {
	Version string // value of the tag `version`
	Known   telemetry.Instant
	Err     error
}

func (e *ModelError) Error() string {
	return fmt.Sprintf("stored plant model %s, applied at %s: %v (apply the model again, or remove the version with InfluxQL: DELETE FROM %s WHERE version = '%s')",
		e.Version, e.Known, e.Err, modelMeasurement, e.Version)
}

func (e *ModelError) Unwrap() error { return e.Err }

// ReadModels reads all versions known at asof. One that is damaged, incomplete or no model is a *ModelError, and no history
// comes then: a number by the wrong model would look like any other.
func ReadModels(ctx context.Context, client *influx.Client, asof telemetry.Instant) (plant.History, error) {
	q := influx.Query{
		// Parts lie less than maxModelParts ns after the version's time.
		Text:      `SELECT "text", part, parts, hash, effective, known, "by", why FROM ` + modelMeasurement + ` WHERE time < $until GROUP BY version`,
		Params:    map[string]any{"until": asof + maxModelParts},
		ChunkRows: 100, // rows of 32 KiB
	}
	var all []*storedModel
	err := client.Query(ctx, q, func(r influx.Row) error {
		version := r.Tag("version")
		if n := len(all); n == 0 || all[n-1].version != version {
			all = append(all, &storedModel{version: version})
		}
		all[len(all)-1].add(&r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read plant models: %w", err)
	}
	var versions []plant.Version
	for _, v := range all {
		if v.err == nil && v.known > asof {
			continue
		}
		m, err := v.model()
		if err != nil {
			return nil, &ModelError{Version: v.version, Known: v.known, Err: err}
		}
		versions = append(versions, plant.Version{Model: m, Effective: v.effective, Known: v.known, By: v.by, Why: v.why, Hash: v.hash})
	}
	return plant.NewHistory(versions...), nil
}

var errModelParts = errors.New("its parts do not fit together")

// add takes one part.
func (v *storedModel) add(r *influx.Row) {
	at, _ := r.Time()
	part := storedModel{version: v.version}
	packed, ok0 := r.Values[1].Text()
	i, ok1 := r.Values[2].Int()
	n, ok2 := r.Values[3].Int()
	hash, ok3 := r.Values[4].Text()
	effective, ok4 := r.Values[5].Int()
	known, ok5 := r.Values[6].Int()
	part.by, _ = r.Values[7].Text()
	part.why, _ = r.Values[8].Text()
	part.hash, part.effective, part.known = hash, telemetry.Instant(effective), telemetry.Instant(known)
	switch {
	case !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || n < 1 || n > maxModelParts || i < 0 || i >= n || at != part.known+telemetry.Instant(i):
		v.err = errModelParts
		if v.known == 0 {
			v.known = at
		}
		return
	case v.parts == nil:
		part.parts, part.err = make([]string, n), v.err
		*v = part
	case int64(len(v.parts)) != n || v.hash != part.hash || v.effective != part.effective || v.known != part.known || v.by != part.by || v.why != part.why:
		v.err = errModelParts
		return
	}
	v.parts[i] = packed
}

// model puts the parts together and checks them.
func (v *storedModel) model() (*plant.Model, error) {
	if v.err != nil {
		return nil, v.err
	}
	var packed []byte
	for i, p := range v.parts {
		if p == "" {
			return nil, fmt.Errorf("part %d of %d is missing", i+1, len(v.parts))
		}
		packed = append(packed, p...)
	}
	text, err := inflate(string(packed))
	switch {
	case err != nil:
		return nil, err
	case hashOf(text) != v.hash:
		return nil, errors.New("its text does not have its hash")
	case v.identity() != v.version:
		return nil, errors.New("its dates or audit are not those that it was applied with")
	}
	m, err := plant.Parse("plant_model "+v.version, text)
	if err != nil {
		return nil, fmt.Errorf("this program does not take it: %w", err)
	}
	return m, nil
}
