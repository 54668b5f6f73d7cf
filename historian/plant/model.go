// Package plant turns the YAML file in which a process engineer describes a plant into a checked Model: areas, calendars,
// products, stages of the value chain, classes of equipment with their signals and state maps, units, lines, meters,
// gateways and alert limits. README.md lists every key.
//
// A Model from Load or Parse is complete: templates are expanded, what a class says is merged under what its unit says, and
// every reference resolves. Every mistake in a file is reported at once, as Problems, each with file, line, column, value,
// what is allowed and what to do; a file with one mistake gives no Model at all, so that no number is ever made from half of
// one. What is allowed but leaves a number without an answer is in Model.Warnings.
//
// Everything that enters a KPI is Dated. A file says what is known of the plant at one moment; which file is in force when,
// and since when that is known, is History.
package plant

import (
	"time"

	"kvarts/historian/exact"
	"kvarts/historian/telemetry"
)

// Model is one checked plant file. Treat it as immutable. Lists are in the order of the file.
type Model struct {
	Name        string // of the model: plant
	Description string
	Site        string // tag `site` of all its units
	Zone        string // IANA name of Location
	Location    *time.Location

	Areas     []Area
	Calendars []Calendar
	Products  []*Product
	Classes   []*Class
	Stages    []*Stage
	Units     []*Unit // templates expanded; at least one
	Lines     []*Line
	Meters    []*Meter
	Gateways  []*Gateway
	Limits    []Limit

	File     string    // as given to Load or Parse; not part of Hash
	Text     []byte    // as read
	Hash     string    // SHA-256 of Text, 64 hex digits
	Warnings []Problem // in order of position

	index index
}

// Area is a part of the site. Its ID is the tag `area` of its units.
type Area struct{ ID, Description string }

// Product is what is made, at any stage of the chain: a kilogram of silicon, a wafer, a module.
type Product struct {
	Name, Description string
	Watts             Dated[exact.Num]            // nominal Wp of one good piece; nil: the pieces have none
	Mass              Dated[exact.Num]            // kg per piece; nil: not said
	Ideal             map[string]Dated[exact.Num] // class → shortest seconds per piece, above 0
}

// Category says what a state means for the time of a unit. The names are those of the ledger and of CONFORMANCE.md.
type Category string

// The categories. The SEMI E10 names in a file become these: PRD Run, SBY Idle, UDT Stop, SDT Planned, ENG Engineering, NST Nonscheduled.
const (
	Unknown      Category = "unknown"
	Run          Category = "run"
	Setup        Category = "setup"
	Stop         Category = "stop"
	Idle         Category = "idle"
	Planned      Category = "planned"
	Engineering  Category = "engineering"
	Nonscheduled Category = "nonscheduled"
)

// Meaning is what one state code says.
type Meaning struct {
	Category Category
	Reason   string // why; "": the code itself is the reason
}

// Codes maps the codes of a state signal, as text, to what they mean. A code that it lacks is unmapped: unknown.
type Codes map[string]Meaning

// StateMap says what the codes of a state signal mean in machines of one namespace: equal numbers mean different states in
// different standards, so that a map is chosen by namespace, never by the numbers.
type StateMap struct {
	Namespace string // URI; "": machines whose namespace has no map of its own
	Codes     Dated[Codes]
}

// Credit says when the pieces of a batch count.
type Credit string

// The credits.
const (
	CreditProgress   Credit = "progress"   // as the batch advances
	CreditCompletion Credit = "completion" // all of it at its end
)

// Class is a kind of equipment.
type Class struct {
	Name        string // = the measurement in which its units' signals are stored
	Description string
	Stage       string // the stage that lists the class; "": none does
	Signals     []Signal

	// The signals that have a role; nil: the class has none for it. They point into Signals.
	State    *Signal // int or string; its codes are in StateMaps
	Total    *Signal // counter of pieces
	Good     *Signal // counter of good pieces
	Scrap    *Signal // counter of scrapped pieces
	Energy   *Signal // register, in kWh
	Power    *Signal // analog, in kW
	Progress *Signal // analog: how far a batch has come, from 0 to ProgressFull
	Product  *Signal // text or int: the name of the product, translated by ProductCodes if there are any
	Reason   *Signal // text or int: why the unit stands, translated by Reasons if there are any
	Batch    *Signal // text or int: a new value is a new batch

	StateMaps    []StateMap        // one for each namespace
	Reasons      map[string]string // code of the signal Reason → words; nil: the code speaks for itself
	ProductCodes map[string]string // value of the signal Product → name of a product; nil: the value is the name

	PieceUnit     string                      // wafer, kg, …: what is counted
	MinorStop     Dated[time.Duration]        // a stop shorter than this between two runs is minor; nil: none is
	Hold          Dated[time.Duration]        // how long a power reading holds; nil: until the next one
	MinKW         Dated[exact.Num]            // least power; nil: 0
	RatedKW       Dated[exact.Num]            // most power; nil: no bound
	Credit        Dated[Credit]               // nil with a counter of pieces; set when Progress is
	BatchQuantity map[string]Dated[exact.Num] // product → pieces of a whole batch, above 0; "": any other product
	ProgressFull  Dated[exact.Num]            // value of Progress at the end of a batch, above 0
}

