package wafering

import (
	"fmt"
	"math"

	"kvarts/deploy/simplant/world"
)

// The wire runs to and fro:
//
//	m/s 34 ┌──────┐          ┌──────┐
//	      ╱        ╲        ╱        ╲
//	   0 ╱          ╲______╱          ╲    one stroke: 30 s
const (
	topSpeed = 34.0 // m/s
	accel    = 6.0  // m/s²
	strokeS  = 30.0
	tension  = 5.2 // N
)

// instruments says how exactly meters measure, and what those show that no phase changes.
func (s *saw) instruments() {
	u := s.u
	for name, sigma := range map[string]float64{
		"table_pos_mm": 0, "wire_used_m": 0, "wire_remaining_km": 0, "feed_rate_mm_per_min": 0.004, "wire_speed_m_per_s": 0.02,
		"wire_accel_m_per_s2": 0.01, "wire_tension_L_n": 0.03, "wire_tension_R_n": 0.03, "wire_tension_l_n": 0.03, "tension_deviation_n": 0.01, "wire_bow_mm": 0.04,
		"vibration_mm_per_s": 0.05, "power_kw": 0.4,
	} {
		u.Noise(name, sigma)
	}
	u.Set("pitch_um", pitchUM)
	u.Set("wire_speed_setpoint_m_per_s", topSpeed)
	u.Set("tension_setpoint_L_n", tension)
	u.Set("tension_setpoint_R_n", tension)
	u.Set("coolant_temp_setpoint_c", 20)
	u.Set("wire_break_count", 0)
	u.SetFlag("jump_wire_alarm", false)
	u.Set("guide_roller_groove_life", float64(s.rollers))
	for name, v := range map[string]float64{
		"motor_temp_c": 45, "bearing_temp_c": 32, "coolant_temp_c": 20.5, "coolant_conductivity_us_per_cm": 150,
		"coolant_si_percent": 1, "coolant_pressure_bar": 1, "wire_temp_c": 22, "vibration_mm_per_s": 0.4, "wire_bow_mm": 0, "wire_diameter_um": 36,
	} {
		u.Follow(name, world.Level(v))
	}
	for i := range 8 {
		for name, v := range map[string]float64{"motor_temp_%d_c": 45, "inverter_temp_%d_c": 36, "bearing_temp_%d_c": 32, "roller_temp_%d_c": 25} {
			u.Follow(fmt.Sprintf(name, i+1), world.Level(v))
		}
	}
	s.cuts(0, 0)
	s.feedWire()
}

// turn lets the wire run or stand.
func (s *saw) turn(on bool) {
	u := s.u
	if !on {
		for _, name := range []string{"wire_speed_m_per_s", "wire_accel_m_per_s2", "new_wire_feed_m_per_min", "feed_rate_mm_per_min"} {
			u.Follow(name, world.Level(0))
		}
		s.pull(func(float64) float64 { return 0 })
		u.Follow("vibration_mm_per_s", world.Level(0.2))
		u.Follow("coolant_flow_l_per_min", world.Level(120))
		s.cool(0)
		return
	}
	u.Follow("wire_speed_m_per_s", wireSpeed)
	u.Follow("wire_accel_m_per_s2", wireAccel)
	s.pull(wireAccel)
	worn := s.worn()
	u.Follow("vibration_mm_per_s", func(t float64) float64 { return 0.3 + 0.02*wireSpeed(t) + 0.5*worn })
	u.Follow("new_wire_feed_m_per_min", world.Level(s.newWire()))
	u.Follow("coolant_flow_l_per_min", world.Level(260))
	u.Follow("wire_diameter_um", world.Level(36-2.2*worn))
}

// wireSpeed and wireAccel are those of a wire that runs since worked seconds.
func wireSpeed(worked float64) float64 {
	t := math.Mod(worked, strokeS)
	return min(topSpeed, accel*t, accel*(strokeS-t))
}

