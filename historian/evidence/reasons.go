package evidence

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kvarts/historian/exact"
	"kvarts/historian/ledger"
	"kvarts/historian/plant"
	"kvarts/historian/telemetry"
)

// reasonRow is one reason as it is stored.
type reasonRow struct {
	Category plant.Category `json:"category"`
	Reason   string         `json:"reason"`
	Minor    bool           `json:"minor,omitempty"`
	Time     int64          `json:"ns"`
	Count    int64          `json:"count"`
}

var errReasons = errors.New("reasons are damaged")

// packReasons encodes reasons as JSON: they are read seldom, and by people.
func packReasons(reasons map[ledger.Reason]ledger.ReasonSum) (string, error) {
	rows := make([]reasonRow, 0, len(reasons))
	for k, v := range reasons {
		name := "reason " + k.Reason
		t, err := whole("time of "+name, v.Time)
		if err != nil {
			return "", err
		}
		n, err := whole("count of "+name, v.Count)
		if err != nil {
			return "", err
		}
		rows = append(rows, reasonRow{Category: nameOf(k.Category), Reason: k.Reason, Minor: k.Minor, Time: t, Count: n})
	}
	slices.SortFunc(rows, func(a, b reasonRow) int {
		c := cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Reason, b.Reason))
		if c == 0 && a.Minor {
			return 1
		}
		return c
	})
	b, err := json.Marshal(rows)
	if err != nil {
		return "", fmt.Errorf("encode reasons: %w", err)
	}
	if len(b) > telemetry.MaxStringBytes {
		return "", fmt.Errorf("its %d reasons need %d bytes: more than %d", len(rows), len(b), telemetry.MaxStringBytes)
	}
	return string(b), nil
}

// unpackReasons is the inverse of packReasons.
func unpackReasons(text string) (map[ledger.Reason]ledger.ReasonSum, error) {
	var rows []reasonRow
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		return nil, fmt.Errorf("%w: %w", errReasons, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: something follows them", errReasons)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	out := make(map[ledger.Reason]ledger.ReasonSum, len(rows))
	for _, r := range rows {
		c, ok := categoryOf(r.Category)
		if !ok {
			return nil, fmt.Errorf("%w: %q is no category", errReasons, r.Category)
		}
		k := ledger.Reason{Category: c, Reason: r.Reason, Minor: r.Minor}
		if _, twice := out[k]; twice {
			return nil, fmt.Errorf("%w: %s %q stands there twice", errReasons, r.Category, r.Reason)
		}
		out[k] = ledger.ReasonSum{Time: exact.Int(r.Time), Count: exact.Int(r.Count)}
	}
	return out, nil
}

// categories are the names of the ledger's categories.
func categories() [8]plant.Category {
	return [8]plant.Category{
		ledger.Unknown: plant.Unknown, ledger.Run: plant.Run, ledger.Setup: plant.Setup, ledger.Stop: plant.Stop,
		ledger.Idle: plant.Idle, ledger.Planned: plant.Planned, ledger.Engineering: plant.Engineering, ledger.Nonscheduled: plant.Nonscheduled,
	}
}

// nameOf is the plant model's name of a category.
func nameOf(c ledger.Category) plant.Category {
	names := categories()
	if int(c) >= len(names) {
		return plant.Unknown
	}
	return names[c]
}

// categoryOf is the inverse of nameOf.
func categoryOf(name plant.Category) (ledger.Category, bool) {
	for i, n := range categories() {
		if n == name {
			return ledger.Category(i), true
		}
	}
	return ledger.Unknown, false
}
