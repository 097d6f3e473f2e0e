// Package crash has no code, only the proof by tests that an order survives a failure at every boundary of
// its life: see TestEveryBoundary.
package crash
