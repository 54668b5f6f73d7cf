package influx

import (
	"bytes"
	"context"
	"fmt"

	"github.com/klauspost/compress/gzip"
)

// WriteLines posts n lines of line protocol with ns times as one batch, compressed. It is for who made the lines and checked them,
// so that one that the server refuses is an error as any other; nothing is tried again. A batch without lines is no request.
func (c *Client) WriteLines(ctx context.Context, lines []byte, n int) error {
	if n == 0 {
		return nil
	}
	member, err := gzipMember(lines)
	if err != nil {
		return fmt.Errorf("compress %d lines: %w", n, err)
	}
	if r := c.WriteGzip(ctx, [][]byte{member}, n); r.Class != OK {
		return fmt.Errorf("write %d lines: %w", n, r.Err)
	}
	return nil
}

// gzipMember is text as one gzip member.
func gzipMember(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	return b.Bytes(), err
}
