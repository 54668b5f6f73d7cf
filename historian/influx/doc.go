// Package influx is the one client of any InfluxDB: the embedded store, 1.8, 2.x and 3, by URL.
//
// Three facts shape it. First, the same status means different things on different servers, and 204 is no proof that
// all lines are stored: so one function (classify) turns an answer into a Class, from status, body, headers and what is
// known of the server (Habits), and nobody else looks at a status code. Second, points are idempotent (measurement,
// tags, field, time): sending again is always safe, losing is not. Whenever an answer leaves a doubt, the class is the
// one that keeps the lines. Third, a server that nobody has measured gets the most careful habits; Probe measures it.
//
// A Client may be used by any number of goroutines at once. It starts none of its own that outlive a call.
package influx
