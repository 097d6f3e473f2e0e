//go:build unix

// Package testkit starts the real servers that tests talk to: redis-server and PostgreSQL, on free
// ports, with their data in a temporary folder. A server ends with its test, and with the test binary
// however that dies.
//
// A server program that is not installed skips the test; with RECARGA_TEST_REQUIRE=1, which
// `make test` sets, it fails the test instead, so that a green run has really run everything.
//
// The servers are for the goroutine of one test: their methods are not for concurrent use, and fail
// the test where the server does not do what it should.
package testkit
