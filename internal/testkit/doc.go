//go:build unix

// Package testkit is what the tests of all packages share: a real redis-server or PostgreSQL of their own
// (internal/servers, whose errors fail the test), the one patience of every wait, the tiers of `make test` and
// `make prove`, and documents that are held against the code.
//
// A server program that is not installed skips the test; with RECARGA_TEST_REQUIRE=1, which `make test` sets, it
// fails the test instead, so that a green run has really run everything.
//
// The servers are for the goroutine of one test: their methods are not for concurrent use.
package testkit
