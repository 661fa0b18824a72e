//go:build !race

package app_test

// raceDetector says that the race detector runs: it is slow, and allocates.
const raceDetector = false
