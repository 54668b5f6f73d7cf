package machine

import (
	"fmt"
	"math"
)

// Phases of a Czochralski run, the values of Process/Phase.
const (
	czClean int32 = iota
	czCharge
	czEvacuate
	czLeakCheck
	czMelt
	czStabilise
	czDip
	czNeck
	czCrown
	czBody
	czTail
	czDetach
	czRecharge
	czCool
	czRemove
)

var czPhases = []string{
	"Clean", "Charge", "Evacuate", "LeakCheck", "Melt", "Stabilise", "Dip", "Neck",
	"Crown", "Body", "Tail", "Detach", "Recharge", "Cool", "Remove",
}

// Machine states, the values of Process/State of both machines.
const (
	stateIdle int32 = iota
	stateRunning
	stateSetup
	stateFault
)

var machineStates = []string{"Idle", "Running", "Setup", "Fault"}

// czPhase is the recipe of one phase: how long it lasts and what it aims at.
type czPhase struct {
	seconds  float64 // 0: ends by its own condition (crown, body, tail)
	state    int32
	main     float64 // main heater, kW
	bottom   float64 // bottom heater, kW
	heater   float64 // main heater temperature, °C
	melt     float64 // melt temperature, °C
	argon    float64 // slpm
	pressure float64 // Torr
	seedRot  float64 // rpm
	crucible float64 // rpm
	pull     float64 // mm/min
}

const hourSeconds = 3600

// czRecipe has an entry per phase. Powers and temperatures are typical of a 36-inch hot
// zone; where the plant's tag list gives a range they lie in it.
var czRecipe = [...]czPhase{
	czClean:     {2 * hourSeconds, stateSetup, 0, 0, 1300, 1400, 20, 30, 0, 0, 0},
	czCharge:    {1 * hourSeconds, stateSetup, 0, 0, 1300, 1400, 20, 30, 0, 0, 0},
	czEvacuate:  {0.7 * hourSeconds, stateSetup, 0, 0, 1300, 1400, 30, 5, 0, 1, 0},
	czLeakCheck: {0.3 * hourSeconds, stateSetup, 0, 0, 1300, 1400, 20, 5, 0, 1, 0},
	czMelt:      {6 * hourSeconds, stateRunning, 135, 60, 1560, 1450, 60, 15, 0, 2, 0},
	czStabilise: {1.5 * hourSeconds, stateRunning, 92, 20, 1490, 1421, 80, 12, 8, 8, 0},
	czDip:       {0.4 * hourSeconds, stateRunning, 88, 18, 1485, 1416, 80, 12, 8, 8, 0},
	czNeck:      {1 * hourSeconds, stateRunning, 86, 16, 1482, 1414, 80, 12, 8, 8, 4},
	czCrown:     {0, stateRunning, 82, 14, 1476, 1412, 80, 12, 8, 8, 0.9},
	czBody:      {0, stateRunning, 78, 12, 1470, 1412, 80, 12, 8, 8, 1.5},
	czTail:      {0, stateRunning, 84, 14, 1478, 1414, 80, 12, 8, 8, 2.2},
	czDetach:    {0.3 * hourSeconds, stateRunning, 80, 14, 1475, 1418, 80, 12, 4, 4, 8},
	czRecharge:  {2 * hourSeconds, stateRunning, 110, 45, 1520, 1430, 60, 15, 0, 2, 0},
	czCool:      {6 * hourSeconds, stateRunning, 0, 0, 1300, 1400, 40, 30, 0, 0, 0},
	czRemove:    {1 * hourSeconds, stateSetup, 0, 0, 1300, 1400, 20, 30, 0, 0, 0},
}

const (
	siliconDensity = 2330.0 // kg/m³, solid
	bodyDiameter   = 252.0  // mm, for 182 mm wafers
	czCharge0      = 450.0  // kg, first charge of a run
	czRecharged    = 180.0  // kg, added for each further ingot
	ingotsPerRun   = 5
	bodyLength     = 4200.0 // mm, or until the melt is used up
	meltReserve    = 60.0   // kg that stay for the tail and in the crucible
)

// CZPuller is a Czochralski crystal puller: several ingots per run from a crucible that
// is recharged. Crystal weight follows diameter and pull speed, and what the crystal
// gains the melt loses.
type CZPuller struct {
	process
	phase  int32
	state  int32
	inPh   float64 // seconds in the phase
	length float64 // mm of crystal since dip

	recipe                                string
	run, ingot                            uint32
	runHours                              float64
	mainPower, bottomPower                float64
	heaterTemp, meltTemp                  float64
	diameter, pull, seedPos, seedRot      float64
	crucibleRot, cruciblePos, gap         float64
	weight, melt, charge, argon, pressure float64
	pumpFreq, throttle                    float64
	waterFlow, waterIn, waterOut, hotzone float64
	cameraOK, loss, seedBroken, powerFail bool
	lossLength, energy                    float64
	drift                                 float64 // slow wander of the diameter control
}

