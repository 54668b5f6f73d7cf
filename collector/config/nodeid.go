package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// NodeID names a node independently of the order of the server's namespace array. The zero NodeID names nothing.
type NodeID struct {
	Namespace string // URI; empty for namespace 0, and when Indexed
	Indexed   bool   // Index was given as a number (allow_index); it means another node when the server's array changes
	Index     uint16
	Kind      byte   // 'i' number, 's' string, 'g' GUID, 'b' opaque (base64)
	Value     string // as text: digits, text, canonical GUID, base64
}

// IsZero reports whether the id names nothing.
func (id NodeID) IsZero() bool { return id.Kind == 0 }

// String gives the form of OPC UA Part 6 §5.3.1.10: "i=2258", "nsu=urn:x;s=Power", "ns=4;s=Power"; "" when zero.
func (id NodeID) String() string {
	if id.IsZero() {
		return ""
	}
	local := string(id.Kind) + "=" + id.Value
	switch {
	case id.Indexed:
		return "ns=" + strconv.Itoa(int(id.Index)) + ";" + local
	case id.Namespace != "":
		return "nsu=" + uriEscaper.Replace(id.Namespace) + ";" + local
	}
	return local
}

// MarshalText gives String, so that JSON is readable.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

var (
	uriEscaper   = strings.NewReplacer("%", "%25", ";", "%3B")
	uriUnescaper = strings.NewReplacer("%25", "%", "%3B", ";", "%3b", ";")
)

// namespaceURI0 is the URI of namespace 0, which a NodeID shows as empty.
const namespaceURI0 = "http://opcfoundation.org/UA/"

// errIndexedID marks an id of the form "ns=4;…", which depends on the order of the server's namespace array.
var errIndexedID = errors.New("a namespace index may mean another namespace after the server's next start")

// ParseNodeID reads "i=2258", "nsu=URI;s=Power", "prefix:s=Power" with a prefix of namespaces, and "ns=4;s=Power". The last
// is returned together with an error that wraps errIndexedID, so that the caller may allow it.
func ParseNodeID(text string, namespaces map[string]string) (NodeID, error) {
	var id NodeID
	local := text
	switch {
	case strings.HasPrefix(text, "nsu="):
		uri, rest, ok := strings.Cut(text[len("nsu="):], ";")
		if !ok || uri == "" {
			return id, errors.New("the form is nsu=URI;s=NAME")
		}
		id.Namespace, local = uriUnescaper.Replace(uri), rest
	case strings.HasPrefix(text, "ns="):
		index, rest, ok := strings.Cut(text[len("ns="):], ";")
		n, err := strconv.ParseUint(index, 10, 16)
		if !ok || err != nil {
			return id, errors.New("the form is ns=0..65535;s=NAME")
		}
		id.Index, id.Indexed, local = uint16(n), n != 0, rest
	case strings.HasPrefix(text, "svr="):
		return id, errors.New("a node of another server cannot be read through this one")
	case !hasKind(text):
		prefix, rest, ok := strings.Cut(text, ":")
		if !ok {
			return id, errors.New("it begins with neither a prefix of namespaces, nsu= nor i=")
		}
		uri, known := namespaces[prefix]
		if !known {
			return id, &unknownPrefixError{prefix}
		}
		id.Namespace, local = uri, rest
	}
	if id.Namespace == namespaceURI0 {
		id.Namespace = ""
	}
	if err := id.parseLocal(local); err != nil {
		return NodeID{}, err
	}
	if id.Indexed {
		return id, errIndexedID
	}
	return id, nil
}

// unknownPrefixError names a namespace prefix that the file does not declare.
type unknownPrefixError struct{ prefix string }

func (e *unknownPrefixError) Error() string {
	return fmt.Sprintf("namespace prefix %q is not declared", e.prefix)
}

func hasKind(s string) bool {
	return len(s) >= 2 && s[1] == '=' && strings.IndexByte("isgb", s[0]) >= 0
}

// parseLocal reads the part after the namespace: kind and value.
func (id *NodeID) parseLocal(s string) error {
	if !hasKind(s) {
		return errors.New("after the namespace comes i=NUMBER, s=NAME, g=GUID or b=BASE64")
	}
	id.Kind, id.Value = s[0], s[2:]
	switch id.Kind {
	case 'i':
		n, err := strconv.ParseUint(id.Value, 10, 32)
		if err != nil {
			return errors.New("after i= comes a number from 0 to 4294967295")
		}
		id.Value = strconv.FormatUint(n, 10)
	case 's':
		if id.Value == "" || len(id.Value) > maxIDBytes {
			return fmt.Errorf("after s= comes a name of 1 to %d bytes", maxIDBytes)
		}
	case 'g':
		guid, err := canonicalGUID(id.Value)
		if err != nil {
			return err
		}
		id.Value = guid
	case 'b':
		raw, err := base64.StdEncoding.DecodeString(id.Value)
		if err != nil || len(raw) == 0 || len(raw) > maxIDBytes {
			return fmt.Errorf("after b= comes base64 of 1 to %d bytes", maxIDBytes)
		}
		id.Value = base64.StdEncoding.EncodeToString(raw)
	}
	return nil
}

// maxIDBytes is the longest string or opaque identifier that a server may use (OPC UA Part 3 §8.2.4).
const maxIDBytes = 4096

// canonicalGUID checks the form 8-4-4-4-12 and returns it in capitals, as OPC UA tools write it.
func canonicalGUID(s string) (string, error) {
	parts := strings.Split(s, "-")
	want := []int{8, 4, 4, 4, 12}
	if len(parts) != len(want) {
		return "", errors.New("after g= comes a GUID such as 72962B91-FA75-4AE6-8D28-B404DC7DAF63")
	}
	for i, p := range parts {
		if _, err := hex.DecodeString(p); err != nil || len(p) != want[i] {
			return "", errors.New("after g= comes a GUID such as 72962B91-FA75-4AE6-8D28-B404DC7DAF63")
		}
	}
	return strings.ToUpper(s), nil
}
