//go:build unix

package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
)

// NewPostgres makes a PostgreSQL cluster, not started, as durable as PostgreSQL is by default. Its
// superuser is named recarga, without a password. extraArgs come last and win: "-c", "fsync=off".
func NewPostgres(extraArgs ...string) (*Server, error) {
	from, err := template()
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("postgres", from.owner)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	if err := runAs(from.owner, folder, "cp", "-R", "-p", from.data, data); err != nil {
		return nil, err
	}
	s := &Server{
		folder: folder, program: filepath.Join(from.programs, "postgres"), owner: from.owner,
		ready: "database system is ready to accept connections", further: extraArgs,
	}
	s.args = func(port int) []string {
		// No socket file: the path of a temporary folder can be too long for one.
		return append([]string{
			"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", "-c", "max_connections=200",
		}, s.further...)
	}
	return s, nil
}

// NewStandby makes a standby of a running primary, not started: a copy that follows it through address, which is the
// primary's own or that of something before it. The primary does not wait for it before
// synchronous_standby_names names it. extraArgs are those of NewPostgres.
func NewStandby(primary *Server, address string, extraArgs ...string) (*Server, error) {
	standby, err := NewPostgres(extraArgs...)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(standby.folder, "data")
	if err := os.RemoveAll(data); err != nil {
		return nil, err
	}
	from := fmt.Sprintf("host=%s port=%s user=recarga application_name=standby", host, port)
	err = runAs(standby.owner, standby.folder, filepath.Join(filepath.Dir(primary.program), "pg_basebackup"),
		"-d", from, "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if err != nil {
		return nil, err
	}
	standby.ready = "database system is ready to accept" // read-only connections, until it is promoted
	return standby, nil
}

// initialized is a cluster that has never run.
type initialized struct {
	// programs and data are folders.
	programs, data string
	// owner runs PostgreSQL; nil is who runs this program.
	owner *syscall.Credential
}

// template is made once a program: initdb takes a second, a copy of its work almost nothing.
var template = sync.OnceValues(func() (initialized, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return initialized{}, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return initialized{}, err
	}
	folder, err := newFolder("template", owner)
	if err != nil {
		return initialized{}, err
	}
	data := filepath.Join(folder, "data")
	return initialized{programs, data, owner}, runAs(owner, folder, filepath.Join(programs, "initdb"),
		"-D", data, "-U", "recarga", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
})

// postgresOwner is who runs PostgreSQL where root runs this program: its programs refuse root.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func runAs(owner *syscall.Credential, folder, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.SysProcAttr = folder, &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// postgresPrograms is the folder of initdb and postgres. Debian and Red Hat keep them out of PATH, in
// one folder a version; of these the newest counts.
func postgresPrograms() (string, error) {
	found, err := exec.LookPath("initdb")
	if err == nil {
		found, err = filepath.EvalSymlinks(found) // a link has not all of them beside it
		return filepath.Dir(found), err
	}
	newest := 0
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		paths, globErr := filepath.Glob(pattern)
		if globErr != nil {
			return "", globErr
		}
		for _, path := range paths {
			version, convErr := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(path))
			if convErr == nil && version > newest {
				newest, found, err = version, filepath.Dir(path), nil
			}
		}
	}
	return found, err
}

// HasPostgres reports whether PostgreSQL's server is installed.
func HasPostgres() bool {
	_, err := postgresPrograms()
	return err == nil
}
