package machine

import (
	"fmt"
	"math"

	"github.com/gopcua/opcua/id"
)

// Phases of a cut, the values of Process/CutPhase.
const (
	sawLoad int32 = iota
	sawWarmup
	sawCutting
	sawDwell
	sawRetract
	sawUnload
	sawWireChange
	sawBreak
)

var sawPhases = []string{"Load", "Warmup", "Cutting", "Dwell", "Retract", "Unload", "WireChange", "Break"}

const (
	bricksPerCut  = 4
	sawPitch      = 182.0 // µm: wafer plus kerf
	cutDepth      = 182.0 // mm, the side of a wafer
	tableClear    = 10.0  // mm below the bricks where cutting ends
	fullSpool     = 60.0  // km
	freshWire     = 36.0  // µm
	wireSpeedTop  = 34.0  // m/s
	wireAccel     = 6.0   // m/s²
	stroke        = 30.0  // s in one direction
	tensionTarget = 5.2   // N
)

// WireSaw is a diamond wire saw that cuts four bricks at a time into wafers. The wire
// runs to and fro; power, torque and heat follow feed rate and the wear of the wire.
type WireSaw struct {
	process
	phase, state int32
	inPh         float64 // seconds in the phase
	strokeAt     float64 // seconds in the stroke
	wear         float64 // 0 fresh … 1 worn

	cutNo                              uint32
	bricks                             [bricksPerCut]string
	brickLength                        float64
	wafers                             uint32
	speed, accel                       float64
	tensionL, tensionR, deviation, bow float64
	table, feed, newWire               float64
	used, remaining, diameter          float64
	grooves                            uint32
	breaks                             uint32
	jump                               bool
	torque                             [2]float64
	motorTemp, bearingTemp, vibration  float64
	flow, temp, conductivity, silicon  float64
	coolantPressure, power, energy     float64
	serial                             int
}

// NewWireSaw returns a saw in the middle of a cut.
func NewWireSaw(opts Options) *WireSaw {
	m := &WireSaw{process: newProcess("urn:kvarts:sim:wire-saw", "Wire saw DW-01", opts)}
	m.advance = m.step
	m.cutNo, m.serial = 20418, 7731
	m.load()
	m.phase, m.state = sawCutting, stateRunning
	m.table, m.feed, m.speed, m.wear = 61, 1.35, wireSpeedTop, 0.3
	m.tensionL, m.tensionR, m.bow = tensionTarget, tensionTarget, 4
	m.remaining, m.diameter, m.grooves, m.newWire = 41.2, freshWire-0.7, 212, 35
	m.motorTemp, m.bearingTemp, m.vibration = 64, 38, 1.1
	m.flow, m.temp, m.conductivity, m.silicon, m.coolantPressure = 260, 21.5, 180, 3.2, 1.8
	m.power, m.energy, m.used = 78, 1_204_551.75, 610
	m.addSignals()
	return m
}

