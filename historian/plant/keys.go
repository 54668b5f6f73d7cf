package plant

import "kvarts/historian/markup"

// timing is the keys of everything that recurs on days: shifts and planned stops.
var timing = []string{"begin", "end", "days", "cycle", "from", "until"}

// tuning is the keys that a class gives to its units, and a unit may change.
var tuning = []string{"minor_stop", "hold", "min_kw", "rated_kw", "credit", "namespace"}

// settings is the keys of a unit that one of a template may have of its own.
var settings = append([]string{"area", "stage", "calendar", "product", "ideal", "gateway", "server", "endpoint"}, tuning...)

// The blocks, in the order of README.md, which a test holds against these lists.
var (
	levelFile = markup.Level{Name: "the file", Keys: []string{"plant", "description", "site", "zone", "areas", "calendars", "products", "stages", "classes", "units",
		"lines", "meters", "gateways", "limits"}}
	levelArea     = markup.Level{Name: "an area", Keys: []string{"id", "description"}}
	levelCalendar = markup.Level{Name: "a calendar", Keys: []string{"name", "description", "day_start", "shifts", "planned_stops", "holidays"}}
	levelShift    = markup.Level{Name: "a shift", Keys: append([]string{"name"}, timing...)}
	levelStop     = markup.Level{Name: "a planned stop", Keys: append([]string{"name", "reason", "once"}, timing...)}
	levelOnce     = markup.Level{Name: "once", Keys: []string{"from", "to"}}
	levelCycle    = markup.Level{Name: "cycle", Keys: []string{"anchor", "length", "on"}}
	levelHoliday  = markup.Level{Name: "a holiday", Keys: []string{"name", "date"}}
	levelDated    = markup.Level{Name: "an entry of a list by dates", Keys: []string{"from", "value"}}
	levelProduct  = markup.Level{Name: "a product", Keys: []string{"name", "description", "watts", "mass_kg", "ideal"}}
	levelStage    = markup.Level{Name: "a stage", Keys: []string{"name", "description", "output", "classes", "good_at", "from", "input", "recycled", "carriers"}}
	levelClass    = markup.Level{Name: "a class", Keys: append([]string{"name", "description", "piece", "signals", "roles", "state_maps", "reasons", "product_codes",
		"batch_quantity", "progress_full", "node", "sampling"}, tuning...)}
	levelSignal = markup.Level{Name: "a signal", Keys: []string{"name", "description", "type", "kind", "unit", "source_unit", "range", "reporting", "counter", "each", "node",
		"sampling", "deadband"}}
	levelCounter  = markup.Level{Name: "counter", Keys: []string{"rule", "modulus", "epsilon", "max_per_s"}}
	levelRoles    = markup.Level{Name: "roles", Keys: []string{"state", "total", "good", "scrap", "energy", "power", "progress", "product", "reason", "batch"}}
	levelStateMap = markup.Level{Name: "a state map", Keys: []string{"namespace", "from", "include", "codes"}}
	levelCode     = markup.Level{Name: "a state code", Keys: []string{"category", "reason"}}
	levelUnit     = markup.Level{Name: "a unit", Keys: append([]string{"id", "count", "first", "class", "overrides"}, settings...)}
	levelOverride = markup.Level{Name: "an override", Keys: settings}
	levelLine     = markup.Level{Name: "a line", Keys: []string{"id", "description", "area", "product", "steps", "out"}}
	levelStep     = markup.Level{Name: "a step", Keys: []string{"name", "units", "per", "seconds"}}
	levelMeter    = markup.Level{Name: "a meter", Keys: []string{"id", "count", "first", "parent", "kind", "units", "behind", "key", "source"}}
	levelKey      = markup.Level{Name: "key", Keys: []string{"kind", "signal", "shares"}}
	levelGateway  = markup.Level{Name: "a gateway", Keys: []string{"name", "description", "url", "database", "org", "bucket", "token_file", "policy", "mode"}}
	levelLimit    = markup.Level{Name: "a limit", Keys: []string{"name", "class", "units", "signal", "kpi", "below", "above", "for", "severity", "text"}}
)

// format is what a plant file may hold. A chain of 2 GW has about 110 KiB and 13,000 YAML nodes, nested 6 deep; a plant that
// writes each of 5,000 units out has ten times that.
var format = markup.Format{
	MaxBytes: 4 << 20,
	MaxMarks: 500_000,
	MaxNodes: 500_000,
	Levels: []markup.Level{levelFile, levelArea, levelCalendar, levelShift, levelStop, levelOnce, levelCycle, levelHoliday, levelDated, levelProduct,
		levelStage, levelClass, levelSignal, levelCounter, levelRoles, levelStateMap, levelCode, levelUnit, levelOverride, levelLine, levelStep,
		levelMeter, levelKey, levelGateway, levelLimit},
	Start:   "configs/plants/demo.yaml",
	Manual:  "historian/plant/README.md",
	Smaller: "write units by template and count, and alias what repeats (&name, *name)",
}
