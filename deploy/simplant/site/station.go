package site

import (
	"fmt"
	"time"

	"kvarts/deploy/simplant/world"
	"kvarts/historian/plant"
)

const stationClass = "utility"

const (
	regulating = 5 * time.Minute              // between two changes of what runs
	driveKW    = 150.0                        // of a drive at full flow
	driveFlow  = 420.0                        // m³/h of one
	ampsPerKW  = 1 / (1.7320508 * 0.4 * 0.86) // three phases of 400 V
	headerKPa  = 650.0
)

// station is compressors, pumps or fans that keep the pressure of a medium while the plant takes more or less of it. Its energy
// is that of the meter of utilities; here is only what its own instruments show.
type station struct {
	u      *world.Unit
	drives int
}

// Run is the script.
func (s *station) Run(u *world.Unit) {
	s.u = u
	u.Continuous()
	for u.Has(fmt.Sprintf("drive_%d_running", s.drives+1)) {
		s.drives++
	}
	u.Set("mode", 1)
	u.SetFlag("leak_alarm", false)
	u.Set("pressure_setpoint_kpa", headerKPa)
	for i := range s.drives {
		u.SetFlag(fmt.Sprintf("drive_%d_fault", i+1), false)
		u.SetFlag(fmt.Sprintf("filter_%d_alarm", i+1), false)
	}
	lead := u.Rand().IntN(max(1, s.drives))
	for {
		if u.Rand().IntN(12*24*7) == 0 { // the lead changes about once a week, for even wear
			lead = (lead + 1) % max(1, s.drives)
		}
		s.regulate(lead, s.activity())
		u.Wait(regulating)
	}
}

// activity is the part of the plant's machines that run.
func (s *station) activity() float64 {
	all, run := 0, 0
	for _, o := range s.u.World().Units() {
		if o.Class.State == nil {
			continue
		}
		all++
		if o.Category() == plant.Run {
			run++
		}
	}
	return float64(run) / float64(max(1, all))
}

// regulate lets as many drives run as the demand wants, beginning with the lead.
func (s *station) regulate(lead int, demand float64) {
	u := s.u
	n := min(s.drives, 1+int(demand*float64(s.drives-1)))
	flow := demand * driveFlow * float64(s.drives)
	part := min(1, flow/driveFlow/float64(max(1, n)))
	u.Set("lead_drive", float64(lead+1))
	for i := range s.drives {
		s.drive(fmt.Sprintf("drive_%d_", i+1), (i-lead+s.drives)%s.drives < n, part)
	}
	kw := float64(n) * driveKW * (0.25 + 0.75*part)
	u.Follow("flow_m3_per_h", world.Wave(world.Level(flow), 0.01*flow, 700))
	u.Follow("power_kw", world.Level(kw))
	u.Follow("specific_kwh_per_m3", world.Level(kw/max(1, flow)))
	u.Follow("supply_pressure_kpa", world.Wave(world.Level(headerKPa+25), 4, 500))
	u.Follow("header_pressure_kpa", world.Wave(world.Level(headerKPa), 5, 430))
	u.Follow("return_pressure_kpa", world.Wave(world.Level(180), 3, 610))
	u.Noise("specific_kwh_per_m3", 0.001)
}

// drive is what one drive shows.
func (s *station) drive(name string, on bool, part float64) {
	u := s.u
	u.SetFlag(name+"running", on)
	amps, rpm, kpa, bearing, winding, shake := 0.0, 0.0, 0.0, 28.0, 30.0, 0.1
	if on {
		kw := driveKW * (0.25 + 0.75*part)
		amps, rpm, kpa = kw*ampsPerKW, 1100+1850*part, headerKPa+40
		bearing, winding, shake = 48+12*part, 62+30*part, 1.2+0.8*part
	}
	u.Follow(name+"current_a", world.Level(amps))
	u.Follow(name+"speed_rpm", world.Level(rpm))
	u.Follow(name+"discharge_kpa", world.Level(kpa))
	u.Follow(name+"bearing_temp_c", world.Level(bearing))
	u.Follow(name+"winding_temp_c", world.Level(winding))
	u.Follow(name+"vibration_mm_per_s", world.Level(shake))
}
