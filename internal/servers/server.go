//go:build unix

package servers

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds a start, endTimeout an end: far above what either takes on a slow machine.
	readyTimeout = 2 * time.Minute
	endTimeout   = time.Minute
	// poll is how often a condition is checked that gives no signal.
	poll = 5 * time.Millisecond
	// portTries is how many ports are tried before a start, or the search for a free port, fails.
	portTries = 5
)

// Server is one server program. Its folder holds its data, its log and, while it runs, its pid. It is not
// for concurrent use.
type Server struct {
	folder string
	// program is the path of the server's.
	program string
	// args are its arguments.
	args func(port int) []string
	// prepare writes what must name the port before a start; nil: nothing.
	prepare func(port int) error
	// further are later arguments, or lines of the file that prepare writes: see With.
	further []string
	// ready is what its log says once it answers. The log proves that it is our server that answers,
	// not another one that was quicker to take the port.
	ready string
	// owner runs it; nil is who runs this program.
	owner *syscall.Credential
	port  int

	// cmd is nil while the server does not run.
	cmd *exec.Cmd
	// alive is inherited, at its other end, by the server and its children: it reads EOF when the
	// last of them has ended.
	alive *os.File
}

// With adds to PostgreSQL's arguments, or to the lines of PgBouncer's file, for later starts: "-c", "fsync=off", or
// "pool_mode = session". They win over former ones. The other servers take none.
func (p *Server) With(further ...string) { p.further = append(p.further, further...) }

// Reread has a running PgBouncer read its file, with what was added to it.
func (p *Server) Reread() error {
	err := p.prepare(p.port)
	p.Signal(syscall.SIGHUP)
	return err
}

// StartAnywhere starts the server on a free port.
func (p *Server) StartAnywhere() error {
	var err error
	for range portTries {
		if p.port, err = FreePort(); err != nil {
			return err
		}
		if err = p.StartOnce(); err == nil {
			return nil
		}
	}
	return err
}

// StartAgain starts the server where it was. Somebody's outgoing connection may hold the port for a
// moment, so it tries for a while.
func (p *Server) StartAgain() error {
	if p.cmd != nil {
		return fmt.Errorf("%s on port %d has not been stopped", p.program, p.port)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(readyTimeout); ; <-ticker.C {
		if err := p.StartOnce(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// StartOnce tries once, and leaves nothing running when it returns an error.
func (p *Server) StartOnce() error {
	if p.prepare != nil {
		if err := p.prepare(p.port); err != nil {
			return err
		}
	}
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
	// A group of its own: Ctrl-C ends the program, and only then the servers.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.owner}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, alive.Close())
	}
	p.cmd, p.alive = cmd, alive
	pid := strconv.Itoa(cmd.Process.Pid)
	err = os.WriteFile(p.pidFile(), []byte(pid), 0o644)
	// Our copy must be closed before the wait, or the server's end would go unnoticed.
	if err = errors.Join(err, held.Close(), p.waitReady()); err != nil {
		return errors.Join(err, p.End(syscall.SIGKILL))
	}
	return nil
}

func (p *Server) waitReady() error {
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

// endsWithin waits for the end of the server and its children, and reports whether it came.
func (p *Server) endsWithin(d time.Duration) bool {
	if err := p.alive.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false
	}
	_, err := p.alive.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// End sends the signal and returns when the server is gone, by SIGKILL where the signal does not end
// it. It does nothing to a server that does not run.
func (p *Server) End(signal syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	p.Signal(signal)
	p.Signal(syscall.SIGCONT)
	if !p.endsWithin(endTimeout) {
		p.Signal(syscall.SIGKILL)
		if !p.endsWithin(endTimeout) {
			return fmt.Errorf("%s on port %d cannot be ended", p.program, p.port)
		}
	}
	// Its exit status says no more than that it was ended.
	_ = p.cmd.Wait()
	p.cmd = nil
	return errors.Join(p.alive.Close(), os.Remove(p.pidFile()))
}

// Signal is for a running server; one that has just ended by itself no longer cares.
func (p *Server) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

func (p *Server) pidFile() string { return filepath.Join(p.folder, "pid") }

// Remove ends the server, as it ends in order, and removes its folder.
func (p *Server) Remove() error { return errors.Join(p.End(syscall.SIGINT), os.RemoveAll(p.folder)) }

// Addr is host:port.
func (p *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// PID of the running server; its children are PostgreSQL's connections.
func (p *Server) PID() int { return p.cmd.Process.Pid }

// Folder holds all of the server's files.
func (p *Server) Folder() string { return p.folder }

// Ports from firstPort to below lastPort are given to servers: systems do not use them for the near ends of outgoing
// connections, nor for listeners on port 0, as long as net.ipv4.ip_local_port_range has its default value.
const (
	firstPort = 10_000
	lastPort  = 32_768
)

// FreePort is a TCP port of 127.0.0.1 that was free a moment ago; another program may take it first.
func FreePort() (int, error) {
	var err error
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}
