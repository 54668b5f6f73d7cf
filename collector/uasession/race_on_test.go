//go:build race

package uasession

const raceDetector = true