// SignalType is the type that a signal is stored in.
type SignalType string

// The types.
const (
	Float  SignalType = "float"
	Int    SignalType = "int"
	String SignalType = "string"
)

// Kind says how a signal behaves.
type Kind string

// The kinds.
const (
	Analog   Kind = "analog"   // a measured value
	State    Kind = "state"    // a code that holds until the next one
	Counter  Kind = "counter"  // a cumulative number of pieces or events
	Register Kind = "register" // a cumulative quantity, such as energy
	Text     Kind = "text"     // words
)

// Reporting says what silence of a counter means.
type Reporting string

// The ways to report.
const (
	OnChange Reporting = "on_change" // every change is sent: silence of a unit that is alive means no change
	Periodic Reporting = "periodic"  // sent every so often: silence means nothing
	PerBatch Reporting = "per_batch" // sent at the end of a batch: silence means nothing
)

// Range is what an analog signal can show; Low < High.
type Range struct{ Low, High exact.Num }

// Signal is one stored value of a class.
type Signal struct {
	Name        string // of the field: snake_case with the unit as suffix
	Description string
	Type        SignalType
	Kind        Kind
	Unit        string // of the stored value; "": none
	SourceUnit  string // of the machine's value, which the collector converts; "": as Unit
	Range       *Range // nil: not said
	Reporting   Reporting
	Rules       Dated[Rule] // of a counter or register, from its first day on; a plain reset if the file says nothing

	Node     string        // node id in the unit's namespace, a template with {unit}, {n} and {signal}: see Unit.NodeID
	Sampling time.Duration // how often the server looks; 0: as fast as it can
	Deadband string        // none, 0.5 (of the machine's unit) or 1% (of its range)
}

// RuleKind says what a falling counter means.
type RuleKind string

// The kinds of rules.
const (
	Reset    RuleKind = "reset"    // it began again from zero
	Rollover RuleKind = "rollover" // it passed its modulus
)

// Rule is how a counter counts, in its own unit.
type Rule struct {
	Kind      RuleKind
	Modulus   exact.Num // of a Rollover, above 0
	Epsilon   exact.Num // a fall of at most this is jitter; 0: none is
	MaxPerSec exact.Num // of a Rollover; 0: not said
}

// Unit is one machine.
type Unit struct {
	ID       string // tag `unit`; unique in the model
	Number   int    // {n} of its template; 1 without one
	Area     string // tag `area`
	Line     string // tag `line`; "": none
	Stage    string // of the chain; "": none, as for meters of the whole site
	Meter    string // the meter whose register it is; "": none, so that its energy is its own
	Class    *Class
	Calendar string // name of one of Model.Calendars

	Gateway   string // that collects it; "": none does yet
	Server    string // name of its OPC UA server; units of one gateway may share one
	Endpoint  string // opc.tcp://…
	Namespace string // URI of its nodes, which also chooses its state map

	Product Dated[string] // what it makes where no signal and no order says so; nil: not said
	States  Dated[Codes]  // its state map; nil: the class has no state

	// As those of the class, changed by what the unit says.
	MinorStop Dated[time.Duration]
	Hold      Dated[time.Duration]
	MinKW     Dated[exact.Num]
	RatedKW   Dated[exact.Num]
	Credit    Dated[Credit]

	ideal map[string]Dated[exact.Num] // product → seconds per piece, the product's and the unit's own merged
	own   map[string]Dated[exact.Num] // what the unit itself says of it
}