// NewCZPuller returns a puller in the middle of the body of its first ingot: most of a
// puller's life, and what a visitor wants to see.
func NewCZPuller(opts Options) *CZPuller {
	m := &CZPuller{process: newProcess("urn:kvarts:sim:cz-puller", "Crystal puller CZ-01", opts)}
	m.advance = m.step
	m.run, m.ingot, m.phase = 118, 1, czBody
	r := czRecipe[czBody]
	m.state, m.recipe = r.state, m.recipeName()
	m.mainPower, m.bottomPower, m.heaterTemp, m.meltTemp = r.main, r.bottom, r.heater, r.melt
	m.argon, m.pressure, m.seedRot, m.crucibleRot, m.pull = r.argon, r.pressure, r.seedRot, r.crucible, r.pull
	m.diameter, m.length, m.seedPos, m.gap = bodyDiameter, 640, 900, 25
	m.charge, m.weight = czCharge0, 82.5
	m.melt, m.runHours, m.energy = m.charge-m.weight, 31.4, 412_880.25
	m.waterFlow, m.waterIn, m.pumpFreq, m.throttle, m.cameraOK = 240, 22, 50, 42, true
	m.addSignals()
	return m
}

func (m *CZPuller) addSignals() {
	m.processSignals()
	m.analog("Heater/MainHeaterPower", second, kilowatt, 0, 180, 0.25, &m.mainPower)
	m.analog("Heater/BottomHeaterPower", second, kilowatt, 0, 90, 0.15, &m.bottomPower)
	m.analog("Heater/MainHeaterTemp", second, celsius, 1300, 1600, 0.3, &m.heaterTemp)
	m.analog("Heater/MeltTemp", second, celsius, 1400, 1470, 0.08, &m.meltTemp)
	m.analog("Pulling/Diameter", fast, millimetre, 0, 310, 0.06, &m.diameter)
	m.analog("Pulling/PullSpeed", fast, mmPerMinute, 0, 8, 0.008, &m.pull)
	m.analog("Pulling/SeedPos", second, millimetre, 0, 5500, 0, &m.seedPos)
	m.analog("Pulling/SeedRot", second, rpm, 0, 20, 0.01, &m.seedRot)
	m.analog("Pulling/CrucibleRot", second, rpm, 0, 15, 0.01, &m.crucibleRot)
	m.analog("Pulling/CruciblePos", second, millimetre, 0, 600, 0, &m.cruciblePos)
	m.analog("Pulling/MeltLevelGap", second, millimetre, 10, 40, 0.05, &m.gap)
	m.analog("Pulling/CrystalWeight", second, kilogram, 0, 450, 0.01, &m.weight)
	m.analog("Pulling/RemainingMelt", second, kilogram, 0, 600, 0.02, &m.melt)
	m.analog("Gas/ArgonFlow", second, standardLitre, 20, 150, 0.2, &m.argon)
	m.analog("Gas/ChamberPressure", fast, torr, 5, 30, 0.03, &m.pressure)
	m.analog("Gas/VacuumPumpFreq", second, hertz, 0, 60, 0.02, &m.pumpFreq)
	m.analog("Gas/ThrottlePos", second, percent, 0, 100, 0.1, &m.throttle)
	m.analog("Cooling/WaterFlow", second, litrePerMin, 0, 400, 0.6, &m.waterFlow)
	m.analog("Cooling/WaterIn", second, celsius, 10, 40, 0.02, &m.waterIn)
	m.analog("Cooling/WaterOut", second, celsius, 10, 60, 0.02, &m.waterOut)
	m.analog("Cooling/HotzoneDeltaT", second, kelvin, 0, 30, 0.02, &m.hotzone)
	m.flag("Vision/CCDImageOK", &m.cameraOK)
	m.flag("Vision/StructureLoss", &m.loss)
	m.analog("Vision/StructureLossLength", onChange, millimetre, 0, 5500, 0, &m.lossLength)
	m.flag("Vision/SeedBroken", &m.seedBroken)
	m.flag("Energy/PowerFail", &m.powerFail)
	m.counter("Energy/EnergyTotal", second, kilowattHour, &m.energy)
}

// processSignals adds the signals of the group Process.
func (m *CZPuller) processSignals() {
	m.process.state("Process/State", machineStates, &m.state)
	m.process.state("Process/Phase", czPhases, &m.phase)
	m.text("Process/RecipeId", &m.recipe)
	m.count("Process/IngotIndex", &m.ingot)
	m.analog("Process/RunHours", second, hour, 0, 450, 0, &m.runHours)
	m.analog("Process/ChargeMass", onChange, kilogram, 0, 600, 0, &m.charge)
}

func (m *CZPuller) recipeName() string {
	return fmt.Sprintf("N182-%d-R%04d", int(bodyDiameter), m.run)
}

