package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"kvarts/historian/telemetry"
)

// Target says where the values of a node belong: what the collector's configuration says too.
type Target struct {
	Series *telemetry.Series
	Field  string
	Type   telemetry.Type
}

// ReadLog reads the sample log of a simulated machine (deploy/simplant/uaserver.LogEntry). Nodes without a target are
// left out, and so is what the server was told to keep to itself: values that did not change, that lay within a deadband,
// or that a newer one replaced within one sampling interval.
func ReadLog(r io.Reader, server string, targets map[string]Target) ([]Sample, error) {
	var out []Sample
	type key struct {
		node  string
		ticks int64
	}
	kept := map[key]int{} // last sample of a node at a time → its index in out
	unsent := map[int]bool{}
	dec := json.NewDecoder(r)
	dec.UseNumber()
	for line := 1; ; line++ {
		var e struct {
			Kind   string `json:"kind"`
			Cause  string `json:"cause"`
			Node   string `json:"node"`
			Ticks  int64  `json:"ticks"`
			Status uint32 `json:"status"`
			Value  any    `json:"value"`
		}
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			reported := out[:0]
			for i, s := range out {
				if !unsent[i] {
					reported = append(reported, s)
				}
			}
			return reported, nil
		} else if err != nil {
			return nil, fmt.Errorf("read sample log of %s, entry %d: %w", server, line, err)
		}
		t, ok := targets[e.Node]
		if !ok {
			continue
		}
		if e.Kind == "filtered" {
			if i, ok := kept[key{e.Node, e.Ticks}]; ok && (e.Cause == "sampling" || e.Cause == "unchanged" || e.Cause == "deadband") {
				unsent[i] = true
			}
			continue
		}
		kept[key{e.Node, e.Ticks}] = len(out)
		v, err := valueOf(e.Value, t.Type)
		if err != nil {
			return nil, fmt.Errorf("read sample log of %s, entry %d, node %s: %w", server, line, e.Node, err)
		}
		out = append(out, Sample{Server: server, Series: t.Series, Field: t.Field, Tick: telemetry.Tick(e.Ticks - epochTicks), Value: v, Status: telemetry.Status(e.Status)})
	}
}

// epochTicks is 1970-01-01 in ticks since 1601-01-01.
const epochTicks = 116444736000000000

func valueOf(v any, typ telemetry.Type) (telemetry.Value, error) {
	switch x := v.(type) {
	case nil:
		return telemetry.Value{}, nil
	case bool:
		if x {
			return telemetry.IntValue(1), nil
		}
		return telemetry.IntValue(0), nil
	case string:
		if typ == telemetry.Float {
			if f, err := strconv.ParseFloat(x, 64); err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
				return telemetry.Value{}, nil
			}
		}
		return telemetry.StringValue(x), nil
	case json.Number:
		if typ == telemetry.Int {
			n, err := x.Int64()
			return telemetry.IntValue(n), err
		}
		f, err := x.Float64()
		return telemetry.FloatValue(f), err
	default:
		return telemetry.Value{}, fmt.Errorf("value %v has no rule", v)
	}
}