func (m *WireSaw) addSignals() {
	m.process.state("Process/State", machineStates, &m.state)
	m.process.state("Process/CutPhase", sawPhases, &m.phase)
	m.count("Process/CutNo", &m.cutNo)
	for i := range m.bricks {
		m.text(fmt.Sprintf("Process/BrickId_%d", i+1), &m.bricks[i])
	}
	m.analog("Process/BrickLength", onChange, millimetre, 600, 850, 0, &m.brickLength)
	m.count("Process/WafersExpected", &m.wafers)
	pitch := sawPitch
	m.analog("Process/Pitch", onChange, micrometre, 170, 200, 0, &pitch)
	m.analog("Wire/WireSpeed", fast, metrePerSec, 0, 40, 0.02, &m.speed)
	m.analog("Wire/WireAccel", second, metrePerSec2, -10, 10, 0.01, &m.accel)
	m.analog("Wire/WireTension_L", fast, newton, 3, 12, 0.03, &m.tensionL)
	m.analog("Wire/WireTension_R", fast, newton, 3, 12, 0.03, &m.tensionR)
	m.analog("Wire/TensionDeviation", second, newton, 0, 3, 0.005, &m.deviation)
	m.analog("Wire/WireBow", second, millimetre, 0, 12, 0.03, &m.bow)
	m.analog("Wire/NewWireFeed", second, metrePerMin, 0, 100, 0.1, &m.newWire)
	m.analog("Wire/WireUsed", second, metre, 0, 10_000, 0, &m.used)
	m.analog("Wire/WireRemaining", second, kilometre, 0, 100, 0, &m.remaining)
	m.analog("Wire/WireDiameter", second, micrometre, 28, 45, 0.02, &m.diameter)
	m.count("Wire/WireBreakCount", &m.breaks)
	m.flag("Wire/JumpWireAlarm", &m.jump)
	m.analog("Table/TablePos", second, millimetre, 0, 230, 0, &m.table)
	m.analog("Table/FeedRate", second, mmPerMinute, 0, 3, 0.002, &m.feed)
	m.analog("Drive/MotorTorque_1", second, percent, 0, 100, 0.3, &m.torque[0])
	m.analog("Drive/MotorTorque_2", second, percent, 0, 100, 0.3, &m.torque[1])
	m.analog("Drive/MotorTemp", second, celsius, 20, 120, 0.05, &m.motorTemp)
	m.analog("Drive/BearingTemp", second, celsius, 20, 65, 0.03, &m.bearingTemp)
	m.analog("Drive/Vibration", fast, mmPerSecond, 0, 20, 0.05, &m.vibration)
	m.count("Drive/GuideRollerGrooveLife", &m.grooves)
	m.analog("Coolant/CoolantFlow", second, litrePerMin, 80, 400, 0.8, &m.flow)
	m.analog("Coolant/CoolantTemp", second, celsius, 18, 28, 0.02, &m.temp)
	m.analog("Coolant/CoolantConductivity", second, microsiemens, 0, 1000, 0.5, &m.conductivity)
	m.analog("Coolant/CoolantSi", second, percent, 0, 10, 0.01, &m.silicon)
	m.analog("Coolant/CoolantPressure", second, bar, 0, 6, 0.01, &m.coolantPressure)
	m.add(Signal{Path: "Coolant/FilterCloggedAlarm", DataType: id.Boolean}, func() any { return m.coolantPressure > 3 })
	m.analog("Energy/Power", second, kilowatt, 0, 120, 0.3, &m.power)
	m.counter("Energy/EnergyTotal", second, kilowattHour, &m.energy)
}

// load puts four new bricks on the table.
func (m *WireSaw) load() {
	m.brickLength = math.Round(780 + m.noise(15))
	m.brickLength = min(850, max(600, m.brickLength))
	for i := range m.bricks {
		m.serial++
		m.bricks[i] = fmt.Sprintf("B%06d-%d", m.serial/3, m.serial%3+1)
	}
	m.wafers = bricksPerCut * uint32(m.brickLength*1000/sawPitch)
	m.table, m.used = 0, 0
}

// step moves the process by dt seconds.
func (m *WireSaw) step(dt float64) {
	m.inPh += dt
	cutting := m.phase == sawCutting
	m.runWire(dt, cutting || m.phase == sawWarmup || m.phase == sawDwell)

	feed := 0.0
	if cutting {
		// Slow at entry and exit, where the wire web is not supported.
		feed = 1.45 - 0.35*m.wear - 0.7*math.Exp(-m.table/6)
	}
	follow(&m.feed, feed, 20, dt)
	if cutting {
		m.table = min(230, m.table+m.feed*dt/60)
	}
	load := m.feed * (1 + m.wear) / 1.5 * m.speed / wireSpeedTop
	follow(&m.bow, 5.5*load, 60, dt)
	m.torque[0], m.torque[1] = 12+46*load, 11+44*load
	follow(&m.power, 21+1.1*m.speed+24*load, 5, dt)
	m.energy += m.power * dt / hourSeconds
	follow(&m.motorTemp, 30+0.5*m.power, 900, dt)
	follow(&m.bearingTemp, 24+0.45*m.speed, 700, dt)
	follow(&m.vibration, 0.3+0.02*m.speed+0.6*m.wear, 30, dt)
	m.coolant(load, dt, cutting)
	m.events(dt, cutting)
	if m.phaseOver() {
		m.nextPhase()
	}
}

