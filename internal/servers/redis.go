//go:build unix

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// TLSFiles are the files of a server that speaks TLS alone: who signs, and its own certificate and key, in PEM.
type TLSFiles struct{ CA, Cert, Key string }

// settings are those of a redis-server or Sentinel, one a line, with replication over TLS as well.
func (f *TLSFiles) settings() []string {
	if f == nil {
		return nil
	}
	return []string{"tls-ca-cert-file " + f.CA, "tls-cert-file " + f.Cert, "tls-key-file " + f.Key,
		"tls-replication yes", "tls-cluster yes", "tls-auth-clients no"}
}

// NewRedisTLS is NewRedis for a server that speaks TLS alone.
func NewRedisTLS(files *TLSFiles, extraArgs ...string) (*Server, error) {
	var args []string
	for _, line := range files.settings() {
		name, value, _ := strings.Cut(line, " ")
		args = append(args, "--"+name, value)
	}
	s, err := NewRedis(append(args, extraArgs...)...)
	if err == nil {
		s.listenTLS()
	}
	return s, err
}

// listenTLS moves the server's port from plain connections to those with TLS.
func (p *Server) listenTLS() {
	plain := p.args
	p.args = func(port int) []string {
		return append(plain(port), "--port", "0", "--tls-port", strconv.Itoa(port))
	}
}

// NewSentinel makes a Redis Sentinel, not started, that watches the primary of this host and port under the name main,
// and lets a replica take over when it has not answered for a second. It speaks TLS alone where files are given. The
// settings are further lines of its file: "requirepass secret".
func NewSentinel(host, port string, files *TLSFiles, settings ...string) (*Server, error) {
	s, err := newRedis("Sentinel ID is", func(folder string) ([]string, error) {
		lines := slices.Concat([]string{
			fmt.Sprintf("sentinel monitor main %s %s 1", host, port),
			"sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 5000",
		}, files.settings(), settings)
		path := filepath.Join(folder, "sentinel.conf")
		return []string{path, "--sentinel", "--dir", folder},
			os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	})
	if err == nil && files != nil {
		s.listenTLS()
	}
	return s, err
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
