//go:build unix

package testkit

import (
	"syscall"
	"testing"

	"recarga/internal/servers"
)

// server is what a test can do to a server of its own.
type server struct {
	*servers.Server
	tb testing.TB
}

// newServer starts p, and ends it and removes its folder with the test.
func newServer(tb testing.TB, p *servers.Server) server {
	tb.Helper()
	s := server{p, tb}
	tb.Cleanup(func() {
		if err := p.Remove(); err != nil {
			tb.Errorf("end a server: %v", err)
		}
	})
	s.must(p.StartAnywhere())
	return s
}

// Kill ends the server with SIGKILL, as a crash does, and returns when it is gone.
func (s server) Kill() { s.tb.Helper(); s.must(s.End(syscall.SIGKILL)) }

// Stop ends the server in order and returns when it is gone.
func (s server) Stop() { s.tb.Helper(); s.must(s.End(syscall.SIGINT)) }

// Start starts a killed or stopped server on its port and data, and returns when it answers.
func (s server) Start() { s.tb.Helper(); s.must(s.StartAgain()) }

func (s server) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}
