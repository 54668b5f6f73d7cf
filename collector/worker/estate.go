package worker

import (
	"fmt"
	"sync"

	"kvarts/collector/uasession"
)

// Estate is what the next worker needs to go on with the session of one server. The parent keeps the newest in memory.
type Estate struct {
	Server string
	Estate *uasession.Estate // nil: there is nothing to go on with
}

// legacy is the newest estate of a session until it is on its way to the parent.
type legacy struct {
	mu     sync.Mutex
	estate *uasession.Estate
	fresh  bool // not sent yet
}

// Estate implements uasession.Sink. It is sent before the next block of the server, at the latest with the next flush.
func (f *feed) Estate(e uasession.Estate) {
	f.legacy.mu.Lock()
	defer f.legacy.mu.Unlock()
	f.legacy.estate, f.legacy.fresh = &e, true
}

// sendEstate sends the newest estate if it was not yet. f.mu is held, so estates go out in their order.
func (f *feed) sendEstate() error {
	f.legacy.mu.Lock()
	e, fresh := f.legacy.estate, f.legacy.fresh
	f.legacy.fresh = false
	f.legacy.mu.Unlock()
	if !fresh {
		return nil
	}
	if e.Empty() {
		e = nil
	}
	if err := f.w.out.JSON(KindEstate, Estate{Server: f.name, Estate: e}); err != nil {
		return fmt.Errorf("hand over the session of %s: %w", f.name, err)
	}
	return nil
}
