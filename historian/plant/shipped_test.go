package plant

import "testing"

func TestShipped(t *testing.T) {
	m, err := Load("../../configs/plants/demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(m.Warnings, len(m.Units))
}
