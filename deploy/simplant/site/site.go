// Package site is what belongs to the plant as a whole: energy meters and utilities, and a plain script for machines of classes
// that no other package knows.
//
// A meter measures what the meters below it measure, the units that hang on it, and its own load: the losses of cables and
// transformers or, of a meter of utilities, what pumps and compressors draw while those units work that it is divided among.
package site

import (
	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

// Process is the script of a meter or of a machine that is not known otherwise; nil where there is nothing to do but wander.
func Process(u *world.Unit) world.Process {
	switch {
	case metered(u) != nil:
		return &meter{}
	case u.Class.Name == stationClass && u.Class.State == nil:
		return &station{}
	case u.Class.State != nil && u.Class.Total != nil:
		return &machine{}
	default:
		return nil
	}
}

// metered is the model's meter whose register u is; nil: it is none.
func metered(u *world.Unit) *plant.Meter {
	if u.Meter == "" || u.Class.Energy == nil {
		return nil
	}
	m, _ := u.World().Model().Meter(u.Meter)
	return m
}
