package areas

import (
	"kvarts/deploy/simplant/cells"
	"kvarts/deploy/simplant/crystal"
	"kvarts/deploy/simplant/site"
	"kvarts/deploy/simplant/upstream"
	"kvarts/deploy/simplant/wafering"
	"kvarts/deploy/simplant/world"
)

// Processes gives the script of a unit of any class; nil: its signals only wander.
func Processes(u *world.Unit) world.Process {
	for _, room := range []func(*world.Unit) world.Process{upstream.Process, crystal.Process, wafering.Process, cells.Process, site.Process} {
		if p := room(u); p != nil {
			return p
		}
	}
	return nil
}
