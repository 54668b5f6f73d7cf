package uasession

import (
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/collector/uavalue"
	"kvarts/historian/telemetry"
)

// group is a Group with what the session knows of it. It outlives connections and sessions.
type group struct {
	cfg   Group
	items []*item // in the order of cfg.Tags
	sub   *subscription

	known telemetry.Instant // server's publish time up to which everything of the group has come; 0: nothing ever
	open  *openGap          // values may be missing since, until the next message

	// What a changed configuration still has to tell the server.
	modified bool    // the subscription's parameters
	doomed   []*item // items to delete there

	tries   int       // how often its subscription was refused
	retry   time.Time // no new try before
	trouble string    // why it has no subscription

	// How far source times lie from publish times, to widen gaps of publish times to source times.
	lead time.Duration // ahead of it at most
	lag  time.Duration // behind it: the freshest value of a message
}

// openGap is a loss whose end is not known yet.
type openGap struct {
	from   telemetry.Instant // publish time
	cause  telemetry.Cause
	detail string
}

// subscription is one of the server's. It belongs to one session.
type subscription struct {
	id        uint32
	stream    uint64 // see Mark
	first     uint32 // number of its first message, 0 while none has come
	since     telemetry.Instant
	debt      *openGap          // what was open when it was made: on disk when its first message is
	terms     subscriptionTimes // as asked for
	interval  time.Duration     // revised
	keepAlive time.Duration     // longest silence: revised count × interval
	lifetime  time.Duration

	seq     *sequencer[notification]
	made    time.Time
	seen    time.Time // last message or keep-alive, by our clock
	asked   bool      // silent, and asked whether it is still there
	initial bool      // no data message yet: the first holds values of any age
	missing time.Time // since when a message is missing; zero: none
	tries   int       // how often the missing message came undecodable
	alive   telemetry.Instant

	avail    []uint32 // what the server keeps for Republish
	availFor uint32   // the message number that avail came with
	dead     string   // why it must be created again; "" while it lives

	riders  []uint32 // messages with nothing to store: acknowledged with the next one that has something
	durable uint32   // taken over: all before this number is on disk, the acknowledgements may be lost; 0: nothing to do
	foreign bool     // taken over, and its first message is not known
}

// notification is a NotificationMessage on its way.
type notification struct {
	msg      *ua.NotificationMessage
	received telemetry.Instant
}

// silence is how long the subscription may say nothing.
func (sub *subscription) silence(grace time.Duration) time.Duration {
	return max(sub.keepAlive, sub.interval) + grace
}

// listed says that the server can still have message n waiting for its acknowledgement.
func (sub *subscription) listed(n uint32) bool {
	if sub.availFor == 0 || seqAhead(sub.availFor, n) {
		return true // newer than the list
	}
	for _, a := range sub.avail {
		if a == n {
			return true
		}
	}
	return false
}

// keepList notes the newest list of what the server keeps.
func (sub *subscription) keepList(n uint32, avail []uint32) {
	if n != 0 && (sub.availFor == 0 || seqAhead(sub.availFor, n)) {
		sub.availFor, sub.avail = n, avail
	}
}

// forget drops what belonged to a session.
func (g *group) forget() {
	g.sub, g.doomed, g.modified = nil, nil, false
	for _, it := range g.items {
		it.id, it.handle, it.stale = 0, 0, false
		if it.state == itemLive {
			it.state = itemNew
		}
	}
}

// itemState is where an item stands.
type itemState uint8

const (
	itemNew  itemState = iota // to be created
	itemLive                  // the server reports it
	itemBad                   // refused; tried again at item.next
)

