// Package config turns the collector's YAML file into a checked Config: plain data that the other rooms of the
// collector use without looking back at the file.
//
// A Config from Load or Parse is complete: group and server settings are already merged into every node, namespace
// prefixes are expanded to URIs, file names are absolute or relative to the configuration file's folder, and all
// defaults are filled in. Nobody has to look up a parent to know what a node means.
//
// Every mistake in a file is reported at once, as Errors, each with file, line, column, value, what is allowed and what
// to do. What is allowed but looks unintended is in Config.Warnings.
//
// Secrets are never in the file and never in a Config: it holds the name of a file or of an environment variable, and
// Auth.Secret and Destination.Secret read it when it is used.
package config

import "time"

// Config is one checked collector configuration. Treat it as immutable: reload makes a new one and uses Compare.
type Config struct {
	Collector    string // name of this gateway: tag `collector` of its heartbeat
	Servers      []Server
	Buffer       Buffer
	Destinations []Destination
	Status       Status
	PKI          PKI
	Log          Log

	File     string    `json:"-"` // where it was read from, as given to Load or Parse
	Warnings []Problem `json:"-"` // in order of position
}

// Policy is an OPC UA security policy by its short name.
type Policy string

// The security policies. PolicyAuto takes the strongest that the server offers.
const (
	PolicyAuto                Policy = "auto"
	PolicyNone                Policy = "None"
	PolicyBasic256Sha256      Policy = "Basic256Sha256"
	PolicyAes128Sha256RsaOaep Policy = "Aes128Sha256RsaOaep"
	PolicyAes256Sha256RsaPss  Policy = "Aes256Sha256RsaPss"
)

// Mode is an OPC UA message security mode.
type Mode string

// The security modes. ModeAuto takes the strongest that the server offers.
const (
	ModeAuto           Mode = "auto"
	ModeNone           Mode = "None"
	ModeSign           Mode = "Sign"
	ModeSignAndEncrypt Mode = "SignAndEncrypt"
)

// Clock says which time of a DataValue becomes the time of the point.
type Clock string

// The clocks.
const (
	ClockSource  Clock = "source"
	ClockServer  Clock = "server"
	ClockReceive Clock = "receive"
)

// Server is one OPC UA server.
type Server struct {
	Name     string // unique in the file
	Endpoint string // opc.tcp://host:port[/path]; the port is always there
	Security Security
	Auth     Auth
	// ServerCertificate pins the server's certificate: "sha256:<64 hex digits>", "sha1:<40 hex digits>" or a file (DER or PEM).
	// Empty: the trust list of PKI.Dir decides.
	ServerCertificate string
	Time              Clock
	TimeOffset        time.Duration // added to the chosen clock; for PLCs that keep local time as UTC
	MaxSkew           time.Duration // a source time further in the future than this is replaced
	RequestTimeout    time.Duration // of one service call
	SessionTimeout    time.Duration // asked of the server; it may revise
	Backoff           Backoff       // between attempts to connect
	PublishRequests   int           // Publish requests kept in flight
	Groups            []Group
	At                Position `json:"-"`
}

// Security of the secure channel.
type Security struct {
	Policy Policy
	Mode   Mode
}

// Auth is the user identity at a server. The zero Auth is anonymous.
type Auth struct {
	User         string
	PasswordFile string // exactly one of the two when User is set
	PasswordEnv  string
	// AllowPlaintextPassword lets the password cross the network unencrypted when neither channel nor server encrypt it.
	AllowPlaintextPassword bool
}

// Backoff bounds the jittered exponential wait between attempts.
type Backoff struct{ Min, Max time.Duration }

// Class tells the buffer's drop policy "class" what to give up last.
type Class string

// The classes.
const (
	ClassNormal Class = "normal"
	ClassKeep   Class = "keep"
)

// Group is one subscription: nodes that are published together.
type Group struct {
	Name       string        // unique within the server
	Publishing time.Duration // publishing interval asked of the server
	KeepAlive  time.Duration // the server shows life at least this often, also when nothing changes
	Lifetime   time.Duration // how long the server keeps the subscription and its queues without hearing from us
	Class      Class
	Nodes      []Node
	At         Position `json:"-"`
}

// Type is the pinned type of a field.
type Type string

