package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kvarts/historian/markup"
)

// maxNameBytes bounds measurements, tags and fields; InfluxDB's own limit is 64 KiB for a whole series key.
const maxNameBytes = 255

// statusSuffix ends the name of the field that holds a signal's status, so no signal may be called that.
const statusSuffix = "_status"

// inherited is what a group gives to its nodes.
type inherited struct {
	server      *serverScope
	measurement string
	tags        map[string]string
	path        []PathStep
	publishing  time.Duration
	sampling    time.Duration
	queue       int // 0: automatic
	discardOld  bool
	deadband    Deadband
}

// serverScope is what a server gives to its groups.
type serverScope struct {
	namespaces map[string]string
	tags       map[string]string
	allowIndex bool
}

// node reads one member of nodes.
func (d *decoder) node(v *value, from *inherited) Node {
	b := v.block(levelNode)
	n := Node{Measurement: from.measurement, Tags: from.tags, Scale: 1, Sampling: from.sampling, DiscardOldest: from.discardOld, Deadband: from.deadband, At: v.Pos()}
	n.target(b, from)
	b.measurement(&n.Measurement)
	n.Tags = b.tags(n.Tags)
	n.fields(b)
	n.kind(b)
	n.item(b, from)
	if b.Kind() == markup.Mapping && n.Measurement == "" {
		b.Missing("measurement", "write it here, or once for the whole group")
	}
	return n
}

// target reads which node of the server is meant: id or path.
func (n *Node) target(b *block, from *inherited) {
	id, path := b.get("id"), b.get("path")
	switch {
	case id != nil && path != nil:
		path.Fail("a node has either an id or a path", "remove one of the two")
	case id == nil && path == nil:
		if b.Kind() == markup.Mapping {
			b.Missing("id", "write id: prefix:s=NAME, or path: /Objects/prefix:NAME")
		}
	case id != nil:
		n.ID = id.nodeID(from.server)
		id.warnHash()
	default:
		n.Path = path.browsePath(from.server.namespaces, from.path)
		path.warnHash()
	}
}

// warnHash tells of `id: m:s=Saw #3`, where YAML takes "#3" for a comment.
func (v *value) warnHash() {
	if rest, cut := v.CutByHash(); cut {
		v.Warn(fmt.Sprintf("YAML takes #%s as a comment", rest), "if # belongs to the name, quote the value; else put a space after #")
	}
}

func (v *value) nodeID(scope *serverScope) NodeID {
	s, ok := v.Scalar()
	if !ok {
		return NodeID{}
	}
	id, err := ParseNodeID(s, scope.namespaces)
	var prefix *unknownPrefixError
	switch {
	case err == nil:
		return id
	case errors.Is(err, errIndexedID) && scope.allowIndex:
		return id
	case errors.Is(err, errIndexedID):
		v.Fail(err.Error(), fmt.Sprintf("write nsu=URI;%c=%s with the URI that `collector browse` shows for index %d, or allow_index: true on the server", id.Kind, id.Value, id.Index))
	case errors.As(err, &prefix):
		v.Fail(err.Error(), prefixRemedy(prefix.prefix, scope.namespaces))
	default:
		v.Fail("this is not a node id: "+err.Error(), `write prefix:s=NAME with a prefix of namespaces, nsu=URI;s=NAME, or i=NUMBER for the standard nodes`)
	}
	return NodeID{}
}

