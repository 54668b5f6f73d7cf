package uaserver

import (
	"encoding/binary"
	"time"

	"github.com/gopcua/opcua/ua"
)

// send implements peer: it frames body as the response to requestID. It reports false,
// and sends nothing, when the peer would not take a message of this size.
func (c *conn) send(requestID uint32, body []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	chunks := uint32((len(body) + c.maxSend - chunkHeader - 1) / (c.maxSend - chunkHeader))
	if c.maxMsg != 0 && uint32(len(body)) > c.maxMsg || c.maxCnt != 0 && chunks > c.maxCnt {
		return false
	}
	if c.closing || c.dead {
		return true
	}
	c.out = appendChunks(c.out, body, c.maxSend, c.channel, c.active, requestID, &c.seq)
	c.cond.Broadcast()
	return true
}

// sendRaw implements peer: b goes to the socket as it is.
func (c *conn) sendRaw(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue(b)
}

// queue appends to out; mu is held.
func (c *conn) queue(b []byte) {
	if c.closing || c.dead {
		return
	}
	c.out = append(c.out, b...)
	c.cond.Broadcast()
}

// sendError queues an ERR message (OPC 10000-6 §7.1.2.5).
func (c *conn) sendError(status ua.StatusCode, reason string) {
	body := binary.LittleEndian.AppendUint32(nil, uint32(status))
	c.sendRaw(basicFrame(typeError, appendString(body, reason)))
}

// hangUp implements peer: what is queued is still written, within flushTimeout.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return
	}
	c.closing = true
	// Unblocks a writer that waits for a peer which does not read, and the reader.
	now := time.Now()
	_ = c.nc.SetWriteDeadline(now.Add(flushTimeout))
	_ = c.nc.SetReadDeadline(now)
	c.cond.Broadcast()
}

// abort closes the socket at once, as a power failure or a pulled cable would.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing, c.dead = true, true
	_ = c.nc.Close()
	c.cond.Broadcast()
}

// throttle blocks the reader while too many bytes wait for a peer that does not read.
func (c *conn) throttle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > c.limits.MaxPendingResponseBytes && !c.closing && !c.dead {
		c.cond.Wait()
	}
}

// write is the writer goroutine: it swaps the queued bytes for an empty buffer and
// writes them in one call, so that many small responses cost one system call.
func (c *conn) write() {
	var batch []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && !c.closing && !c.dead {
			c.cond.Wait()
		}
		if c.dead || len(c.out) == 0 { // len 0 here means closing
			c.dead = true
			_ = c.nc.Close()
			c.cond.Broadcast()
			c.mu.Unlock()
			return
		}
		batch, c.out = c.out, batch[:0]
		c.cond.Broadcast()
		c.mu.Unlock()
		if _, err := c.nc.Write(batch); err != nil {
			c.abort()
		}
		if cap(batch) > 8<<20 { // do not keep a rare giant buffer
			batch = nil
		}
	}
}
