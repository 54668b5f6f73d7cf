// Package plants carries the plant models that are shipped, for programs that need one without a file.
package plants

import _ "embed"

// Demo is the model of the two machines of deploy/demo.
//
//go:embed demo.yaml
var Demo []byte
