package uaserver

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

// fiveOClock is the hour of the examples in OPC 10000-11 §4.6.
var fiveOClock = time.Date(2026, 5, 6, 5, 0, 0, 0, time.UTC)

func minute(m int) time.Time { return fiveOClock.Add(time.Duration(m) * time.Minute) }

// historyRequest reads raw values of nodes.
func historyRequest(d *ua.ReadRawModifiedDetails, nodes ...*ua.HistoryReadValueID) *ua.HistoryReadRequest {
	for _, n := range nodes {
		if n.DataEncoding == nil {
			n.DataEncoding = &ua.QualifiedName{}
		}
	}
	return &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(d), TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: nodes}
}

// history reads one page of one node.
func (r *rig) history(v *Variable, d *ua.ReadRawModifiedDetails, point []byte) *ua.HistoryReadResult {
	r.t.Helper()
	req := historyRequest(d, &ua.HistoryReadValueID{NodeID: v.NodeID(), ContinuationPoint: point})
	return call1[*ua.HistoryReadResponse](r, req).Results[0]
}

func dataOf(res *ua.HistoryReadResult) []*ua.DataValue {
	if res.HistoryData == nil || res.HistoryData.Value == nil {
		return nil
	}
	return res.HistoryData.Value.(*ua.HistoryData).DataValues
}

// allHistory reads page after page and returns the values and the number of pages.
func (r *rig) allHistory(v *Variable, d *ua.ReadRawModifiedDetails) (all []*ua.DataValue, pages int) {
	r.t.Helper()
	res := r.history(v, d, nil)
	for {
		if !slices.Contains([]ua.StatusCode{ua.StatusOK, ua.StatusGoodNoData}, res.StatusCode) {
			r.t.Fatalf("page %d: %v", pages, res.StatusCode)
		}
		all = append(all, dataOf(res)...)
		pages++
		if len(res.ContinuationPoint) == 0 {
			return all, pages
		}
		res = r.history(v, d, res.ContinuationPoint)
	}
}

// listPast serves data, which must be in order of time, as a Past.
func listPast(data []Data) Past {
	return func(_ *Variable, r PastRange) iter.Seq[Data] {
		return func(yield func(Data) bool) {
			for i := range data {
				d := data[i]
				if r.Backward {
					d = data[len(data)-1-i]
				}
				if at := keyTime(d.Source, d.Server); at >= r.From && at <= r.To && !yield(d) {
					return
				}
			}
		}
	}
}

// historian returns variables with the same history: one kept, one regenerated.
func (r *rig) historian(data []Data) []*Variable {
	r.t.Helper()
	kept := mustVariable(r.t, r.s, NodeSpec{Path: "Kept", History: len(data) + 1, DataType: id.Double})
	for _, d := range data {
		if err := kept.SetData(d); err != nil {
			r.t.Fatal(err)
		}
	}
	made := mustVariable(r.t, r.s, NodeSpec{Path: "Made", Past: listPast(data), DataType: id.Double})
	return []*Variable{kept, made}
}

