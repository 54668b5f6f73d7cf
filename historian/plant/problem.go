package plant

import "kvarts/historian/markup"

// Problem is one finding in a plant file.
type Problem = markup.Problem

// Problems is everything wrong in one file, in order of position.
type Problems = markup.Problems
