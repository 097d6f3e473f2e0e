//go:build race

package reconcile_test

// allRounds are a tenth under the race detector, which makes each ten times as slow.
const allRounds = 1_000