func wireAccel(worked float64) float64 {
	switch t := math.Mod(worked, strokeS); {
	case t < topSpeed/accel:
		return accel
	case t > strokeS-topSpeed/accel:
		return -accel
	default:
		return 0
	}
}

// pull shows the tension on both sides of the web; it differs as the wire is accelerated.
func (s *saw) pull(by world.Curve) {
	u := s.u
	side := func(sign float64) world.Curve {
		return func(t float64) float64 { return tension + sign*0.06*by(t)/accel }
	}
	u.Follow("wire_tension_L_n", side(1))
	u.Follow("wire_tension_l_n", side(1)) // models write either
	u.Follow("wire_tension_R_n", side(-1))
	u.Follow("tension_deviation_n", func(t float64) float64 { return 0.04 + 0.12*math.Abs(by(t))/accel })
}

// newWire is how much of it is fed while the wire runs, in m/min.
func (s *saw) newWire() float64 { return 28 + 6*s.worn() }

// feedWire shows the wire that is used and left, as it goes on.
func (s *saw) feedWire() {
	perSecond := 0.0
	if s.running {
		perSecond = s.newWire() / 60
	}
	s.u.Follow("wire_used_m", world.Line(s.used, perSecond))
	s.u.Follow("wire_remaining_km", world.Line(s.km, -perSecond/1000))
}

// fed counts the wire of so many seconds.
func (s *saw) fed(seconds float64) {
	if s.running {
		s.used += s.newWire() / 60 * seconds
		s.km = max(0, s.km-s.newWire()/60_000*seconds)
	}
}

// cuts shows what follows from a feed rate in mm/min: bow, torque, heat.
func (s *saw) cuts(feed, hard float64) {
	u := s.u
	force := feed / 1.5 * hard * (1 + 0.35*s.worn())
	u.Follow("feed_rate_mm_per_min", world.Level(feed))
	u.Follow("wire_bow_mm", world.Toward(u.Truth("wire_bow_mm"), min(11, 5.2*force), 90))
	u.Set("feed_rate_setpoint_mm_per_min", feed)
	for i := range 6 {
		base := max(1, 12+44*force-2*float64(i))
		torque := func(t float64) float64 { return base + 0.8*wireSpeed(t)/topSpeed }
		u.Follow(fmt.Sprintf("motor_torque_%d_percent", i+1), torque)
		u.Follow(fmt.Sprintf("motor_current_%d_a", i+1), func(t float64) float64 { return 1.6 * torque(t) })
	}
	s.cool(force)
}

// cool shows the coolant, and what it cools.
func (s *saw) cool(force float64) {
	u := s.u
	toward := func(name string, to, tau float64) { u.Follow(name, world.Toward(u.Truth(name), to, tau)) }
	each := func(name string, n int, to, step, tau float64) {
		for i := range n {
			toward(fmt.Sprintf(name, i+1), to-step*float64(i), tau)
		}
	}
	toward("motor_temp_c", 40+34*force, 900) // models have one, or each of them
	each("motor_temp_%d_c", 6, 40+34*force, 1.5, 900)
	each("inverter_temp_%d_c", 6, 34+22*force, 0.8, 600)
	toward("bearing_temp_c", 29+14*force, 700)
	each("bearing_temp_%d_c", 8, 29+14*force, 0.4, 700)
	each("roller_temp_%d_c", 3, 24+9*force, 0.5, 800)
	toward("wire_temp_c", 22+13*force, 60)
	toward("cut_force_n", 620*force, 60)
	toward("feed_force_n", 480*force, 60)
	toward("coolant_temp_c", 20+2.6*force, 240)
	toward("coolant_si_percent", 0.6+4.5*force, 5400)
	toward("coolant_conductivity_us_per_cm", 120+170*force, 3600)
	toward("coolant_pressure_bar", 0.9+1.2*force, 30)
}
