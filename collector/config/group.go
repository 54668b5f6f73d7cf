package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/markup"
)

// group reads one member of groups.
func (d *decoder) group(v *value, scope *serverScope) Group {
	b := v.block(levelGroup)
	g := Group{Publishing: time.Second, KeepAlive: 10 * time.Second, Lifetime: 5 * time.Minute, Class: ClassNormal, At: v.Pos()}
	b.require("name", "write a short name; it appears in gap records and on the status page")
	b.name("name", &g.Name)
	b.duration("publishing", &g.Publishing, 10*time.Millisecond, time.Hour)
	g.KeepAlive = max(g.KeepAlive, g.Publishing)
	b.duration("keep_alive", &g.KeepAlive, time.Second, time.Hour)
	g.Lifetime = max(g.Lifetime, 3*g.KeepAlive)
	b.duration("lifetime", &g.Lifetime, 3*time.Second, 24*time.Hour)
	g.checkTimes(b)
	markup.Choice(b.Get("class"), &g.Class, ClassNormal, ClassKeep)

	from := inherited{server: scope, publishing: g.Publishing, sampling: g.Publishing, discardOld: true}
	b.measurement(&from.measurement)
	from.tags = b.tags(scope.tags)
	b.sampling(&from.sampling)
	b.queue(&from.queue)
	if need := perPublish(from.publishing, from.sampling); from.queue != 0 && uint64(from.queue) < need {
		b.get("queue").Warn(queueMessage(from.queue, need), "write queue: auto, a longer queue, or a slower sampling")
	}
	b.boolean("discard_oldest", &from.discardOld)
	b.deadband(&from.deadband)
	if p := b.get("path"); p != nil {
		from.path = p.browsePath(scope.namespaces, nil)
	}
	nodes := b.require("nodes", "list the nodes to collect")
	if nodes == nil {
		return g
	}
	for _, item := range nodes.items() {
		n := d.node(item, &from)
		g.Nodes = append(g.Nodes, n)
		d.nodes.add(item, &n)
	}
	if nodes.Kind() == markup.Sequence && len(g.Nodes) == 0 {
		nodes.FailHidden("the list is empty", "list the nodes to collect, or remove the group")
	}
	if _, ok := from.tags["unit"]; !ok && len(g.Nodes) > 0 && !slices.ContainsFunc(g.Nodes, func(n Node) bool { return n.Tags["unit"] != "" }) {
		b.Warn("no node of this group has the tag unit, so nothing tells whose values they are", "write tags: {unit: NAME}, with site and area")
	}
	return g
}

// checkTimes holds the intervals against each other (OPC UA Part 4 §5.14.2: lifetime ≥ 3 keep-alive intervals).
func (g *Group) checkTimes(b *block) {
	if g.KeepAlive < g.Publishing {
		b.get("keep_alive").Fail(fmt.Sprintf("it is shorter than publishing (%s)", showDuration(g.Publishing)), "write at least the publishing interval")
	}
	if v := b.get("lifetime"); v != nil && g.Lifetime < 3*g.KeepAlive {
		v.Fail(fmt.Sprintf("it is shorter than 3 × keep_alive (%s)", showDuration(g.KeepAlive)), "write "+showDuration(3*g.KeepAlive)+" or more")
	}
}

// fastest is the word for a sampling interval of 0.
const fastest = "fastest"

func (b *block) sampling(dst *time.Duration) {
	v := b.get("sampling")
	if v == nil {
		return
	}
	if v.Kind() == markup.Scalar && v.Raw() == fastest {
		*dst = 0
		return
	}
	v.duration(dst, time.Millisecond, day)
}

// maxQueue bounds the queue asked of a server for one item. Servers revise it, most to much less.
const maxQueue = 100_000

// queue reads the length of an item's queue; 0 stands for "auto".
func (b *block) queue(dst *int) {
	if v := b.get("queue"); v != nil && v.Kind() == markup.Scalar && v.Raw() == "auto" {
		*dst = 0
		return
	}
	b.Integer("queue", dst, 1, maxQueue)
}

