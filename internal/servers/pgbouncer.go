//go:build unix

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// HasPgBouncer reports whether PgBouncer is installed.
func HasPgBouncer() bool {
	_, err := pgBouncer()
	return err == nil
}

// pgBouncer is its program, which Debian keeps where only root looks.
func pgBouncer() (string, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer")
	}
	return program, err
}

// NewPgBouncer makes a PgBouncer before the PostgreSQL server at this host and port, not started. It lets in the user
// recarga, without a password. The settings are further lines of its file, and win: "pool_mode = session".
func NewPgBouncer(host, behind string, settings ...string) (*Server, error) {
	program, err := pgBouncer()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner() // it refuses root, too
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("pgbouncer", owner)
	if err != nil {
		return nil, err
	}
	users, file := filepath.Join(folder, "users"), filepath.Join(folder, "pgbouncer.ini")
	s := &Server{
		folder: folder, program: program, owner: owner, ready: "process up",
		args: func(int) []string { return []string{file} }, further: settings,
	}
	s.prepare = func(port int) error {
		lines := append([]string{
			"[databases]", fmt.Sprintf("* = host=%s port=%s", host, behind), "[pgbouncer]",
			"listen_addr = 127.0.0.1", fmt.Sprint("listen_port = ", port), "unix_socket_dir =", "auth_type = trust",
			"auth_file = " + users, "admin_users = recarga",
		}, s.further...)
		return os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	}
	return s, os.WriteFile(users, []byte(`"recarga" ""`+"\n"), 0o644)
}
