//go:build !race

package reconcile_test

const allRounds = 10_000
