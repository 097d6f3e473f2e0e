//go:build race

package testkit

// RaceDetector: the test's program was built with it.
const RaceDetector = true
