//go:build race

package redis_test

// raceDetector says that the race detector runs: it is slow, and allocates.
const raceDetector = true
