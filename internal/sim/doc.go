// Package sim has no code, only a simulator by tests: the whole program and its world in one process, where a seed
// decides everything that happens. TestLives lets it live; docs/failures.md says what that proves.
package sim
