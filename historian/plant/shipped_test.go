package plant

import (
	"path/filepath"
	"testing"
)

func TestShipped(t *testing.T) {
	files, _ := filepath.Glob("../../configs/plants/*.yaml")
	for _, f := range files {
		m, err := Load(f)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Log(f, m.Warnings, len(m.Units))
	}
}
