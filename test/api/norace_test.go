//go:build !race

package api_test

// raceDetector says whether the race detector runs, which is slow and allocates.
const raceDetector = false
