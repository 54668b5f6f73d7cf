package influx

import "time"

// Kind is the family that a server belongs to.
type Kind uint8

// The kinds that Detect tells apart.
const (
	KindUnknown  Kind = iota
	V1                // InfluxDB 1.x, open source, and Kvarts' own store, which is its engine
	V1Enterprise      // InfluxDB 1.x Enterprise
	V2                // InfluxDB 2.x
	V3                // InfluxDB 3 Core, Enterprise, Clustered
	OpenGemini
)

func (k Kind) String() string {
	switch k {
	case V1:
		return "InfluxDB 1"
	case V1Enterprise:
		return "InfluxDB 1 Enterprise"
	case V2:
		return "InfluxDB 2"
	case V3:
		return "InfluxDB 3"
	case OpenGemini:
		return "openGemini"
	default:
		return "unknown server"
	}
}

// Server is what Detect found.
type Server struct {
	Kind    Kind
	Version string // as announced, "" when it does not say
	Build   string // X-Influxdb-Build, as announced
	Habits  Habits
}

func (s Server) String() string {
	if s.Version == "" {
		return s.Kind.String()
	}
	return s.Kind.String() + " " + s.Version
}

// Tri is yes, no, or not known. The zero value is not known: whoever reads it must assume the worse.
type Tri uint8

// The values of Tri.
const (
	Unknown Tri = iota
	Yes
	No
)

func (t Tri) String() string {
	switch t {
	case Yes:
		return "yes"
	case No:
		return "no"
	default:
		return "unknown"
	}
}

// AtOnce, as Habits.Visible, says that a line is seen as soon as its write is answered.
const AtOnce = time.Nanosecond

// Habits is what is known of how a server behaves where servers differ. The zero Habits know nothing.
type Habits struct {
	Name     string // row of the table, "" for the zero Habits
	Measured bool   // by the suite of this package against the real server; else from its documentation

	TypeConflict Partial       // a batch of a good line and one of another type
	Unparsable   Partial       // good line, unparsable line, good line
	OutOfRange   Partial       // a line whose time does not fit 64 bits
	BeyondRP     Partial       // good line and one older than the retention policy allows
	ConcatGzip   Tri           // a body of several gzip members is read whole
	SilentLoss   Tri           // 204 although lines of the batch are lost
	ExactInt64   Tri           // integers above 2^53 come back as written
	Visible      time.Duration // longest time from 204 until a query sees it; 0 = not known
	MaxBody      int64         // largest body (uncompressed) that is accepted, 0 = not known, -1 = larger than the suite tries
	MaxString    int           // longest string value in bytes known to be kept
	// BucketIsDatabase: /query finds a bucket by its name as database, without a DBRP mapping made by hand.
	BucketIsDatabase Tri
	BoundParams      Tri // /query takes values as bound parameters
	Epoch            Tri // /query honours epoch=ns
	Chunked          Tri // /query honours chunked=true
	CSV              Tri // /query answers CSV to Accept: application/csv
	UnknownBucket    int // status of a write to a bucket that does not exist, 0 = not known
	BadToken         int // status of a write with a wrong token, 0 = not known
}

// Partial is how a server treats a batch with a bad line.
type Partial struct {
	Status int  // answer's status, 0 = not known
	Fate   Fate // of the batch's lines
}