// dumpHistory writes minutes after five; a bound that was not found has its time in
// brackets, with seconds when it has any.
func dumpHistory(values []*ua.DataValue) string {
	var all []string
	for _, d := range values {
		at := d.SourceTimestamp.Sub(fiveOClock)
		text := fmt.Sprint(int(at / time.Minute))
		if rest := at % time.Minute; rest != 0 {
			text += fmt.Sprintf("%+ds", rest/time.Second)
		}
		if d.Status == ua.StatusBadBoundNotFound {
			text = "[" + text + "]"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// TestHistoryBounds is the table of examples in OPC 10000-11 §4.6: values at 5:00, 5:02,
// 5:03, 5:05 and 5:06. It also reads each range in pages of one value.
func TestHistoryBounds(t *testing.T) {
	const none = math.MinInt
	var data []Data
	for _, m := range []int{0, 2, 3, 5, 6} {
		data = append(data, Data{Value: float64(m), Source: DateTimeOf(minute(m))})
	}
	stated := func(m int) time.Time {
		if m == none {
			return time.Time{}
		}
		return minute(m)
	}
	f := func(start, end int, n uint32, bounds bool, want string) {
		t.Helper()
		for _, limit := range []int{1000, 1} {
			r := newRig(t, Options{Limits: Limits{MaxHistoryValues: limit}})
			for _, v := range r.historian(data) {
				d := &ua.ReadRawModifiedDetails{StartTime: stated(start), EndTime: stated(end), NumValuesPerNode: n, ReturnBounds: bounds}
				res := r.history(v, d, nil)
				if limit == 1 && start != none && end != none && n > 0 {
					continue // the number is the client's own page: there is more than one
				}
				got := dataOf(res)
				if limit == 1 {
					got, _ = r.allHistory(v, d)
				}
				if text := dumpHistory(got); text != want {
					t.Errorf("%s from %d to %d, %d values, bounds %t, pages of %d: %q, want %q", v.ID(), start, end, n, bounds, limit, text, want)
				}
				if (want == "") != (res.StatusCode == ua.StatusGoodNoData) {
					t.Errorf("from %d to %d: %v", start, end, res.StatusCode)
				}
			}
		}
	}
	f(0, 5, 0, true, "0 2 3 5")
	f(0, 5, 0, false, "0 2 3")
	f(1, 4, 0, true, "0 2 3 5")
	f(1, 4, 0, false, "2 3")
	f(5, 0, 0, true, "5 3 2 0")
	f(5, 0, 0, false, "5 3 2")
	f(4, 1, 0, true, "5 3 2 0")
	f(4, 1, 0, false, "3 2")
	f(-1, 5, 0, true, "[-1] 0 2 3 5")
	f(-1, 5, 0, false, "0 2 3")
	f(1, 7, 0, true, "0 2 3 5 6 [7]")
	f(1, 7, 0, false, "2 3 5 6")
	f(0, 5, 3, true, "0 2 3")
	f(0, 5, 3, false, "0 2 3")
	f(1, 4, 3, true, "0 2 3")
	f(1, 4, 3, false, "2 3")
	f(5, 0, 3, true, "5 3 2")
	f(5, 0, 3, false, "5 3 2")
	f(4, 1, 3, true, "5 3 2")
	f(4, 1, 3, false, "3 2")
	f(-1, 5, 3, true, "[-1] 0 2")
	f(-1, 5, 3, false, "0 2 3")
	f(1, 7, 3, true, "0 2 3")
	f(1, 7, 3, false, "2 3 5")
	f(0, none, 3, true, "0 2 3")
	f(0, none, 3, false, "0 2 3")
	f(0, none, 6, true, "0 2 3 5 6 [6+1s]")
	f(0, none, 6, false, "0 2 3 5 6")
	f(7, none, 6, true, "6 [6+1s]")
	f(7, none, 6, false, "")
	f(none, 6, 3, true, "6 5 3")
	f(none, 6, 3, false, "6 5 3")
	f(none, 6, 6, true, "6 5 3 2 0 [0-1s]")
	f(none, 6, 6, false, "6 5 3 2 0")
	f(none, -2, 6, true, "0 [0-1s]")
	f(none, -2, 6, false, "")
	f(-2, -2, 0, true, "[-2] 0")
	f(-2, -2, 0, false, "")
	f(-2, -2, 1, true, "[-2]")
	f(-2, -2, 1, false, "")
	f(0, 0, 0, true, "0 2")
	f(0, 0, 0, false, "0")
	f(0, 0, 1, true, "0")
	f(0, 0, 1, false, "0")
	f(1, 1, 0, true, "0 2")
	f(1, 1, 0, false, "")
	f(1, 1, 1, true, "0")
	f(1, 1, 1, false, "")
	f(7, 7, 0, true, "6 [7]")
	f(7, 7, 1, true, "6")
	f(7, 9, 0, false, "")
}

// TestHistoryPages reads with pages of any size, of the server's or the client's making,
// and compares with a selection from the list of all values. Several values may have one
// timestamp, more than fit in a page.
func TestHistoryPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Options{Limits: Limits{MaxHistoryValues: rapid.IntRange(1, 12).Draw(rt, "limit")}})
		minutes := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 30).Draw(rt, "minutes")
		slices.Sort(minutes)
		var data []Data
		for i, m := range minutes {
			data = append(data, Data{Value: float64(i), Source: DateTimeOf(minute(m)), Status: ua.StatusCode(rapid.SampledFrom([]uint32{0, 0x40900000, 0x80000000}).Draw(rt, "status"))})
		}
		start, end := rapid.IntRange(-1, 10).Draw(rt, "start"), rapid.IntRange(-1, 10).Draw(rt, "end")
		d := &ua.ReadRawModifiedDetails{StartTime: minute(start), EndTime: minute(end), NumValuesPerNode: rapid.Uint32Range(0, 12).Draw(rt, "values")}
		var want []string
		for _, x := range data {
			m := int(x.Source.Time().Sub(fiveOClock) / time.Minute)
			if start <= m && m < end || end < m && m <= start || start == end && m == start {
				want = append(want, fmt.Sprint(x.Value, x.Status, x.Source))
			}
		}
		if end < start {
			slices.Reverse(want)
		}
		for _, v := range r.historian(data) {
			all, pages := r.allHistory(v, d)
			var got []string
			for _, x := range all {
				got = append(got, fmt.Sprint(x.Value.Value(), x.Status, DateTimeOf(x.SourceTimestamp)))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s: %s", v.ID(), diff)
			}
			page := r.s.limits.MaxHistoryValues
			if d.NumValuesPerNode > 0 {
				page = min(page, int(d.NumValuesPerNode))
			}
			if most := max(1, (len(want)+page-1)/page); pages != most {
				rt.Fatalf("%d pages of %d for %d values", pages, page, len(want))
			}
		}
	})
}

// TestMemory sets values in any order of time: the last ones made are kept, in order.
func TestMemory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 10).Draw(rt, "most")
		m := &memory{ring: ring{limit: most}}
		var want []sample
		for i, at := range rapid.SliceOfN(rapid.IntRange(1, 9), 1, 40).Draw(rt, "times") {
			s := sample{value: i, source: DateTime(at)}
			if i%5 == 4 {
				s.source, s.server = 0, DateTime(at)
			}
			if len(want) == most {
				want = want[1:] // the oldest by time goes, before the new one comes
			}
			want = append(want, s)
			slices.SortStableFunc(want, func(a, b sample) int { return int(keyTime(a.source, a.server) - keyTime(b.source, b.server)) })
			m.add(&s)
		}
		var got []sample
		for s := range m.between(PastRange{From: firstTime, To: lastTime}) {
			got = append(got, *s)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("%v, want %v", got, want)
		}
	})
}
