package config

import "kvarts/historian/markup"

// Problem is one finding in a configuration file.
type Problem = markup.Problem

// Errors is everything wrong in one file, in order of position.
type Errors = markup.Problems

// Position is a place in the configuration file, both from 1. The zero Position means: not from a file.
type Position = markup.Position
