package config

import "kvarts/historian/markup"

// The blocks, in the order of configs/collector.example.yaml, which a test holds against these lists.
var (
	levelFile   = markup.Level{Name: "the file", Keys: []string{"collector", "namespaces", "servers", "destinations", "buffer", "status", "pki", "log"}}
	levelServer = markup.Level{Name: "a server", Keys: []string{"name", "endpoint", "security", "auth", "server_certificate", "time", "time_offset", "max_skew",
		"request_timeout", "session_timeout", "backoff", "publish_requests", "allow_index", "namespaces", "tags", "groups"},
		Secrets: map[string]string{"password": remedyPassword}}
	levelSecurity = markup.Level{Name: "security", Keys: []string{"policy", "mode"}}
	levelAuth     = markup.Level{Name: "auth", Keys: []string{"user", "password_file", "password_env", "allow_plaintext_password"},
		Secrets: map[string]string{"password": remedyPassword, "pass": remedyPassword}}
	levelBackoff = markup.Level{Name: "backoff", Keys: []string{"min", "max"}}
	levelGroup   = markup.Level{Name: "a group", Keys: []string{"name", "measurement", "tags", "publishing", "keep_alive", "lifetime", "sampling", "queue",
		"discard_oldest", "deadband", "class", "path", "nodes"}}
	levelNode = markup.Level{Name: "a node", Keys: []string{"id", "path", "field", "elements", "members", "bytes", "measurement", "tags", "type", "scale", "offset",
		"unit", "sampling", "queue", "discard_oldest", "deadband"}}
	levelPattern     = markup.Level{Name: "elements", Keys: []string{"pattern", "count"}}
	levelDestination = markup.Level{Name: "a destination", Keys: []string{"name", "url", "org", "bucket", "database", "retention_policy", "token_file", "token_env",
		"user", "password_file", "password_env", "proxy", "ca_file", "skip_verify", "timeout", "batch", "quarantine_max_bytes"},
		Secrets: map[string]string{"token": remedyToken, "password": remedyPassword}}
	levelBatch  = markup.Level{Name: "batch", Keys: []string{"lines", "bytes"}}
	levelBuffer = markup.Level{Name: "buffer", Keys: []string{"dir", "max_bytes", "max_age", "segment_bytes", "sync_interval", "policy", "retain"}}
	levelStatus = markup.Level{Name: "status", Keys: []string{"listen", "allow_remote"}}
	levelPKI    = markup.Level{Name: "pki", Keys: []string{"dir", "application_uri", "hostnames", "key_bits", "validity", "renew_before"}}
	levelLog    = markup.Level{Name: "log", Keys: []string{"level", "format"}}
)

const (
	remedyPassword = "put the password into a file readable by the collector only and write password_file: FILE, or password_env: NAME for an environment variable"
	remedyToken    = "put the token into a file readable by the collector only and write token_file: FILE, or token_env: NAME for an environment variable"
)

// format is what a configuration file may hold. A gateway with 40,000 tags has about 5 MiB, 12 characters of structure for
// each tag, and 400,000 YAML nodes, nested 8 deep.
var format = markup.Format{
	MaxBytes: 16 << 20,
	MaxMarks: 1_500_000,
	MaxNodes: 2_000_000,
	Levels: []markup.Level{levelFile, levelServer, levelSecurity, levelAuth, levelBackoff, levelGroup, levelNode, levelPattern,
		levelDestination, levelBatch, levelBuffer, levelStatus, levelPKI, levelLog},
	Start:   "configs/collector.example.yaml",
	Manual:  "configs/collector.example.yaml",
	Smaller: "split the plant over several gateways, or alias repeated node lists (&name, *name)",
}
