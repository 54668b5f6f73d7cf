package plant

// level is one kind of block of a plant file: its name in messages and the keys it may have.
type level struct {
	name string
	keys []string
}

// timing is the keys of everything that recurs on days: shifts and planned stops.
var timing = []string{"begin", "end", "days", "cycle", "from", "until"}

// tuning is the keys that a class gives to its units, and a unit may change.
var tuning = []string{"minor_stop", "hold", "min_kw", "rated_kw", "credit", "namespace"}

// settings is the keys of a unit that one of a template may have of its own.
var settings = append([]string{"area", "stage", "calendar", "product", "ideal", "gateway", "server", "endpoint"}, tuning...)

// The blocks, in the order of README.md, which a test holds against these lists.
var (
	levelFile = level{"the file", []string{"plant", "description", "site", "zone", "areas", "calendars", "products", "stages", "classes", "units",
		"lines", "meters", "gateways", "limits"}}
	levelArea     = level{"an area", []string{"id", "description"}}
	levelCalendar = level{"a calendar", []string{"name", "description", "day_start", "shifts", "planned_stops", "holidays"}}
	levelShift    = level{"a shift", append([]string{"name"}, timing...)}
	levelStop     = level{"a planned stop", append([]string{"name", "reason", "once"}, timing...)}
	levelOnce     = level{"once", []string{"from", "to"}}
	levelCycle    = level{"cycle", []string{"anchor", "length", "on"}}
	levelHoliday  = level{"a holiday", []string{"name", "date"}}
	levelDated    = level{"an entry of a list by dates", []string{"from", "value"}}
	levelProduct  = level{"a product", []string{"name", "description", "watts", "mass_kg", "ideal"}}
	levelStage    = level{"a stage", []string{"name", "description", "output", "classes", "good_at", "from", "input", "recycled", "carriers"}}
	levelClass    = level{"a class", append([]string{"name", "description", "piece", "signals", "roles", "state_maps", "reasons", "product_codes",
		"batch_quantity", "progress_full", "node", "sampling"}, tuning...)}
	levelSignal = level{"a signal", []string{"name", "description", "type", "kind", "unit", "source_unit", "range", "reporting", "counter", "each", "node",
		"sampling", "deadband"}}
	levelCounter  = level{"counter", []string{"rule", "modulus", "epsilon", "max_per_s"}}
	levelRoles    = level{"roles", []string{"state", "total", "good", "scrap", "energy", "power", "progress", "product", "reason", "batch"}}
	levelStateMap = level{"a state map", []string{"namespace", "from", "include", "codes"}}
	levelCode     = level{"a state code", []string{"category", "reason"}}
	levelUnit     = level{"a unit", append([]string{"id", "count", "first", "class", "overrides"}, settings...)}
	levelOverride = level{"an override", settings}
	levelLine     = level{"a line", []string{"id", "description", "area", "product", "steps", "out"}}
	levelStep     = level{"a step", []string{"name", "units", "per", "seconds"}}
	levelMeter    = level{"a meter", []string{"id", "count", "first", "parent", "kind", "units", "behind", "key", "source"}}
	levelKey      = level{"key", []string{"kind", "signal", "shares"}}
	levelGateway  = level{"a gateway", []string{"name", "description", "url", "database", "org", "bucket", "token_file", "policy", "mode"}}
	levelLimit    = level{"a limit", []string{"name", "class", "units", "signal", "kpi", "below", "above", "for", "severity", "text"}}
)

// levels lists all blocks, to tell where a misplaced key belongs.
func levels() []level {
	return []level{levelFile, levelArea, levelCalendar, levelShift, levelStop, levelOnce, levelCycle, levelHoliday, levelDated, levelProduct, levelStage,
		levelClass, levelSignal, levelCounter, levelRoles, levelStateMap, levelCode, levelUnit, levelOverride, levelLine, levelStep, levelMeter, levelKey,
		levelGateway, levelLimit}
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
