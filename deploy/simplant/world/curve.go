package world

import "math"

// Curve is how a measured value goes on, from when it is set: worked is the seconds of work since then. It must be pure: the
// engine asks for the moments at which somebody looks.
type Curve func(worked float64) float64

// Level stays where it is.
func Level(v float64) Curve { return func(float64) float64 { return v } }

// Line goes on from v by perSecond.
func Line(v, perSecond float64) Curve {
	return func(t float64) float64 { return v + perSecond*t }
}

// Between goes from a to b in so many seconds, and stays there.
func Between(a, b, seconds float64) Curve {
	return func(t float64) float64 { return a + (b-a)*min(1, t/max(seconds, 1e-9)) }
}

// Toward comes near b from a with a time constant, as heat does.
func Toward(a, b, tau float64) Curve {
	return func(t float64) float64 { return b + (a-b)*math.Exp(-t/tau) }
}

// Wave adds a sine of an amplitude and a period to c.
func Wave(c Curve, amplitude, period float64) Curve {
	return func(t float64) float64 { return c(t) + amplitude*math.Sin(2*math.Pi*t/period) }
}
