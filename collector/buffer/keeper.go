package buffer

import (
	"errors"
	"time"
)

// keepInterval is how often the keeper looks: how much a cursor may be behind on disk after a crash.
const keepInterval = time.Second

// keeper is the goroutine that saves cursors and the state, removes what is delivered, and drops what is too old. What
// fails is tried again in the next round, and is in Stat meanwhile: nothing that it does is needed for the safety of
// records.
func (l *Log) keeper() {
	defer l.workers.Done()
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.stop:
			return
		}
		if l.check() != nil {
			continue
		}
		l.trouble(l.keep())
	}
}

// keep is one round of the keeper.
func (l *Log) keep() error {
	err := l.saveCursors()
	l.wmu.Lock()
	defer l.wmu.Unlock()
	err = errors.Join(err, l.reclaim(), l.expire())
	l.mu.Lock()
	settled := l.settleLosses()
	dirty := l.stateDirty
	l.mu.Unlock()
	if settled || dirty {
		err = errors.Join(err, l.commitState(nil, nil))
	}
	return err
}
