package plant

// Calendar is when units are scheduled to work. (Rules *calendar.Rules joins it as soon as the package calendar has them.)
type Calendar struct {
	Name, Description string
}
