//go:build unix

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// HasRedis reports whether redis-server is installed.
func HasRedis() bool {
	_, err := exec.LookPath("redis-server")
	return err == nil
}

// NewRedis makes a redis-server, not started, with an append-only file, flushed every second, and
// without eviction: the settings that Recarga asks for. extraArgs come last and win: "--appendfsync",
// "always".
func NewRedis(extraArgs ...string) (*Server, error) {
	return newRedis("Ready to accept connections", func(folder string) ([]string, error) {
		return append([]string{
			"--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
			"--maxmemory-policy", "noeviction",
		}, extraArgs...), nil
	})
}

// NewSentinel makes a Redis Sentinel, not started, that watches the primary of this host and port under the name main,
// and lets a replica take over when it has not answered for a second.
func NewSentinel(host, port string) (*Server, error) {
	return newRedis("Sentinel ID is", func(folder string) ([]string, error) {
		settings := filepath.Join(folder, "sentinel.conf")
		return []string{settings, "--sentinel", "--dir", folder}, os.WriteFile(settings, fmt.Appendf(nil,
			"sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n",
			host, port), 0o600)
	})
}

func newRedis(ready string, args func(folder string) ([]string, error)) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("redis", nil)
	if err != nil {
		return nil, err
	}
	given, err := args(folder)
	return &Server{
		folder: folder, program: program, ready: ready,
		args: func(port int) []string {
			return append(slices.Clone(given), "--port", strconv.Itoa(port), "--bind", "127.0.0.1")
		},
	}, err
}