// The types. TypeAuto takes what the server's data type gives; all nodes of one (measurement, field) get the same: when
// one of them says a type, Parse gives it to the others.
const (
	TypeAuto   Type = ""
	TypeInt    Type = "int"
	TypeFloat  Type = "float"
	TypeString Type = "string"
)

// DeadbandKind says how Deadband.Value is meant.
type DeadbandKind string

// The kinds of deadband. The zero kind is none.
const (
	DeadbandNone     DeadbandKind = ""
	DeadbandAbsolute DeadbandKind = "absolute" // in the machine's unit, before scale, offset and unit conversion
	DeadbandPercent  DeadbandKind = "percent"  // 0..100 of the node's EURange
)

// Deadband is what the server is asked to leave out. The zero Deadband leaves nothing out.
type Deadband struct {
	Kind  DeadbandKind
	Value float64
}

// Node is one monitored item and the field, or fields, that it writes. Exactly one of ID and Path is set.
type Node struct {
	ID   NodeID
	Path []PathStep // from the Root folder (i=84): usually Objects, …

	Measurement string
	Tags        map[string]string // server's, group's and node's tags merged, the nearest wins; shared between nodes: read only
	Field       string            // empty when Elements or Members name the fields
	Elements    map[int]string    // array index → field
	Members     map[string]string // structure member → field
	Base64      bool              // a ByteString is stored as base64 text; without it such a node is refused

	Type     Type
	Scale    float64       // stored = Unit((raw × Scale) + Offset); see Linear. Default 1
	Offset   float64       // default 0
	Unit     *Conversion   // nil: none; From equal to To only names the unit
	Sampling time.Duration // 0: as fast as the server can
	Queue    uint32        // values that the server keeps between two publishes; at least 1
	// DiscardOldest says which value the server drops when the item's queue is full.
	DiscardOldest bool
	Deadband      Deadband
	At            Position `json:"-"`
}

// PathStep is one browse name of a browse path. The empty Namespace is http://opcfoundation.org/UA/ (index 0).
type PathStep struct{ Namespace, Name string }

// DropPolicy says what a full buffer gives up.
type DropPolicy string

// The drop policies.
const (
	DropOldest DropPolicy = "oldest"
	DropNewest DropPolicy = "newest" // nothing new is taken: the servers keep it until their own queues are full
	DropClass  DropPolicy = "class"  // oldest of class normal first
)

// Buffer is the on-disk log between the machines and the destinations.
type Buffer struct {
	Dir          string
	MaxBytes     int64         // on disk
	MaxAge       time.Duration // 0: no limit by age
	SegmentBytes int64
	SyncInterval time.Duration // group commit window; 0: fsync as soon as the previous one is done
	Policy       DropPolicy
	Retain       time.Duration // keep what every destination already has for this long
}

// Destination is one InfluxDB. Either Bucket with Org (2.x) or Database (1.8, embedded, 3) is set.
type Destination struct {
	Name            string // unique; names the cursor in the buffer, so renaming it delivers everything buffered again
	URL             string
	Org, Bucket     string
	Database        string
	RetentionPolicy string // 1.8 only; empty: the database's default
	User            string // 1.8 user; then the secret is the password, else it is the token
	SecretFile      string // token_file or password_file; at most one of the two
	SecretEnv       string // token_env or password_env
	Proxy           string // http://host:port; empty: direct, whatever the environment says
	CAFile          string // PEM of a private authority; empty: the system's
	SkipVerify      bool   // accept any certificate of an https URL
	Timeout         time.Duration
	Batch           Batch
	// QuarantineMaxBytes bounds what the store refused and a person has to look at.
	QuarantineMaxBytes int64
	At                 Position `json:"-"`
}

// Batch limits one write request.
type Batch struct {
	Lines int
	Bytes int64 // of line protocol, before compression
}

// Status is the page and the metrics.
type Status struct {
	Listen      string // host:port; empty: off
	AllowRemote bool   // Listen may be other than loopback
}

// PKI is the collector's own certificate and its trust list.
type PKI struct {
	Dir            string
	ApplicationURI string   // empty: made from host name and collector name when the certificate is made
	Hostnames      []string // further DNS names and IP addresses in the certificate
	KeyBits        int
	Validity       time.Duration
	RenewBefore    time.Duration // a new certificate is due when less than this is left
}

// Log is the collector's log.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto (console on a terminal), console, json
}
