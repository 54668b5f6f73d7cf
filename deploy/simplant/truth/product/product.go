// Package product puts what the product answers into the terms of the truth, so that the two can be compared: the one place
// beside the simulated plant that knows the product's engine.
package product

import (
	"kvarts/deploy/simplant/truth/contract"
	"kvarts/historian/answer"
	"kvarts/historian/exact"
	"kvarts/historian/kpi"
)

// Of is what a row of an answer says.
func Of(row *answer.Row) contract.Answer {
	a := contract.Answer{Numbers: map[string]exact.Num{}, Reason: string(row.Result.Reason())}
	for k := kpi.Key(0); k < kpi.NumKeys; k++ {
		if v := row.Result.Get(k); k.InVectors() && !v.Null {
			a.Numbers[k.Name()] = v.Num
		}
	}
	for _, code := range row.Result.Codes() {
		a.Findings = append(a.Findings, string(code))
	}
	return a
}
