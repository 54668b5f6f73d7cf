// Package machine simulates machines of a silicon plant as sources of OPC UA samples.
//
// A machine is deterministic: seed, options and the instants that it is asked about
// decide every sample, whatever the sizes of the steps. Attach gives it an address space
// in a uaserver.Server (Objects/Machine/<group>/<signal>), Runner.Run drives it by a clock.
package machine

import (
	"time"

	"kvarts/deploy/simplant/uaserver"

	"github.com/gopcua/opcua/ua"
)

// Machine is a simulated machine. It need not be safe for concurrent use.
type Machine interface {
	// URI is the namespace of the machine's nodes, such as urn:kvarts:sim:cz-puller.
	URI() string
	// Name is what a person calls it.
	Name() string
	// Signals describes its variables; the result never changes.
	Signals() []Signal
	// Step advances the machine to now and appends the samples made on the way, each
	// signal's in order of time. The first call starts the machine at now, cut to 100 ms,
	// with one sample of every signal. An earlier now than before makes none.
	Step(now time.Time, out []Reading) []Reading
}

// Signal describes one variable of a machine.
type Signal struct {
	Path        string        // below Objects/Machine: "Heater/MainHeaterPower"
	DataType    uint32        // node id in namespace 0
	Period      time.Duration // a sample every so often, a multiple of 100 ms; 0: on change
	Unit        *uaserver.Unit
	Range       *uaserver.Range
	States      []string // names of the values of an enumeration
	Description string
}

// Reading is one sample.
type Reading struct {
	Signal int // index in Signals
	Value  any
	Status ua.StatusCode
	At     time.Time // multiple of 100 ns
}

// Units used by the machines, with their UNECE codes (Recommendation 20).
var (
	kilowatt      = &uaserver.Unit{Code: "KWT", Name: "kW", Text: "kilowatt"}
	kilowattHour  = &uaserver.Unit{Code: "KWH", Name: "kW·h", Text: "kilowatt hour"}
	celsius       = &uaserver.Unit{Code: "CEL", Name: "°C", Text: "degree Celsius"}
	kelvin        = &uaserver.Unit{Code: "KEL", Name: "K", Text: "kelvin"}
	millimetre    = &uaserver.Unit{Code: "MMT", Name: "mm", Text: "millimetre"}
	micrometre    = &uaserver.Unit{Code: "4H", Name: "µm", Text: "micrometre"}
	mmPerMinute   = &uaserver.Unit{Code: "H81", Name: "mm/min", Text: "millimetre per minute"}
	metrePerSec   = &uaserver.Unit{Code: "MTS", Name: "m/s", Text: "metre per second"}
	metrePerMin   = &uaserver.Unit{Code: "2X", Name: "m/min", Text: "metre per minute"}
	metrePerSec2  = &uaserver.Unit{Code: "MSK", Name: "m/s²", Text: "metre per second squared"}
	metre         = &uaserver.Unit{Code: "MTR", Name: "m", Text: "metre"}
	kilometre     = &uaserver.Unit{Code: "KMT", Name: "km", Text: "kilometre"}
	kilogram      = &uaserver.Unit{Code: "KGM", Name: "kg", Text: "kilogram"}
	rpm           = &uaserver.Unit{Code: "RPM", Name: "r/min", Text: "revolutions per minute"}
	litrePerMin   = &uaserver.Unit{Code: "L2", Name: "l/min", Text: "litre per minute"}
	standardLitre = &uaserver.Unit{Name: "slpm", Text: "standard litre per minute"}
	torr          = &uaserver.Unit{Code: "UA", Name: "Torr", Text: "torr"}
	hertz         = &uaserver.Unit{Code: "HTZ", Name: "Hz", Text: "hertz"}
	percent       = &uaserver.Unit{Code: "P1", Name: "%", Text: "percent"}
	hour          = &uaserver.Unit{Code: "HUR", Name: "h", Text: "hour"}
	newton        = &uaserver.Unit{Code: "NEW", Name: "N", Text: "newton"}
	bar           = &uaserver.Unit{Code: "BAR", Name: "bar", Text: "bar"}
	microsiemens  = &uaserver.Unit{Code: "G42", Name: "µS/cm", Text: "microsiemens per centimetre"}
	mmPerSecond   = &uaserver.Unit{Code: "C16", Name: "mm/s", Text: "millimetre per second"}
)
