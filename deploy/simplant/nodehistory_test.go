package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kvarts/deploy/simplant/uaserver"

	"github.com/google/go-cmp/cmp"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// historyQuery is a query of testdata/historyclient.js; times in milliseconds, nil: not stated.
type historyQuery struct {
	Node    string `json:"node"`
	Start   *int64 `json:"start"`
	End     *int64 `json:"end"`
	Values  int    `json:"values"`
	Bounds  bool   `json:"bounds"`
	Release int    `json:"release"`
}

// historyAnswer is its answer: the last status, and values as [milliseconds, value, status].
type historyAnswer struct {
	Status string
	Pages  int
	Values [][3]any
}

// TestNodeOPCUAClientReadsHistory has a client that shares no code with the server read
// history: forwards, backwards, with bounds, open at one end, in pages of either's making.
func TestNodeOPCUAClientReadsHistory(t *testing.T) {
	const uri, count = "urn:test:node", 10
	modules := nodeModules(t)
	srv := uaserver.New(uaserver.Options{Namespaces: []string{uri}, History: count, Limits: uaserver.Limits{MaxHistoryValues: 4}})
	begin := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	at := func(second int) *int64 {
		ms := begin.Add(time.Duration(second) * time.Second).UnixMilli()
		return &ms
	}
	row := func(second int) [3]any {
		switch {
		case second < 0 || second >= count:
			return [3]any{float64(*at(second)), nil, "BadBoundNotFound"}
		case second == 3:
			return [3]any{float64(*at(second)), float64(second), "BadSensorFailure"}
		default:
			return [3]any{float64(*at(second)), float64(second), "Good"}
		}
	}
	rows := func(seconds ...int) (all [][3]any) {
		all = [][3]any{}
		for _, s := range seconds {
			all = append(all, row(s))
		}
		return all
	}
	v, err := srv.AddVariable(uaserver.NodeSpec{Namespace: uri, Path: "Kept", DataType: id.Double})
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		status := ua.StatusOK
		if i == 3 {
			status = ua.StatusBadSensorFailure
		}
		if err := v.Set(float64(i), status, begin.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := srv.AddVariable(uaserver.NodeSpec{Namespace: uri, Path: "Plain", History: -1, Initial: 1.0}); err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()

	year9999 := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli()
	queries := []historyQuery{
		{Node: "Kept", Start: at(0), End: at(9)},
		{Node: "Kept", Start: at(7), End: at(1), Values: 3},
		{Node: "Kept", Start: at(-1), End: at(10), Bounds: true},
		{Node: "Kept", Start: at(5), Values: 3},
		{Node: "Kept", End: at(5), Values: 5},
		{Node: "Kept", Start: at(2), End: &year9999},
		{Node: "Kept", Start: at(20), End: at(30)},
		{Node: "Kept", Start: at(0), End: at(9), Values: 2, Release: 2},
		{Node: "Plain", Start: at(0), End: at(9)},
	}
	want := []historyAnswer{
		{"Good", 3, rows(0, 1, 2, 3, 4, 5, 6, 7, 8)},
		{"Good", 2, rows(7, 6, 5, 4, 3, 2)},
		{"Good", 3, rows(-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)},
		{"Good", 1, rows(5, 6, 7)},
		{"Good", 2, rows(5, 4, 3, 2, 1)},
		{"Good", 2, rows(2, 3, 4, 5, 6, 7, 8, 9)},
		{"GoodNoData", 1, rows()},
		{"Good BadContinuationPointInvalid", 2, rows(0, 1, 2, 3)},
		{"BadHistoryOperationUnsupported", 1, rows()},
	}
	text, err := json.Marshal(queries)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "historyclient.js"), srv.Endpoint(), uri, clientPKI(t), string(text))
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []historyAnswer
	for line := range bytes.Lines(out) {
		var a historyAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Logf("node: %s", line)
			continue
		}
		got = append(got, a)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