// item is a Tag with what the session knows of it.
type item struct {
	tag   Tag
	group *group
	dec   uavalue.Tag
	// unpinned counts outputs whose type is not known yet; their Field in dec is nil, and markers use interim.
	unpinned int
	interim  []*telemetry.Field

	state  itemState
	stale  bool // its parameters changed, the server does not know yet
	node   *ua.NodeID
	handle uint32
	id     uint32 // the server's MonitoredItemId

	plain    bool // the filter was refused and left out
	sampling time.Duration
	queue    uint32

	last telemetry.Instant // newest source time delivered, for overflows

	reason string // why it is bad
	code   ua.StatusCode
	since  time.Time
	// What the newest entry of the ledger says of it, in the clock of the samples; lostTo 0: there is none.
	lostAt telemetry.Instant
	lostTo telemetry.Instant
	tries  int
	next   time.Time

	odd bool // a finding about its times has been reported
}

// newItem prepares a tag. The tag has been checked.
func newItem(g *group, t Tag, rule telemetry.TimeRule) *item {
	it := &item{group: g}
	it.adopt(t, rule)
	return it
}

// adopt takes t's outputs, keeping the types that are pinned already.
func (it *item) adopt(t Tag, rule telemetry.TimeRule) {
	before := it.dec.Outputs
	old := it.tag.Outputs
	it.tag, it.unpinned = t, 0
	it.dec = uavalue.Tag{Time: rule, Outputs: make([]uavalue.Output, len(t.Outputs))}
	it.interim = make([]*telemetry.Field, len(t.Outputs))
	for i, o := range t.Outputs {
		out := uavalue.Output{Series: o.Series, Path: o.Path, Scale: o.Scale, Divisor: o.Divisor, Offset: o.Offset, Base64: o.Base64}
		if o.Type != telemetry.NoType {
			out.Field, _ = telemetry.NewField(o.Name, o.Type) // checked by checkGroups
		} else if i < len(before) && old[i].Type == telemetry.NoType && sameOutput(&old[i], &o) {
			out.Field = before[i].Field
		}
		if out.Field == nil {
			it.unpinned++
			it.interim[i], _ = telemetry.NewField(o.Name, telemetry.Float) // carries only statuses
		}
		it.dec.Outputs[i] = out
	}
}

func sameField(a, b Output) bool {
	return string(a.Series.Key()) == string(b.Series.Key()) && a.Name == b.Name
}

func sameOutput(a, b *Output) bool {
	return sameField(*a, *b) && a.Path.String() == b.Path.String() &&
		a.Scale == b.Scale && a.Divisor == b.Divisor && a.Offset == b.Offset && a.Base64 == b.Base64
}

// nodeLabel is the tag's address for people.
func (it *item) nodeLabel() string {
	if len(it.tag.Path) == 0 {
		return it.tag.Node
	}
	text := it.tag.Node
	for _, q := range it.tag.Path {
		text += "/" + q.Name
	}
	return text
}

// checkGroups refuses what cannot be collected as it is written.
func checkGroups(groups []Group) error {
	names := make(map[string]bool, len(groups))
	tags := make(map[string]bool)
	for i := range groups {
		g := &groups[i]
		if g.Name == "" || names[g.Name] {
			return fmt.Errorf("group %d: name %q is empty or used twice", i, g.Name)
		}
		names[g.Name] = true
		for k := range g.Tags {
			t := &g.Tags[k]
			if t.Name == "" || tags[t.Name] {
				return fmt.Errorf("group %s: tag %d: name %q is empty or used twice", g.Name, k, t.Name)
			}
			tags[t.Name] = true
			if err := checkTag(t); err != nil {
				return fmt.Errorf("group %s: tag %s: %w", g.Name, t.Name, err)
			}
		}
	}
	return nil
}

func checkTag(t *Tag) error {
	if t.Node != "" {
		if _, err := parseNode(t.Node); err != nil {
			return err
		}
	} else if len(t.Path) == 0 {
		return fmt.Errorf("it has neither node nor path")
	}
	if len(t.Outputs) == 0 {
		return fmt.Errorf("it has no output")
	}
	for i := range t.Outputs {
		o := &t.Outputs[i]
		if o.Series == nil {
			return fmt.Errorf("output %q has no series", o.Name)
		}
		typ := o.Type
		if typ == telemetry.NoType {
			typ = telemetry.Float
		}
		if _, err := telemetry.NewField(o.Name, typ); err != nil {
			return err
		}
	}
	return nil
}
