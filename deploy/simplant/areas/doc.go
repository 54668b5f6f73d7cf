// Package areas serves a simulated plant over OPC UA: the world of deploy/simplant/world, with one server for each server
// name of the plant model, as an area's machines share one.
//
//	world ──samples──► Plant.Step ──SetAll──► uaserver: smelter, poly, crystal, …
//	  ▲                    ▲                      ▲
//	  └── Inject: sensors  └── Run: a clock       └── Inject: network, restarts, clocks
//
// A variable has the node id that the model says for the signal (plant.Unit.NodeID), so that the collector configuration of
// the model finds it, and the browse path area/unit/signal. Values are in the unit that the machine speaks
// (plant.Signal.SourceUnit).
package areas
