//go:build unix

package servers

import (
	"os/exec"
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
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("redis", nil)
	if err != nil {
		return nil, err
	}
	return &Server{
		folder: folder, program: program, ready: "Ready to accept connections",
		args: func(port int) []string {
			return append([]string{
				"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
				"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
			}, extraArgs...)
		},
	}, nil
}
