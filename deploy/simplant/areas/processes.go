package areas

import "kvarts/deploy/simplant/world"

// Processes gives the script of a unit of any class; nil: its signals only wander.
func Processes(u *world.Unit) world.Process {
	for _, room := range []func(*world.Unit) world.Process{} {
		if p := room(u); p != nil {
			return p
		}
	}
	return nil
}