// Ideal is the shortest time in seconds that a piece of the product takes in the unit; nil when nothing says it.
func (u *Unit) Ideal(product string) Dated[exact.Num] { return u.ideal[product] }

// BatchQuantity is the number of pieces of a whole batch of the product; nil when nothing says it.
func (u *Unit) BatchQuantity(product string) Dated[exact.Num] {
	if q, ok := u.Class.BatchQuantity[product]; ok {
		return q
	}
	return u.Class.BatchQuantity[""]
}

// Stage is one step of the value chain.
type Stage struct {
	Name, Description string
	Output            string           // unit of what it gives: kg, wafer, W, …
	Classes           []string         // whose units belong to it, unless the unit says otherwise
	GoodAt            string           // the class whose good pieces are the stage's good output; one of Classes
	From              string           // the stage before it; "": the first
	Input             Dated[exact.Num] // quantity of From's output used per total piece, above 0; nil when From is ""
	Recycled          Dated[exact.Num] // share of that which comes back from the stage itself, 0 to below 1; nil: none
	Carriers          []string         // forms of energy that it uses; at least electricity
}

// Step is one operation of a line; its units work side by side.
type Step struct {
	Name  string
	Units []string
	Per   Dated[exact.Num] // pieces of the step in one finished unit of the line, above 0; never nil
	// Seconds per finished unit, all of Units together, as the file says it; nil: from the ideals.
	Seconds Dated[exact.Num]
}

// Line is a sequence of steps.
type Line struct {
	ID, Area, Description string
	Product               Dated[string] // that UnitSeconds is for; nil only if every step says its seconds
	Steps                 []Step
	Out                   string // the unit whose good pieces leave the line
	// UnitSeconds is for each unit the shortest time in seconds per finished unit of the line at its step, the step's
	// parallel units taken together: as the file says it, or from Product's ideals.
	UnitSeconds map[string]Dated[exact.Num]
}

// MeterKind says how a meter's energy gets to the units.
type MeterKind string

// The kinds of meters.
const (
	Direct MeterKind = "direct" // all of it is that of its one unit
	Shared MeterKind = "shared" // what its sub-meters leave is divided among its units by a key
)

// KeyKind names what a shared meter's energy is divided by.
type KeyKind string

// The keys.
const (
	KeyDirectKWh KeyKind = "direct_kwh" // in proportion to the units' own energy
	KeyRunHours  KeyKind = "run_hours"
	KeyGoodUnits KeyKind = "good_units"
	KeyFlow      KeyKind = "flow"   // in proportion to the integral of a signal
	KeyShares    KeyKind = "shares" // fixed
)

// Key is how a shared meter's energy is divided.
type Key struct {
	Kind   KeyKind
	Signal string               // of KeyFlow: the name of an analog signal that all the meter's units have
	Shares map[string]exact.Num // of KeyShares: unit → part, above 0; they need not add up to 1, but none may be missing
}

// Meter is an energy meter in the tree of the site.
type Meter struct {
	ID     string
	Parent string // the meter above it; "": the top
	Kind   MeterKind
	Units  []string   // that get its energy: the one unit of a direct meter, those that share what is left of a shared one
	Behind []string   // units whose own registers are below this meter: with the meters whose Parent it is, its sub-meters
	Key    Dated[Key] // of a shared meter with units
	Source string     // the unit whose energy signal is the meter's register; by default the unit of the same ID
}

// Gateway is one collector.
type Gateway struct {
	Name, Description string
	URL               string // of the store
	Database          string // of an InfluxDB 1 or the embedded store; else Org and Bucket
	Org, Bucket       string
	TokenFile         string // "": no login
	Policy, Mode      string // OPC UA security of its servers; auto by default
}

// Severity of a limit.
type Severity string

// The severities.
const (
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Limit is when to tell a person.
type Limit struct {
	Name  string
	Class string   // whose units it is for; "": Units says it
	Units []string // never empty
	// What is looked at: exactly one of the two.
	Signal   string
	KPI      string
	Below    *exact.Num    // nil: no lower limit; at least one of the two is set
	Above    *exact.Num    // nil: no upper limit
	For      time.Duration // for how long
	Severity Severity
	Text     string // what to do
}

// Version is a model that was applied.
type Version struct {
	Model     *Model
	Effective telemetry.Instant // from when on it describes the plant
	Known     telemetry.Instant // when it was applied
	By, Why   string
	Hash      string // of the model's text
}
