//go:build unix

package testkit

import (
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// RedisServer is a redis-server of one test.
type RedisServer struct{ server }

// Redis starts a redis-server with an append-only file, flushed every second, and without eviction:
// the settings that Recarga asks for. extraArgs come last and win: "--appendfsync", "always".
func Redis(tb testing.TB, extraArgs ...string) *RedisServer {
	tb.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(tb, "redis-server not found: apt-get install redis-server, or run make test")
	}
	folder, err := newFolder("redis", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &RedisServer{newServer(tb, &process{
		folder: folder, program: program, ready: "Ready to accept connections",
		args: func(port int) []string {
			return append([]string{
				"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
				"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
			}, extraArgs...)
		},
	})}
}

// Addr is host:port.
func (r *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// URL names database 0, as RECARGA_REDIS_URL does.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() + "/0" }

// Pause freezes the server with SIGSTOP: connections stay open and nothing answers.
func (r *RedisServer) Pause() { r.signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (r *RedisServer) Resume() { r.signal(syscall.SIGCONT) }
