package uasession

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// A type that neither configuration nor DataType attribute tells is pinned by the first good value; before that only
// statuses are stored, and Pin has the last word.
func TestPinning(t *testing.T) {
	p := newPlant(t, 0, uaserver.Options{})
	loose, err := p.srv.AddVariable(uaserver.NodeSpec{ID: "nsu=" + testNS + ";s=any", Path: "any", Namespace: testNS, DataType: id.BaseDataType})
	if err != nil {
		t.Fatal(err)
	}
	count, err := p.srv.AddVariable(uaserver.NodeSpec{ID: "nsu=" + testNS + ";s=count", Path: "count", Namespace: testNS, Initial: int32(7)})
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	series := testSeries(t, "pin")
	var asked []string
	cfg := ServerConfig{
		Endpoint: p.srv.Endpoint(),
		Groups: []Group{{Name: "g", Publishing: 20 * time.Millisecond, Tags: []Tag{
			{Name: "any", Node: loose.ID(), Outputs: []Output{{Series: series, Name: "any"}}},
			{Name: "count", Node: count.ID(), Outputs: []Output{{Series: series, Name: "count"}}},
			{Name: "refused", Node: count.ID(), Outputs: []Output{{Series: series, Name: "refused"}}},
		}}},
		Pin: func(_ *telemetry.Series, name string, seen telemetry.Type) (*telemetry.Field, error) {
			asked = append(asked, name+" "+seen.String())
			switch name {
			case "count": // another unit of the class has it as float
				return telemetry.NewField(name, telemetry.Float)
			case "refused":
				return nil, errors.New("no room")
			}
			return telemetry.NewField(name, seen)
		},
	}
	s := start(t, cfg, r)
	eventually(t, "first samples", func() bool {
		return len(r.values("any")) > 0 && len(r.values("count")) > 0 && len(r.values("refused")) > 0
	})
	if err := loose.Set("text", ua.StatusOK, time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the text", func() bool { v := r.values("any"); return v[len(v)-1].Value.Text() == "text" })
	if err := loose.Set(4.5, ua.StatusOK, time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the type changed on the machine", func() bool {
		v := r.values("any")
		return v[len(v)-1].Status == telemetry.StatusBadTypeMismatch
	})
	s.stop()
	if v := r.values("any")[0]; v.Value.Type() != telemetry.NoType || !v.Status.IsBad() {
		t.Errorf("before a value came: %+v", v)
	}
	if v := r.values("count")[0]; v.Value.Type() != telemetry.Float || v.Value.Float() != 7 || v.Field.Type != telemetry.Float {
		t.Errorf("count: %+v", v)
	}
	if v := r.values("refused")[0]; v.Value.Type() != telemetry.NoType || v.Status != telemetry.StatusBadTypeMismatch {
		t.Errorf("refused: %+v", v)
	}
	if len(r.rejected) != 1 || r.rejected[0].Tag != "any" || r.rejected[0].Text != "4.5" || r.rejected[0].Field != "any" {
		t.Errorf("rejected %+v", r.rejected)
	}
	if got := strings.Join(asked, ", "); !strings.HasPrefix(got, "count int, refused int") || !strings.Contains(got, "any string") {
		t.Errorf("Pin was asked for %s", got)
	}
}

// Security tokens of two seconds are renewed under load without a message lost.
func TestTokensAreRenewed(t *testing.T) {
	if raceDetector {
		// uasc.SecureChannel waits in a renewal for a WaitGroup that senders add to meanwhile. What can come of it is
		// a sequence number used twice, which makes the server close the channel: a reconnect that loses nothing.
		t.Skip("the transport library races with itself while it renews a token")
	}
	sc := newScenario(t, uaserver.Options{}, func(c *ServerConfig) { c.Timing.ChannelLife = 2 * time.Second })
	// One renewal each second and a half; a token that is not renewed is refused after two and a half.
	end := time.Now().Add(6 * time.Second)
	eventually(t, "four renewals", func() bool { return time.Now().After(end) })
	sc.finish()
	sc.inSequence()
	if c := sc.counters(); c.Connects != 1 || c.Gaps != 0 {
		t.Errorf("%d connects, %d gaps: want 1, 0", c.Connects, c.Gaps)
	}
}
