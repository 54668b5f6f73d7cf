package record

import (
	"fmt"
)

// Outcome is what entering a record comes to.
type Outcome string

// The outcomes.
const (
	New       Outcome = "new"
	Known     Outcome = "known"     // stored already, now or as an earlier revision: nothing to write
	Corrected Outcome = "corrected" // of the same id, but it says something else: a new revision
)

// Merge is what to write when row is entered and stored are the revisions of its id. What is stored already, be it as a revision
// that was corrected or withdrawn since, is known: so that a file may be imported again and again, and never undoes a correction.
func Merge(stored []Record, row Record) ([]Record, Outcome, error) {
	if len(stored) == 0 {
		return []Record{row}, New, nil
	}
	for i := range stored {
		if !stored[i].Moved && stored[i].Same(&row) {
			return nil, Known, nil
		}
	}
	latest := Latest(stored)
	if latest.Moved {
		return nil, "", fmt.Errorf("record %s: revision %d is not among the revisions found", row.ID, latest.Revision)
	}
	write, err := latest.Correct(row)
	return write, Corrected, err
}
