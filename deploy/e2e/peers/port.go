package peers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Ports of peers are taken below the range that the kernel hands out for outgoing connections (Linux: from 32768), so
// that no client takes the port of a server that a test has killed and wants back.
const (
	firstPort = 20000
	lastPort  = 22000 // few, since each leaves a lock file
)

// reservePort finds a free port and keeps it for this test, against every other test process too, until the test ends:
// a server that was killed finds it again. The reservation is a file lock, which the kernel frees whatever happens.
func reservePort(tb testing.TB) int {
	tb.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("kvarts-ports-%d", os.Getuid()))
	for range lastPort - firstPort {
		port := firstPort + rand.IntN(lastPort-firstPort)
		lock, ok, err := tryLock(filepath.Join(dir, strconv.Itoa(port)))
		if err != nil {
			tb.Fatalf("reserve a port: %v", err)
		}
		if !ok {
			continue
		}
		l, err := net.Listen("tcp4", loopback(port))
		if err != nil { // something that is no peer listens there
			lock.Close()
			continue
		}
		l.Close()
		tb.Cleanup(func() { lock.Close() })
		return port
	}
	tb.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
