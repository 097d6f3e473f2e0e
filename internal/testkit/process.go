//go:build unix

package testkit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// readyTimeout bounds a start, endTimeout an end: far above what either takes on a slow machine.
	readyTimeout = 30 * time.Second
	endTimeout   = 10 * time.Second
	// poll is how often something is looked at that cannot be waited for.
	poll = 5 * time.Millisecond
	// portTries is how often a server that ended at once is started again on another port.
	portTries = 5
)

// process is one server program. Its folder holds its data, its log and, while it runs, its pid.
type process struct {
	folder  string
	program string
	args    func(port int) []string
	// ready is what its log says once it answers. The log proves that it is our server that answers,
	// not another one that was quicker to take the port.
	ready string
	// owner runs it; nil is who runs the tests.
	owner *syscall.Credential
	port  int

	cmd *exec.Cmd
	// alive is inherited, at its other end, by the server and its children: it reads EOF when the
	// last of them has ended.
	alive *os.File
}

// startAnywhere starts the server on a free port.
func (p *process) startAnywhere() error {
	var err error
	for range portTries {
		if p.port, err = freePort(); err != nil {
			return err
		}
		if err = p.start(); err == nil {
			return nil
		}
	}
	return err
}

// startAgain starts the server where it was. Somebody's outgoing connection may hold the port for a
// moment, so it tries for a while.
func (p *process) startAgain() error {
	if p.cmd != nil {
		return fmt.Errorf("%s on port %d has not been stopped", p.program, p.port)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(readyTimeout); ; <-ticker.C {
		if err := p.start(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// start tries once, and leaves nothing running when it returns an error.
func (p *process) start() error {
	log, err := os.Create(filepath.Join(p.folder, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	alive, held, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	cmd := exec.Command(p.program, p.args(p.port)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = p.folder, log, log, []*os.File{held}
	// A group of its own: Ctrl-C ends the tests, and only then the servers.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.owner}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, alive.Close())
	}
	p.cmd, p.alive = cmd, alive
	pid := strconv.Itoa(cmd.Process.Pid)
	err = os.WriteFile(p.pidFile(), []byte(pid), 0o644)
	// Our copy must be closed before the wait, or the server's end would go unnoticed.
	if err = errors.Join(err, held.Close(), p.waitReady()); err != nil {
		return errors.Join(err, p.end(syscall.SIGKILL))
	}
	return nil
}

func (p *process) waitReady() error {
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); {
		ended := p.endsWithin(poll)
		log, err := os.ReadFile(filepath.Join(p.folder, "log"))
		switch {
		case err != nil:
			return err
		case ended:
			return fmt.Errorf("%s ended at once on port %d; its log:\n%s", p.program, p.port, log)
		case strings.Contains(string(log), p.ready):
			return nil
		}
	}
	return fmt.Errorf("%s on port %d is not ready after %s", p.program, p.port, readyTimeout)
}

// endsWithin waits for the end of the server and its children, and tells whether it came.
func (p *process) endsWithin(d time.Duration) bool {
	if err := p.alive.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false
	}
	_, err := p.alive.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// end sends the signal and returns when the server is gone, by SIGKILL where the signal does not end
// it. It does nothing to a server that does not run.
func (p *process) end(signal syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	p.signal(signal)
	p.signal(syscall.SIGCONT)
	if !p.endsWithin(endTimeout) {
		p.signal(syscall.SIGKILL)
		if !p.endsWithin(endTimeout) {
			return fmt.Errorf("%s on port %d cannot be ended", p.program, p.port)
		}
	}
	// Its exit status says no more than that it was ended.
	_ = p.cmd.Wait()
	p.cmd = nil
	return errors.Join(p.alive.Close(), os.Remove(p.pidFile()))
}

// signal is for a running server; one that has just ended by itself no longer cares.
func (p *process) signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

func (p *process) pidFile() string { return filepath.Join(p.folder, "pid") }

// server is what a test can do to a server of its own.
type server struct {
	*process
	tb testing.TB
}

// newServer starts p, and ends it and removes its folder with the test.
func newServer(tb testing.TB, p *process) server {
	tb.Helper()
	s := server{p, tb}
	tb.Cleanup(func() {
		if err := errors.Join(p.end(syscall.SIGINT), os.RemoveAll(p.folder)); err != nil {
			tb.Errorf("end %s: %v", p.program, err)
		}
	})
	s.must(p.startAnywhere())
	return s
}

// Kill ends the server with SIGKILL, as a crash does, and returns when it is gone.
func (s server) Kill() { s.tb.Helper(); s.must(s.end(syscall.SIGKILL)) }

// Stop ends the server in order and returns when it is gone.
func (s server) Stop() { s.tb.Helper(); s.must(s.end(syscall.SIGINT)) }

// Start starts a killed or stopped server on its port and data, and returns when it answers.
func (s server) Start() { s.tb.Helper(); s.must(s.startAgain()) }

func (s server) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}
