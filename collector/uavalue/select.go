package uavalue

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// follow walks p from the outermost value v and reads what it ends at.
func follow(v *ua.Variant, p Path) raw {
	if p.IsZero() {
		return rawVariant(v, 0)
	}
	var (
		at    any = v
		inner ua.StatusCode
	)
	for _, st := range p.steps {
		next, r, status := descend(at, st)
		if worse(status, inner) {
			inner = status
		}
		if r.kind != rawNull || next == nil {
			r.inner = inner
			return r
		}
		at = next
	}
	r := rawOf(at, 0)
	if worse(inner, r.inner) {
		r.inner = inner
	}
	return r
}

// descend takes one step. next is nil and r says why when there is nothing there; r is null for a null on the way.
func descend(at any, st step) (next any, r raw, inner ua.StatusCode) {
	at, inner = unwrap(at)
	if at == nil {
		return nil, raw{}, inner
	}
	if st.name != "" {
		next, r = member(at, st.name)
	} else {
		next, r = element(at, st.index)
	}
	return next, r, inner
}

// unwrap takes the Variants, DataValues and ExtensionObjects off a value.
func unwrap(v any) (any, ua.StatusCode) {
	var status ua.StatusCode
	for range 2*maxNesting + 1 {
		switch x := v.(type) {
		case *ua.Variant:
			if x == nil || x.Type() == ua.TypeIDNull {
				return nil, status
			}
			v = x.Value()
		case *ua.DataValue:
			if x == nil {
				return nil, status
			}
			if worse(x.Status, status) {
				status = x.Status
			}
			v = x.Value
		case *ua.ExtensionObject:
			if x == nil {
				return nil, status
			}
			if x.Value == nil {
				return x, status // the unknown type is named by rawOf
			}
			v = x.Value
		default:
			return v, status
		}
	}
	return v, status
}

// member finds a structure's member by name.
func member(at any, name string) (any, raw) {
	rv := reflect.ValueOf(at)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return nil, raw{}
		}
		rv = rv.Elem()
	}
	if x, ok := at.(*ua.ExtensionObject); ok {
		return nil, rawOf(x, 0)
	}
	if rv.Kind() != reflect.Struct {
		return nil, raw{kind: rawNone, why: fmt.Sprintf("no structure, so it has no member %s", name)}
	}
	t := rv.Type()
	for i := range t.NumField() {
		if t.Field(i).IsExported() && foldName(t.Field(i).Name) == name {
			return rv.Field(i).Interface(), raw{}
		}
	}
	return nil, raw{kind: rawNone, why: fmt.Sprintf("a structure %s without member %s (it has %s)", typeName(at), name, memberNames(t))}
}

func memberNames(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			names = append(names, t.Field(i).Name)
		}
	}
	return strings.Join(names, ", ")
}

// element finds an array's element. The transport library gives a matrix as slices of slices.
func element(at any, index []int) (any, raw) {
	rv := reflect.ValueOf(at)
	if _, isBytes := at.([]byte); isBytes || rv.Kind() != reflect.Slice {
		return nil, raw{kind: rawNone, why: "no array, so it has no elements"}
	}
	if dims := dimensions(rv); rv.Len() > 0 && dims != len(index) {
		return nil, raw{kind: rawNone, why: fmt.Sprintf("an array %s, which needs %d indices, not %d", shapeText(rv), dims, len(index))}
	}
	for _, i := range index {
		if i >= rv.Len() {
			return nil, raw{kind: rawIndex, why: fmt.Sprintf("element %d of an array of %d", i, rv.Len())}
		}
		rv = rv.Index(i)
	}
	return rv.Interface(), raw{}
}

func dimensions(rv reflect.Value) int {
	n := 0
	for rv.Kind() == reflect.Slice && rv.Type() != reflect.TypeFor[[]byte]() {
		n++
		if rv.Len() == 0 {
			break
		}
		rv = rv.Index(0)
	}
	return n
}