func prefixRemedy(prefix string, namespaces map[string]string) string {
	var known []string
	for p := range namespaces {
		known = append(known, p)
	}
	slices.Sort(known)
	if near := markup.Nearest(prefix, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return fmt.Sprintf("add %s: URI under namespaces", prefix)
}

// fields reads what the values are called: field, elements or members.
func (n *Node) fields(b *block) {
	given := 0
	for _, key := range []string{"field", "elements", "members"} {
		if v := b.get(key); v != nil {
			if given++; given > 1 {
				v.FailHidden("a node has one of field, elements and members", "remove the others")
			}
		}
	}
	if given == 0 && b.Kind() == markup.Mapping {
		b.Missing("field", "write field: NAME with the unit as suffix, for example main_heater_power_kw")
	}
	if v := b.get("field"); v != nil && b.Text("field", &n.Field) {
		v.checkField(n.Field)
	}
	if v := b.get("elements"); v != nil {
		n.Elements = v.elements()
	}
	if v := b.get("members"); v != nil {
		n.Members = make(map[string]string)
		for _, e := range v.entries() {
			if field, ok := e.Scalar(); ok && e.checkField(field) {
				n.Members[e.Key()] = field
			}
		}
		if v.Kind() == markup.Mapping && v.Empty() {
			v.FailHidden("it names no member", "write MEMBER: field_name")
		}
	}
}

// maxElements bounds the fields of one array.
const maxElements = 10_000

// elements reads {0: a, 3: b}, or {pattern: zone_{n}_temp_c, count: 7}.
func (v *value) elements() map[int]string {
	out := make(map[int]string)
	for _, e := range v.entries() {
		if slices.Contains(levelPattern.Keys, e.Key()) {
			return v.elementPattern()
		}
		i, err := strconv.Atoi(e.Key())
		if err != nil || i < 0 || i >= maxElements {
			e.FailHidden(fmt.Sprintf("the key %q is not an array index from 0 to %d", e.Key(), maxElements-1), "write INDEX: field_name, or pattern and count")
			continue
		}
		if field, ok := e.Scalar(); ok && e.checkField(field) {
			out[i] = field
		}
	}
	if v.Kind() == markup.Mapping && v.Empty() {
		v.FailHidden("it names no element", "write INDEX: field_name, or pattern and count")
	}
	return out
}

// elementPattern expands a pattern: {i} stands for the index from 0, {n} for the number from 1.
func (v *value) elementPattern() map[int]string {
	b := v.block(levelPattern)
	pattern, count := "", 0
	b.require("count", "write count: N, the number of elements to store")
	b.Integer("count", &count, 1, maxElements)
	at := b.require("pattern", "write for example pattern: zone_{n}_temp_c")
	if !b.Text("pattern", &pattern) {
		return nil
	}
	if !strings.Contains(pattern, "{i}") && !strings.Contains(pattern, "{n}") {
		at.Fail("the pattern holds neither {i} nor {n}", "write {i} for the index from 0 or {n} for the number from 1")
		return nil
	}
	if !at.checkField(expandElement(pattern, 0)) {
		return nil
	}
	out := make(map[int]string, count)
	for i := range count {
		out[i] = expandElement(pattern, i)
	}
	return out
}

func expandElement(pattern string, i int) string {
	return strings.NewReplacer("{i}", strconv.Itoa(i), "{n}", strconv.Itoa(i+1)).Replace(pattern)
}

// goodField is the form that queries need no quotes for.
var goodField = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkField reports a field name that InfluxDB or Kvarts would not take.
func (v *value) checkField(name string) bool {
	switch problem := wordProblem(name, maxNameBytes); {
	case problem != "":
		v.Fail("a field needs another name: "+problem, "write small letters, digits and _")
	case strings.HasSuffix(name, statusSuffix):
		v.Fail(fmt.Sprintf("a field must not end in %s, that name holds the status of a signal", statusSuffix), "for example _state")
	case name == "time" || name == "_field" || name == "_measurement":
		v.Fail("InfluxDB reserves this name", "choose another")
	case !goodField.MatchString(name):
		v.Warn("a field that is not of small letters, digits and _ must be quoted in every query", "write it as snake_case with the unit as suffix")
		return true
	default:
		return true
	}
	return false
}

// kind reads how a raw value becomes the stored one.
func (n *Node) kind(b *block) {
	markup.Choice(b.Get("type"), &n.Type, TypeInt, TypeFloat, TypeString)
	encoding := ""
	if markup.Choice(b.Get("bytes"), &encoding, "base64"); encoding != "" {
		n.Base64 = true
	}
	if b.number("scale", &n.Scale) && n.Scale == 0 {
		b.get("scale").Fail("every value would become the offset", "write another factor, or remove the key")
	}
	b.number("offset", &n.Offset)
	if v := b.get("unit"); v != nil {
		if s, ok := v.Scalar(); ok {
			c, err := parseConversion(s)
			if n.Unit = c; err != nil {
				v.Fail(err.message, err.remedy)
			}
		}
	}
	n.checkKind(b)
}

// checkKind holds type, bytes and arithmetic against each other, and settles what follows from them.
func (n *Node) checkKind(b *block) {
	at := func(keys ...string) *markup.Value {
		for _, k := range keys {
			if v := b.Get(k); v != nil {
				return v
			}
		}
		return b.Value
	}
	text := n.Base64 || n.Type == TypeString
	switch {
	case n.Base64 && (n.Type == TypeInt || n.Type == TypeFloat):
		at("type").Fail("a ByteString is stored as text", "write type: string, or remove bytes")
	case text && n.Converts():
		at("scale", "offset", "unit").Fail("text cannot be converted", "remove scale, offset and unit, or write type: float")
	case n.Type == TypeInt && n.Converts() && !(n.Scale == math.Trunc(n.Scale) && n.Offset == math.Trunc(n.Offset) && (n.Unit == nil || n.Unit.From == n.Unit.To)):
		at("unit", "scale", "offset").Fail("the result is not always a whole number, but the type is int", "write type: float")
	case n.Base64:
		n.Type = TypeString
	case n.Type == TypeAuto && n.Converts():
		n.Type = TypeFloat
	}
}

// item reads what the server is asked to do for the node.
func (n *Node) item(b *block, from *inherited) {
	b.sampling(&n.Sampling)
	queue := from.queue
	b.queue(&queue)
	n.Queue = uint32(queue)
	if queue == 0 {
		n.Queue = autoQueue(from.publishing, n.Sampling)
	} else if need := perPublish(from.publishing, n.Sampling); uint64(queue) < need && (b.get("queue") != nil || b.get("sampling") != nil) {
		at := b.get("queue")
		if at == nil {
			at = b.get("sampling")
		}
		at.Warn(queueMessage(queue, need), "write queue: auto, a longer queue, or a slower sampling")
	}
	b.boolean("discard_oldest", &n.DiscardOldest)
	b.deadband(&n.Deadband)
	if n.Deadband.Kind != DeadbandNone && (n.Type == TypeString || n.Members != nil) {
		if v := b.get("deadband"); v != nil {
			v.Fail("a deadband needs a numeric value", "remove it, or write deadband: none")
		}
		n.Deadband = Deadband{} // the group's is not meant for this node
	}
}