// step moves the process by dt seconds.
func (m *CZPuller) step(dt float64) {
	r := czRecipe[m.phase]
	m.inPh += dt
	m.runHours += dt / hourSeconds
	m.energy += (m.mainPower + m.bottomPower + 8) * dt / hourSeconds // 8 kW of pumps and drives
	m.drift += -m.drift*dt/900 + m.noise(0.02)*math.Sqrt(dt)

	follow(&m.mainPower, r.main+0.3*m.drift, 120, dt)
	follow(&m.bottomPower, r.bottom, 120, dt)
	follow(&m.heaterTemp, r.heater-0.5*m.drift, 900, dt)
	follow(&m.meltTemp, r.melt-0.2*m.drift, 1200, dt)
	follow(&m.argon, r.argon, 20, dt)
	follow(&m.pressure, r.pressure, 60, dt)
	follow(&m.seedRot, r.seedRot, 15, dt)
	follow(&m.crucibleRot, r.crucible, 15, dt)
	follow(&m.throttle, 100-0.6*m.argon-m.pressure, 10, dt)
	follow(&m.pumpFreq, 30+m.argon/4, 10, dt)
	follow(&m.waterIn, 22+1.5*math.Sin(m.runHours/24*2*math.Pi), 300, dt)
	heat := m.mainPower + m.bottomPower
	follow(&m.waterOut, m.waterIn+heat*14.3/m.waterFlow, 60, dt) // kW to K at 14.3 l·K/(kW·min)
	m.hotzone = m.waterOut - m.waterIn

	m.grow(r, dt)
	m.events(dt)
	if m.phaseOver(r) {
		m.nextPhase()
	}
}

// grow moves the crystal: what it weighs more, the melt weighs less.
func (m *CZPuller) grow(r czPhase, dt float64) {
	switch m.phase {
	case czNeck, czCrown, czBody, czTail:
	default:
		follow(&m.pull, r.pull, 5, dt)
		m.seedPos = min(5500, m.seedPos+m.pull*dt/60)
		if m.phase < czDip || m.phase > czDetach {
			follow(&m.seedPos, 0, 120, dt)
			follow(&m.cruciblePos, 0, 120, dt)
		}
		return
	}
	target, tau := shape(m.phase)
	follow(&m.diameter, target+m.drift, tau, dt)
	follow(&m.pull, r.pull+0.05*(m.diameter-target-m.drift)/5+0.02*m.drift, 30, dt)
	m.pull = max(0.2, m.pull)
	grown := m.pull * dt / 60 // mm
	m.length += grown
	m.seedPos = min(5500, m.seedPos+grown)
	mass := math.Pi / 4 * m.diameter * m.diameter * grown * 1e-9 * siliconDensity
	mass = min(mass, max(0, m.melt))
	m.weight += mass
	m.melt -= mass
	m.cruciblePos = min(600, (m.charge-m.melt)*0.9) // the crucible follows the falling melt
	follow(&m.gap, 25, 60, dt)
}

// shape returns the diameter in mm that a growing phase aims at and its time constant
// in seconds.
func shape(phase int32) (target, tau float64) {
	switch phase {
	case czNeck:
		return 5, 300
	case czCrown:
		return bodyDiameter, 3000
	case czTail:
		return 20, 4000
	}
	return bodyDiameter, 600
}

// events are what happens by chance: structure losses, a lost camera image.
func (m *CZPuller) events(dt float64) {
	if m.phase == czBody && !m.loss && m.chance(0.006, dt) {
		m.loss, m.lossLength = true, math.Round(m.length)
	}
	if m.cameraOK {
		m.cameraOK = !m.chance(0.2, dt)
	} else {
		m.cameraOK = m.chance(30, dt)
	}
}

func (m *CZPuller) phaseOver(r czPhase) bool {
	switch m.phase {
	case czCrown:
		return m.diameter > bodyDiameter-3
	case czBody:
		return m.loss || m.length > bodyLength || m.melt < meltReserve
	case czTail:
		return m.diameter < 30 || m.melt <= 1
	}
	return m.inPh >= r.seconds
}

// nextPhase enters the phase that follows; a run makes several ingots.
func (m *CZPuller) nextPhase() {
	m.inPh = 0
	switch m.phase {
	case czDetach:
		m.phase = czRecharge
		if m.ingot >= ingotsPerRun {
			m.phase = czCool
		}
		m.diameter = 0
	case czRecharge:
		m.charge = min(600, m.melt+czRecharged)
		m.melt = m.charge
		m.ingot++
		m.newCrystal()
		m.phase = czStabilise
	case czRemove:
		m.phase = czClean
		m.run++
		m.ingot, m.runHours, m.recipe = 1, 0, ""
		m.charge, m.melt = 0, 0 // what is left is knocked out with the crucible
		m.newCrystal()
	case czClean:
		m.phase = czCharge
		m.recipe = m.recipeName()
	case czCharge:
		m.charge, m.melt = czCharge0, czCharge0
		m.phase = czEvacuate
	default:
		m.phase++
	}
	m.state = czRecipe[m.phase].state
}

func (m *CZPuller) newCrystal() {
	m.weight, m.length, m.lossLength, m.loss = 0, 0, 0, false
}
