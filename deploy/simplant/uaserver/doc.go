// Package uaserver is an OPC UA server for simulated machines: faithful where a
// collector depends on it, and breakable on purpose where a real server breaks.
//
// It speaks the binary protocol over TCP without security (policy None) and serves
// Discovery, Session, Attribute (Read, HistoryRead), View, MonitoredItem and Subscription
// services after OPC 10000-4. Nothing can be written or called: such requests are refused and
// counted (Server.Mutations), so that a test can prove that a client never tries.
//
//	        goroutine per connection            one lock            one goroutine
//	socket ─ reader: chunks → request ──┐                      ┌── clock: publishing cycles,
//	socket ◄ writer: bytes ◄────────────┴── engine (Server.mu) ┴── session and request timeouts
//	                                             ▲
//	                     Variable.Set, SetAll ───┘  any goroutine of the machine
//
// Everything behind the lock is passive: it is driven by requests, by values and by
// advance(now), so a test may run it with a clock of its own and without a socket.
//
// Structures are encoded and decoded by gopcua's ua package, except data values and
// notifications, which have encoders of their own (wire.go): these are the hot path,
// and they can carry what gopcua's encoder cannot, such as a DateTime of the year 9999.
// Chunks and channels (frame.go, conn.go) are own code as well, because gopcua's server
// side ignores the peer's buffer limits and issues no new token at renewal.
package uaserver
