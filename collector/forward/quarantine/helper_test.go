package quarantine

import (
	"bytes"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

func gunzipLines(members [][]byte) []string {
	z, err := gzip.NewReader(bytes.NewReader(bytes.Join(members, nil)))
	if err != nil {
		panic(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}