// runWire moves the wire to and fro, with a pause of speed at each turn.
func (m *WireSaw) runWire(dt float64, running bool) {
	var target float64 // speed
	if running {
		m.strokeAt = math.Mod(m.strokeAt+dt, stroke)
		ramp := wireSpeedTop / wireAccel
		target = min(wireSpeedTop, wireAccel*m.strokeAt, wireAccel*max(0, stroke-m.strokeAt))
		m.accel = 0
		if m.strokeAt < ramp {
			m.accel = wireAccel
		} else if m.strokeAt > stroke-ramp {
			m.accel = -wireAccel
		}
	} else {
		m.accel = 0
		target = max(0, m.speed-wireAccel*dt)
	}
	m.speed = target
	m.newWire = 0
	if running {
		m.newWire = 28 + 10*m.wear
	}
	fed := m.newWire * dt / 60 // m
	m.used += fed
	m.remaining = max(0, m.remaining-fed/1000)
	m.diameter = freshWire - 2.5*m.wear
	dev := m.noise(0.01)
	follow(&m.tensionL, tensionTarget+0.05*m.accel/wireAccel+dev, 1, dt)
	follow(&m.tensionR, tensionTarget-0.05*m.accel/wireAccel-dev, 1, dt)
	m.deviation = math.Abs(m.tensionL - m.tensionR)
}

func (m *WireSaw) coolant(load, dt float64, cutting bool) {
	flow := 120.0
	if cutting {
		flow = 260
		m.silicon = min(10, m.silicon+load*dt*2e-5)
		m.wear = min(1, m.wear+load*dt*2.2e-5)
	}
	follow(&m.flow, flow, 15, dt)
	follow(&m.temp, 20+2.5*load, 240, dt)
	follow(&m.conductivity, 120+40*m.silicon, 600, dt)
	follow(&m.coolantPressure, 0.8+m.flow/260+0.08*m.silicon, 10, dt)
}

// events are what happens by chance: wire breaks and jumping wires, more of a worn wire.
func (m *WireSaw) events(dt float64, cutting bool) {
	if cutting && m.chance(0.01+0.05*m.wear, dt) {
		m.breaks++
		m.enter(sawBreak)
		return
	}
	if m.jump {
		m.jump = !m.chance(60, dt)
	} else {
		m.jump = cutting && m.chance(0.4*m.wear, dt)
	}
}

func (m *WireSaw) phaseOver() bool {
	switch m.phase {
	case sawLoad:
		return m.inPh > 600
	case sawWarmup:
		return m.inPh > 240
	case sawCutting:
		return m.table >= cutDepth+tableClear
	case sawDwell:
		return m.inPh > 120
	case sawRetract, sawUnload:
		return m.inPh > 420
	case sawWireChange:
		return m.inPh > 2400
	}
	return m.inPh > 3600 // break: find the end, thread it, go on
}

// nextPhase enters the phase that follows.
func (m *WireSaw) nextPhase() {
	switch m.phase {
	case sawUnload:
		m.cutNo++
		m.grooves++
		m.wear, m.silicon = 0, 0.8 // the next cut begins with fresh wire and coolant
		if m.remaining < 8 {
			m.enter(sawWireChange)
			return
		}
		m.load()
		m.enter(sawLoad)
	case sawWireChange:
		m.remaining = fullSpool
		m.load()
		m.enter(sawLoad)
	case sawBreak:
		m.enter(sawCutting)
	default:
		m.enter(m.phase + 1)
	}
}

func (m *WireSaw) enter(phase int32) {
	m.phase, m.inPh = phase, 0
	switch phase {
	case sawWarmup, sawCutting, sawDwell, sawRetract:
		m.state = stateRunning
	case sawBreak:
		m.state = stateFault
	default:
		m.state = stateSetup
	}
	if phase == sawRetract {
		m.table = 0
	}
}
