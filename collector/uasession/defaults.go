package uasession

import "time"

// withDefaults fills the zero fields of t with the values that the type's comment names.
func (t Timing) withDefaults() Timing {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&t.Dial, 10*time.Second)
	def(&t.Request, 10*time.Second)
	def(&t.Session, 10*time.Minute)
	def(&t.Lifetime, 10*time.Minute)
	def(&t.KeepAlive, 10*time.Second)
	def(&t.Grace, 5*time.Second)
	def(&t.Reorder, 100*time.Millisecond)
	def(&t.BackoffMin, time.Second)
	def(&t.BackoffMax, time.Minute)
	t.BackoffMax = max(t.BackoffMax, t.BackoffMin)
	def(&t.RetryItem, 10*time.Second)
	def(&t.RetryMax, 10*time.Minute)
	def(&t.StateEvery, 5*time.Second)
	def(&t.ChannelLife, time.Hour)
	def(&t.Drain, 5*time.Second)
	return t
}

// withDefaults fills the zero fields of l with the values that the type's comment names.
func (l Limits) withDefaults() Limits {
	def := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&l.Publish, 3)
	def(&l.Undelivered, 16)
	def(&l.Batch, 500)
	def(&l.BadItems, 20)
	if l.NotificationsPer == 0 {
		l.NotificationsPer = 5000
	}
	if l.MaxMessage == 0 {
		l.MaxMessage = 64 << 20
	}
	return l
}

// withDefaults fills in what the configuration leaves open.
func (c ServerConfig) withDefaults() ServerConfig {
	if c.Policy == "" {
		c.Policy = PolicyAuto
	}
	if c.Mode == "" {
		c.Mode = ModeAuto
	}
	c.Timing = c.Timing.withDefaults()
	c.Limits = c.Limits.withDefaults()
	return c
}