// The automatic queue holds what a node may produce in queueSpan, or in two publishing intervals if that is longer, so
// that a short interruption of the network loses nothing; within limits that small controllers accept.
const (
	queueSpan    = 10 * time.Second
	minAutoQueue = 10
	maxAutoQueue = 1000
	fastestQueue = 100 // sampling "fastest": the rate is unknown
)

func autoQueue(publishing, sampling time.Duration) uint32 {
	if sampling == 0 {
		return fastestQueue
	}
	n := perPublish(max(queueSpan, 2*publishing), sampling)
	return uint32(min(max(n, minAutoQueue), maxAutoQueue))
}

// perPublish is how many samples of one node a publishing interval can hold; 0 when unknown.
func perPublish(publishing, sampling time.Duration) uint64 {
	if sampling == 0 {
		return 0
	}
	return uint64((publishing + sampling - 1) / sampling)
}

func queueMessage(queue int, need uint64) string {
	return fmt.Sprintf("a queue of %d loses values in normal operation: up to %d are sampled in one publishing interval", queue, need)
}

// deadband reads 0.5, "1%" or none.
func (b *block) deadband(dst *Deadband) {
	v := b.get("deadband")
	if v == nil {
		return
	}
	s, ok := v.Scalar()
	if !ok {
		return
	}
	digits, percent := strings.CutSuffix(s, "%")
	x, err := parseNumber(strings.TrimSpace(digits))
	switch {
	case s == "none":
		*dst = Deadband{}
	case err != nil || x <= 0:
		v.Fail("this must be a positive number, a percentage, or none", "write 0.5 (in the machine's unit), 1% (of the node's EURange), or none")
	case percent && x > 100:
		v.Fail("a deadband of more than 100% lets nothing through", "write a small percentage, for example 0.5%")
	case percent:
		*dst = Deadband{DeadbandPercent, x}
	default:
		*dst = Deadband{DeadbandAbsolute, x}
	}
}

// reservedMeasurements are written by Kvarts itself.
var reservedMeasurements = []string{"gap", "collector", "alive", "plant_model", "ledger", "record"}

func (b *block) measurement(dst *string) {
	v := b.get("measurement")
	if v == nil || !b.Text("measurement", dst) {
		return
	}
	switch problem := wordProblem(*dst, maxNameBytes); {
	case problem != "":
		v.Fail("a measurement needs another name: "+problem, "write the class of equipment, for example cz_puller")
	case (*dst)[0] == '_' || (*dst)[0] == '#':
		v.Fail(fmt.Sprintf("a measurement must not begin with %q", (*dst)[0]), "write the class of equipment, for example cz_puller")
	case slices.Contains(reservedMeasurements, *dst):
		v.Fail("Kvarts writes this measurement itself; reserved are "+strings.Join(reservedMeasurements, ", "), "write the class of equipment, for example cz_puller")
	}
}

// tags merges the block's tags over those from above.
func (b *block) tags(above map[string]string) map[string]string {
	v := b.get("tags")
	if v == nil {
		return above
	}
	out := make(map[string]string)
	maps.Copy(out, above)
	for _, e := range v.entries() {
		s, ok := e.Scalar()
		if !ok {
			continue
		}
		if problem := wordProblem(e.Key(), maxNameBytes); problem != "" {
			e.FailHidden(fmt.Sprintf("the tag %q needs another name: %s", e.Key(), problem), "write small letters, digits and _")
			continue
		}
		if e.Key() == "time" || e.Key() == "_field" || e.Key() == "_measurement" {
			e.Fail("InfluxDB reserves the tag name "+strconv.Quote(e.Key()), "choose another")
			continue
		}
		if problem := wordProblem(s, maxNameBytes); problem != "" {
			e.Fail("the value of a tag cannot be this: "+problem, "write another value, or remove the tag")
			continue
		}
		out[e.Key()] = s
	}
	return out
}
