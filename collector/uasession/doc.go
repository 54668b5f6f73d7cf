// Package uasession collects from one OPC UA server: secure channel, session, subscriptions, publish loop, sequence,
// recovery. It stands on the lower half of the gopcua library (uacp, uasc, ua) and brings its own session engine,
// because the library's reconnects lose what the server still holds.
//
// Where to look:
//
//	config.go sink.go       what goes in, what comes out
//	session.go run.go       the state machine
//	channel.go endpoint.go identity.go handshake.go   from TCP to an activated session
//	namespace.go limits.go  what holds for one session only
//	subscribe.go items.go types.go   subscriptions and monitored items
//	publish.go sequence.go notify.go the way of a message
//	recover.go ledger.go    what is missing: asked for again, or ledgered
//	estate.go bequeath.go inherit.go  from one process to the next
//	requests.go             the one door to the machine, and the list of what may pass it
//	visit.go walk.go probe.go browse and probe for the command line
//
// Assumptions. A server that lists a message in AvailableSequenceNumbers gives it again on Republish, or says that it
// does not have it. Sequence numbers of one subscription are given out without a hole. Publish times run with the
// clock that source times are compared with, up to a difference that is measured. A session can be activated on
// another channel by the same user with the same certificate (Part 4 §5.7.3). Where one of them fails, values are
// ledgered as lost, never silently missing, except when the server gives a message number to nothing at all.
//
// A message that makes the library's decoder panic, or loop without end, takes the process with it: the decoder runs
// in a goroutine of its own. Sessions therefore run in a worker process that a supervisor starts again. The next process
// takes the server's session over (Estate), asks for all that is not on disk, and so loses nothing; a message that has
// killed two that said they would ask for it is left out and ledgered. What it cannot do: delete items that the process
// before made without living to tell of them; they report until the subscription ends, and are counted as Strays.
package uasession
