package plant

// index finds parts of a model by name.
type index struct {
	calendars map[string]int
	products  map[string]*Product
	classes   map[string]*Class
	stages    map[string]*Stage
	units     map[string]*Unit
	lines     map[string]*Line
	meters    map[string]*Meter
	gateways  map[string]*Gateway
}

func find[T any](m map[string]*T, name string) (*T, bool) {
	v, ok := m[name]
	return v, ok
}

// Unit finds a unit by its ID.
func (m *Model) Unit(id string) (*Unit, bool) { return find(m.index.units, id) }

// Class finds a class by its name.
func (m *Model) Class(name string) (*Class, bool) { return find(m.index.classes, name) }

// Line finds a line by its ID.
func (m *Model) Line(id string) (*Line, bool) { return find(m.index.lines, id) }

// Product finds a product by its name.
func (m *Model) Product(name string) (*Product, bool) { return find(m.index.products, name) }

// Stage finds a stage by its name.
func (m *Model) Stage(name string) (*Stage, bool) { return find(m.index.stages, name) }

// Meter finds a meter by its ID.
func (m *Model) Meter(id string) (*Meter, bool) { return find(m.index.meters, id) }

// Gateway finds a gateway by its name.
func (m *Model) Gateway(name string) (*Gateway, bool) { return find(m.index.gateways, name) }

// Calendar finds a calendar by its name.
func (m *Model) Calendar(name string) (*Calendar, bool) {
	i, ok := m.index.calendars[name]
	if !ok {
		return nil, false
	}
	return &m.Calendars[i], true
}

// Signal finds a signal of the class by its name.
func (c *Class) Signal(name string) (*Signal, bool) {
	for i := range c.Signals {
		if c.Signals[i].Name == name {
			return &c.Signals[i], true
		}
	}
	return nil, false
}

// Tags are the tags of the unit's points, without `line` where it has none.
func (m *Model) Tags(u *Unit) map[string]string {
	tags := map[string]string{"site": m.Site, "area": u.Area, "unit": u.ID}
	if u.Line != "" {
		tags["line"] = u.Line
	}
	return tags
}
