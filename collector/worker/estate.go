package worker

import "kvarts/collector/uasession"

// Estate implements uasession.Sink.
func (f *feed) Estate(uasession.Estate) {}
