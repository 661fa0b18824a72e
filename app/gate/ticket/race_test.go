//go:build race

package ticket

// raceDetector says that the race detector runs: it is slow, and allocates.
const raceDetector = true
