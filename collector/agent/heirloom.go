package agent

import (
	"maps"
	"sync"

	"kvarts/collector/uasession"
)

// heirlooms keeps what a worker leaves to the next one: the sessions of its servers, and how far their messages are on
// disk. With it the next worker takes sessions over, and what the servers sent to the dead one is asked for again.
//
// It is in memory only, as it holds the sessions' authentication tokens; after the death of the whole collector the time
// until the next session is ledgered instead.
type heirlooms struct {
	mu      sync.Mutex
	estates map[string]*uasession.Estate         // by server
	next    map[string]map[string]uasession.Mark // by server and group: the first message that is not on disk
	stuck   map[string]bool                      // servers of which nothing has reached the disk since they were handed over
}

// leave takes the newest estate of a server; nil when its session was closed.
func (h *heirlooms) leave(server string, e *uasession.Estate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e == nil {
		delete(h.estates, server)
		delete(h.next, server)
		delete(h.stuck, server)
		return
	}
	if h.estates == nil {
		h.estates = map[string]*uasession.Estate{}
	}
	h.estates[server] = e
}

// reached notes that the message mark of a group, and all before it, are on disk.
func (h *heirlooms) reached(server, group string, mark uasession.Mark) {
	if mark.Stream == 0 {
		return // a block without a whole message
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next == nil {
		h.next = map[string]map[string]uasession.Mark{}
	}
	if h.next[server] == nil {
		h.next[server] = map[string]uasession.Mark{}
	}
	h.next[server][group] = uasession.Mark{Stream: mark.Stream, Seq: mark.Seq + 1}
	delete(h.stuck, server)
}

// deadly says that the last worker that took the session of server over got nothing of it to disk.
func (h *heirlooms) deadly(server string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stuck[server]
}

// of returns what is kept of servers.
func (h *heirlooms) of(servers []string) (estates map[string]*uasession.Estate, next map[string]map[string]uasession.Mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	estates, next = map[string]*uasession.Estate{}, map[string]map[string]uasession.Mark{}
	for _, s := range servers {
		if e := h.estates[s]; e != nil {
			estates[s], next[s] = e, maps.Clone(h.next[s])
			if h.stuck == nil {
				h.stuck = map[string]bool{}
			}
			h.stuck[s] = true
		}
	}
	return estates, next
}
