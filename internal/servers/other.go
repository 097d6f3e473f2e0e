//go:build !unix

package servers

import "errors"

var errNotHere = errors.New("servers are started on Unix only")

// Server is never made here.
type Server struct{}

// HasRedis is false.
func HasRedis() bool { return false }

// HasPostgres is false.
func HasPostgres() bool { return false }

// HasPgBouncer is false.
func HasPgBouncer() bool { return false }

// NewPgBouncer fails.
func NewPgBouncer(string, string, ...string) (*Server, error) { return nil, errNotHere }

// NewRedis fails.
func NewRedis(...string) (*Server, error) { return nil, errNotHere }

// NewPostgres fails.
func NewPostgres(...string) (*Server, error) { return nil, errNotHere }

// NewStandby fails.
func NewStandby(*Server, string, ...string) (*Server, error) { return nil, errNotHere }

// With does nothing.
func (*Server) With(...string) {}

// Reread fails.
func (*Server) Reread() error { return errNotHere }

// StartAnywhere fails.
func (*Server) StartAnywhere() error { return errNotHere }

// Remove fails.
func (*Server) Remove() error { return errNotHere }

// Addr is empty.
func (*Server) Addr() string { return "" }

// PID is 0.
func (*Server) PID() int { return 0 }
