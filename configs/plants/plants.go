// Package plants carries the plant models that are shipped, for programs that need one without a file.
package plants

import _ "embed"

// Demo is a small plant of the whole chain, which deploy/demo shows.
//
//go:embed demo.yaml
var Demo []byte

// OneGW is the chain of a plant of 1 GW a year.
//
//go:embed chain-1gw.yaml
var OneGW []byte

// TwoGW is the chain of a plant of 2 GW a year.
//
//go:embed chain-2gw.yaml
var TwoGW []byte
