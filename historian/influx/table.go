package influx

import (
	"net/http"
	"time"
)

// The habit table: what is known of each server, each row measured by the suite of this package (Probe) against the
// real server, or taken from its documentation where Measured is false. The README shows it, and a test compares.
var (
	habits18 = Habits{
		Name: "InfluxDB 1.8", Measured: true,
		TypeConflict: Partial{http.StatusBadRequest, FateGood},
		Unparsable:   Partial{http.StatusBadRequest, FateGood},
		OutOfRange:   Partial{http.StatusBadRequest, FateGood},
		BeyondRP:     Partial{http.StatusBadRequest, FateGood},
		ConcatGzip:   Yes, SilentLoss: No, ExactInt64: Yes,
		Visible: AtOnce, MaxBody: -1, MaxString: 64<<10 - 1,
		BucketIsDatabase: Yes, BoundParams: Yes, Epoch: Yes, Chunked: Yes, CSV: Yes,
		UnknownBucket: http.StatusNotFound, BadToken: http.StatusUnauthorized,
	}
	habits2 = Habits{
		Name: "InfluxDB 2.9", Measured: true,
		TypeConflict: Partial{http.StatusUnprocessableEntity, FateGood},
		Unparsable:   Partial{http.StatusBadRequest, FateNone},
		OutOfRange:   Partial{http.StatusBadRequest, FateNone},
		BeyondRP:     Partial{http.StatusUnprocessableEntity, FateGood},
		ConcatGzip:   Yes, SilentLoss: No, ExactInt64: Yes,
		Visible: AtOnce, MaxBody: -1, MaxString: 64<<10 - 1,
		BucketIsDatabase: Yes, BoundParams: Yes, Epoch: Yes, Chunked: Yes, CSV: Yes,
		UnknownBucket: http.StatusNotFound, BadToken: http.StatusUnauthorized,
	}
	// habits3 is by the documentation of InfluxDB 3 Core: no server was at hand.
	habits3 = Habits{
		Name:             "InfluxDB 3",
		TypeConflict:     Partial{http.StatusBadRequest, FateGood},
		Unparsable:       Partial{http.StatusBadRequest, FateGood},
		ExactInt64:       Yes,
		BucketIsDatabase: Yes, BoundParams: Yes, Epoch: Yes, Chunked: Yes, CSV: Yes,
		BadToken: http.StatusUnauthorized,
	}
	// habitsGemini was measured by hand on openGemini of August 2026 with 3 stores and replication 3.
	habitsGemini = Habits{
		Name:         "openGemini",
		TypeConflict: Partial{http.StatusBadRequest, FateGood},
		Unparsable:   Partial{http.StatusNoContent, FateGood},
		OutOfRange:   Partial{http.StatusBadRequest, FateNone},
		SilentLoss:   Yes, ExactInt64: No,
		Visible:          4 * time.Second,
		BucketIsDatabase: Yes, BoundParams: Yes, Epoch: Yes, Chunked: Yes, CSV: Yes,
	}
)

// habitsOf finds the row for a server. Versions nobody has measured, and unknown servers, get habits that know nothing,
// except that a younger release of a measured line is taken for its like.
func habitsOf(k Kind, version string) Habits {
	switch k {
	case V1:
		if version == "" || atLeast(version, 1, 8) { // without a version stamp: /health tells that it is 1.8
			return habits18
		}
	case V2:
		// Before 2.5 a type conflict was answered with 500 or rejected the whole batch.
		if version == "" || atLeast(version, 2, 5) {
			return habits2
		}
		return Habits{Name: "InfluxDB 2.0 to 2.4"}
	case V3:
		return habits3
	case OpenGemini:
		return habitsGemini
	}
	return Habits{}
}

// atLeast compares the first two numbers of a version; a version without them is too old.
func atLeast(version string, major, minor int) bool {
	var v [2]int
	i := 0
	for _, r := range version {
		switch {
		case r >= '0' && r <= '9' && v[i] < 1000:
			v[i] = v[i]*10 + int(r-'0')
		case r == '.' && i == 0:
			i = 1
		default:
			return v[0] > major || v[0] == major && i == 1 && v[1] >= minor
		}
	}
	return v[0] > major || v[0] == major && i == 1 && v[1] >= minor
}
