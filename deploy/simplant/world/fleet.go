package world

// Makes is the product that the unit makes now, as the model says; "" where it says none.
func (u *Unit) Makes() string {
	name, _ := u.Product.At(u.Now())
	return name
}

// IdealSeconds is the model's shortest time for a piece of that, else otherwise.
func (u *Unit) IdealSeconds(otherwise float64) float64 {
	if s, ok := u.Ideal(u.Makes()).At(u.Now()); ok {
		return s.Float()
	}
	return otherwise
}

// Fleet is how many units of a class there are, and where the unit stands among them (0 when it is of another class): so that a
// fleet need not be in step.
func (u *Unit) Fleet(class string) (n, index int) {
	for _, o := range u.w.units {
		if o.Class.Name != class {
			continue
		}
		if o == u {
			index = n
		}
		n++
	}
	return n, index
}
