//go:build unix

package testkit

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"recarga/internal/servers"
)

// RedisServer is a redis-server of one test.
type RedisServer struct{ server }

// Redis starts a redis-server with an append-only file, flushed every second, and without eviction:
// the settings that Recarga asks for. extraArgs come last and win: "--appendfsync", "always".
func Redis(tb testing.TB, extraArgs ...string) *RedisServer {
	tb.Helper()
	return startRedis(tb, nil, extraArgs)
}

// RedisTLS is Redis for a server that speaks TLS alone, with the files of an Authority.
func RedisTLS(tb testing.TB, files *servers.TLSFiles, extraArgs ...string) *RedisServer {
	tb.Helper()
	return startRedis(tb, files, extraArgs)
}

func startRedis(tb testing.TB, files *servers.TLSFiles, extraArgs []string) *RedisServer {
	tb.Helper()
	if !servers.HasRedis() {
		missing(tb, "redis-server not found: apt-get install redis-server, or run make test")
	}
	start := servers.NewRedis
	if files != nil {
		start = func(args ...string) (*servers.Server, error) { return servers.NewRedisTLS(files, args...) }
	}
	r, err := start(extraArgs...)
	if err != nil {
		tb.Fatal(err)
	}
	return &RedisServer{newServer(tb, r)}
}

// URL names database 0, as RECARGA_REDIS_URL does.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() + "/0" }

// User makes a user of the server, who may do what the rules of ACL SETUSER say, and returns a URL for it.
func (r *RedisServer) User(tb testing.TB, rules ...string) (url string) {
	tb.Helper()
	r.Admin(tb, slices.Concat([]string{"ACL", "SETUSER", "guest", "reset", "on", ">guest-secret"}, rules)...)
	return "redis://guest:guest-secret@" + r.Addr() + "/0"
}

// Admin runs a command as the server's administrator, and returns its answer.
func (r *RedisServer) Admin(tb testing.TB, command ...string) any {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), DisableIdentity: true, Protocol: 2})
	defer func() { _ = client.Close() }()
	args := make([]any, len(command))
	for i, arg := range command {
		args[i] = arg
	}
	answer, err := client.Do(tb.Context(), args...).Result()
	if err != nil {
		tb.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return answer
}

// Pause freezes the server with SIGSTOP: connections stay open and nothing answers.
func (r *RedisServer) Pause() { r.Signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (r *RedisServer) Resume() { r.Signal(syscall.SIGCONT) }
