package plant

import "fmt"

// CollectorConfig is the configuration of one gateway's collector, as YAML text.
func (m *Model) CollectorConfig(gateway string) ([]byte, error) {
	return nil, fmt.Errorf("find gateway %q: the model has none", gateway)
}
