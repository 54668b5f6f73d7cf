package evidence

import "kvarts/historian/ledger"

// PackForTest and UnpackForTest are the codec of facts.
func PackForTest(s *Slice) (string, error) { return newCodes().pack(s) }

func UnpackForTest(text string, f *ledger.Facts) error {
	_, err := newCodes().unpack(text, f)
	return err
}
