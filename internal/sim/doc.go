// Package sim has no code, only a simulator by tests: the whole program and its world in one process, where a seed
// decides everything that happens. See TestLives, and docs/simulation.md.
package sim
