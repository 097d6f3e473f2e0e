// Package crash has no code, only tests: they prove that an order survives a failure at every boundary of its life.
// See TestEveryBoundary.
package crash
