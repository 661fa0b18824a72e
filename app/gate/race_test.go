//go:build race

package gate

// raceDetector says whether the race detector runs, which is slow and allocates.
const raceDetector = true
