package plant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"kvarts/historian/calendar"
	"kvarts/historian/markup"
)

// Load reads and checks the file. The error is of type Problems when the file could be read.
func Load(path string) (*Model, error) {
	data, err := format.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read plant model: %w", err)
	}
	return Parse(path, data)
}

// Parse checks the text of a plant file. name stands in messages. The error is nil or of type Problems, with everything that
// is wrong; then there is no Model.
func Parse(name string, text []byte) (*Model, error) {
	doc := format.Parse(name, text)
	root := doc.Root()
	if root == nil {
		return nil, doc.Errors
	}
	d := newDecoder(doc)
	d.file(d.value(root))
	if len(doc.Errors) > 0 {
		return nil, doc.Errors.Arrange()
	}
	m := d.model
	sum := sha256.Sum256(text)
	m.File, m.Text, m.Hash, m.Warnings = name, slices.Clone(text), hex.EncodeToString(sum[:]), doc.Warnings.Arrange()
	return m, nil
}

func newDecoder(doc *markup.Document) *decoder {
	return &decoder{doc: doc, zone: time.UTC,
		model: &Model{Location: time.UTC, index: index{
			calendars: map[string]int{}, products: map[string]*Product{}, classes: map[string]*Class{}, stages: map[string]*Stage{},
			units: map[string]*Unit{}, lines: map[string]*Line{}, meters: map[string]*Meter{}, gateways: map[string]*Gateway{},
		}},
		declared: map[string][]string{}, selected: map[string][]string{}, namespaces: map[*Class]string{}, servers: map[string]string{},
		classIdeals: map[string]dates{}, told: map[string]bool{},
	}
}

// file reads the whole file. What others refer to is read before them, wherever it stands.
func (d *decoder) file(v *value) {
	b := v.block(levelFile)
	m := d.model
	b.require("plant", "write the name of the model, for example wafer-1gw")
	b.name("plant", &m.Name)
	b.text("description", &m.Description)
	b.require("site", "write the site's name; it is the tag site of all units")
	b.name("site", &m.Site)
	d.timeZone(b)
	for _, key := range []string{"areas", "calendars", "classes"} {
		b.require(key, "add it; configs/plants/demo.yaml shows how")
	}
	d.areas(b)
	d.calendars(b)
	d.products(b)
	d.classes(b)
	d.stages(b)
	d.gateways(b)
	d.unitList(b)
	d.lines(b)
	d.meters(b)
	d.limits(b)
}

func (d *decoder) timeZone(b *block) {
	v := b.require("zone", "write an IANA zone, for example Asia/Almaty")
	if v == nil || !b.text("zone", &d.model.Zone) {
		return
	}
	zone, err := calendar.Zone(d.model.Zone)
	if err != nil {
		message, remedy, _ := strings.Cut(err.Error(), "; ")
		v.Fail("this zone cannot be used: "+message, remedy)
		return
	}
	d.zone, d.model.Location = zone, zone
}
