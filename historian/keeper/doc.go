// Package keeper keeps the ledger: it computes the slices of every unit and line that are over, stores them, and computes
// again what late data, records or models touched, and nothing else.
//
//	            closed (over for the settle time)          open
//	raw    ·  · ·│· ·  ·  ·│·  ·   ·   ·│·    ·  · │·  ·  ·  ·  now
//	hours  ──────┼─────────┼────────────┼──────────┤
//	                  ▲ late
//	dirty        ├─────────┤            what was recorded there is not what the stored slice was made of (its fingerprint)
//	reach     ├──────────────────┤      whose facts depend on it: readings, stops, bookings and scrap reports across the borders
//	stored    rev 1   rev 1   rev 1     a new revision where the facts differ; the superseded one stays for asof
//
// All state is in the store. Slices that only depend on a touched hour are written before that hour's own, whose fingerprint
// says that it is done; a day's says which revisions of which hours it is the sum of, and a line's those of its units. So
// after a crash at any moment the next cycle finds what is left to do by looking.
//
// Raw data that retention has removed leaves its slices as they are: an hour without any data never replaces one that had some.
package keeper
