//go:build race

package ticket

// raceDetector says whether the race detector runs, which is slow and allocates.
const raceDetector = true
