package config

// level is one kind of block of a configuration file: its name in messages and the keys it may have.
type level struct {
	name string
	keys []string
	// secrets maps keys that people try, and that would hold a secret in the file, to what to write instead.
	secrets map[string]string
}

// The blocks, in the order of configs/collector.example.yaml, which a test holds against these lists.
var (
	levelFile   = level{name: "the file", keys: []string{"collector", "namespaces", "servers", "destinations", "buffer", "status", "pki", "log"}}
	levelServer = level{name: "a server", keys: []string{"name", "endpoint", "security", "auth", "server_certificate", "time", "time_offset", "max_skew",
		"request_timeout", "session_timeout", "backoff", "publish_requests", "allow_index", "namespaces", "tags", "groups"},
		secrets: map[string]string{"password": remedyPassword}}
	levelSecurity = level{name: "security", keys: []string{"policy", "mode"}}
	levelAuth     = level{name: "auth", keys: []string{"user", "password_file", "password_env", "allow_plaintext_password"},
		secrets: map[string]string{"password": remedyPassword, "pass": remedyPassword}}
	levelBackoff = level{name: "backoff", keys: []string{"min", "max"}}
	levelGroup   = level{name: "a group", keys: []string{"name", "measurement", "tags", "publishing", "keep_alive", "lifetime", "sampling", "queue",
		"discard_oldest", "deadband", "class", "path", "nodes"}}
	levelNode = level{name: "a node", keys: []string{"id", "path", "field", "elements", "members", "bytes", "measurement", "tags", "type", "scale", "offset",
		"unit", "sampling", "queue", "discard_oldest", "deadband"}}
	levelPattern     = level{name: "elements", keys: []string{"pattern", "count"}}
	levelDestination = level{name: "a destination", keys: []string{"name", "url", "org", "bucket", "database", "retention_policy", "token_file", "token_env",
		"user", "password_file", "password_env", "proxy", "ca_file", "skip_verify", "timeout", "batch", "quarantine_max_bytes"},
		secrets: map[string]string{"token": remedyToken, "password": remedyPassword}}
	levelBatch  = level{name: "batch", keys: []string{"lines", "bytes"}}
	levelBuffer = level{name: "buffer", keys: []string{"dir", "max_bytes", "max_age", "segment_bytes", "sync_interval", "policy", "retain"}}
	levelStatus = level{name: "status", keys: []string{"listen", "allow_remote"}}
	levelPKI    = level{name: "pki", keys: []string{"dir", "application_uri", "hostnames", "key_bits", "validity", "renew_before"}}
	levelLog    = level{name: "log", keys: []string{"level", "format"}}
)

const (
	remedyPassword = "put the password into a file readable by the collector only and write password_file: FILE, or password_env: NAME for an environment variable"
	remedyToken    = "put the token into a file readable by the collector only and write token_file: FILE, or token_env: NAME for an environment variable"
)

// levels lists all blocks, to tell where a misplaced key belongs.
func levels() []level {
	return []level{levelFile, levelServer, levelSecurity, levelAuth, levelBackoff, levelGroup, levelNode, levelPattern,
		levelDestination, levelBatch, levelBuffer, levelStatus, levelPKI, levelLog}
}

// nearest returns the word most like s, or "" when none is alike: at most one edit for each three letters.
func nearest(s string, words []string) string {
	best, least := "", max(1, len(s)/3)+1
	for _, w := range words {
		if d := editDistance(s, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// maxWordBytes bounds the words that are compared: no key is nearly as long, and the work is quadratic.
const maxWordBytes = 64

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	if len(a) > maxWordBytes || len(b) > maxWordBytes {
		return maxWordBytes
	}
	var rows [3][maxWordBytes + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := &rows[i%3], &rows[(i-1)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := above[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
