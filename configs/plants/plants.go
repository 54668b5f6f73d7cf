// Package plants carries the plant models that are shipped, for programs that need one without a file.
package plants

import _ "embed"

// Demo is the model of the two machines of deploy/demo.
//
//go:embed bench.yaml
var Demo []byte

// Living is a small plant of the whole chain, which deploy/simplant simulates.
//
//go:embed demo.yaml
var Living []byte

// OneGW is the chain of a plant of 1 GW a year.
//
//go:embed chain-1gw.yaml
var OneGW []byte

// TwoGW is the chain of a plant of 2 GW a year.
//
//go:embed chain-2gw.yaml
var TwoGW []byte
