package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FormatPath gives a browse path with namespace URIs: "/Objects/nsu=urn:x;Heater/nsu=urn:x;Power".
func FormatPath(steps []PathStep) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteByte('/')
		if s.Namespace != "" {
			b.WriteString("nsu=" + uriEscaper.Replace(s.Namespace) + ";")
		}
		b.WriteString(s.Name)
	}
	return b.String()
}

// browsePath reads "/Objects/m:CZ-07/m:Power". Without a leading slash it continues base. As in OPC UA Part 4 Annex A.2,
// & stands before a '/', ':' or '&' that belongs to a name.
func (v *value) browsePath(namespaces map[string]string, base []PathStep) []PathStep {
	s, ok := v.Scalar()
	if !ok {
		return nil
	}
	rest, absolute := strings.CutPrefix(s, "/")
	if !absolute && len(base) == 0 {
		v.Fail("a path begins at the root", "write /Objects/…, or give the group a path that this one continues")
		return nil
	}
	var steps []PathStep
	if !absolute {
		steps = slices.Clip(base)
	}
	for _, segment := range splitEscaped(rest, '/') {
		step, err := pathStep(segment, namespaces)
		if err != nil {
			v.Fail(err.message, err.remedy)
			return nil
		}
		steps = append(steps, step)
	}
	if first := steps[0]; first.Namespace != "" || !slices.Contains([]string{"Objects", "Types", "Views"}, first.Name) {
		v.Fail("a path begins with /Objects, /Types or /Views", "write /Objects/…")
		return nil
	}
	return steps
}

// pathError says why a segment of a path is not one and what to write.
type pathError struct{ message, remedy string }

func pathStep(segment string, namespaces map[string]string) (PathStep, *pathError) {
	parts := splitEscaped(segment, ':')
	name := parts[len(parts)-1]
	var step PathStep
	switch len(parts) {
	case 1:
	case 2:
		prefix, err := unescape(parts[0])
		uri, known := namespaces[prefix]
		if err != nil || !known {
			return step, &pathError{(&unknownPrefixError{prefix}).Error(), prefixRemedy(prefix, namespaces)}
		}
		if uri != namespaceURI0 {
			step.Namespace = uri
		}
	default:
		return step, &pathError{fmt.Sprintf("%q has more than one colon", segment), "write &: for a colon that belongs to a name"}
	}
	var err error
	if step.Name, err = unescape(name); err != nil {
		return step, &pathError{fmt.Sprintf("%q: %v", segment, err), "write && for a & that belongs to a name"}
	}
	if step.Name == "" {
		return step, &pathError{"the path has an empty step", "write /STEP/STEP, and &/ for a slash that belongs to a name"}
	}
	return step, nil
}

// splitEscaped splits s at each sep that no & precedes, and leaves the escapes in place.
func splitEscaped(s string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unescape removes the & before reserved characters.
func unescape(s string) (string, error) {
	if !strings.Contains(s, "&") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '&' {
			if i++; i == len(s) || !strings.ContainsRune("/.<>:#!&", rune(s[i])) {
				return "", errors.New("a & stands before nothing that it could protect")
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}
