package kpi

// Standard is the model that a KPI follows. The same data have two answers, so the model is part of a KPI's name.
type Standard uint8

// The standards.
const (
	ISO Standard = iota // ISO 22400-2: planned busy time below the line
	E79                 // SEMI E10/E79: total time below the line
)

// Subject is what a KPI is asked of.
type Subject uint8

// The subjects.
const (
	Units Subject = iota // one unit, or the sum of several
	Line                 // a line: good pieces at its end against the ideal of its bottleneck. By ISO only
)

// model is a standard applied to a subject: the index of a Definition's formulas.
type model uint8

const (
	isoUnits model = iota
	e79Units
	isoLine
	numModels
)

func modelOf(s Standard, of Subject) (m model, ok bool) {
	switch {
	case s == ISO && of == Units:
		return isoUnits, true
	case s == E79 && of == Units:
		return e79Units, true
	case s == ISO && of == Line:
		return isoLine, true
	default:
		return 0, false
	}
}

// modelNames begin a KPI's full name.
var modelNames = [numModels]string{isoUnits: "iso22400", e79Units: "semi_e79", isoLine: "line"}

// Key names one KPI or quantity.
type Key uint8

// The keys. Up to MTTR they are those of the conformance vectors; their units, formulas and sources are in Definitions.
const (
	Availability Key = iota
	Performance
	Quality
	OEE
	NEE
	TEEP
	OperationalEfficiency
	AvailabilityLow
	AvailabilityHigh
	OEELow
	OEEHigh
	Coverage
	CountCoverage
	PlannedBusyTime
	ProductionTime
	SetupTime
	StopTime
	IdleTime
	UnknownTime
	PlannedDowntime
	UncountedTime
	PiecesTotal
	PiecesGood
	IdealTotal
	IdealGood
	Energy
	EnergyLow
	EnergyHigh
	EnergyCoverage
	MTBF
	MTTR

	// Of ISO 22400-2, beyond the vectors.
	AllocationEfficiency
	UtilizationEfficiency
	TechnicalEfficiency
	SetupRate
	ScrapRatio
	ComprehensiveEnergy

	// Energy per output.
	WattsGood
	EnergyPerGood
	EnergyPerGoodLow
	EnergyPerGoodHigh
	EnergyPerWatt
	EnergyPerWattLow
	EnergyPerWattHigh
	IdleEnergy
	IdleEnergyShare

	NumKeys
)

// lastConformance is the last key that conformance vectors may ask for.
const lastConformance = MTTR

// Name is the key as vectors, queries and tables write it, without the model: "OEE".
func (k Key) Name() string {
	if k >= NumKeys {
		return ""
	}
	return definitions[k].Name
}

func (k Key) String() string { return k.Name() }

// FullName is the key with its model: "iso22400.OEE", "semi_e79.OEE", "line.OEE". It is "" when the model has no such KPI.
func (k Key) FullName(s Standard, of Subject) string {
	m, ok := modelOf(s, of)
	if !ok || k >= NumKeys || definitions[k].Formula[m] == "" {
		return ""
	}
	return modelNames[m] + "." + definitions[k].Name
}

// InVectors says that a conformance vector may expect the key.
func (k Key) InVectors() bool { return k <= lastConformance }

// ParseKey finds a key by its Name.
func ParseKey(name string) (Key, bool) {
	for k := range definitions {
		if definitions[k].Name == name {
			return Key(k), true
		}
	}
	return 0, false
}
