//go:build unix

package servers

import (
	"bytes"
	"fmt"
	"io"
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
	data, err := template()
	if err != nil {
		return nil, err
	}
	return newPostgres(exec.Command("cp", "-R", "-p", data, "."), extraArgs)
}

// NewPostgresFrom makes a cluster with what another had that Archive wrote. extraArgs are those of NewPostgres.
func NewPostgresFrom(archive io.Reader, extraArgs ...string) (*Server, error) {
	extract := exec.Command("tar", "-xf", "-")
	extract.Stdin = archive
	return newPostgres(extract, extraArgs)
}

// Archive writes the data of a PostgreSQL that does not run.
func (p *Server) Archive(to io.Writer) error {
	cmd := exec.Command("tar", "-cf", "-", "data")
	cmd.Stdout = to
	return runAs(p.owner, p.folder, cmd)
}

// newPostgres makes a cluster whose data fill puts into the folder data of its own.
func newPostgres(fill *exec.Cmd, extraArgs []string) (*Server, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	folder, err := newFolder("postgres", owner)
	if err != nil {
		return nil, err
	}
	if err := runAs(owner, folder, fill); err != nil {
		return nil, err
	}
	s := &Server{
		folder: folder, program: filepath.Join(programs, "postgres"), owner: owner,
		ready: "database system is ready to accept connections", further: extraArgs,
	}
	s.args = func(port int) []string {
		// No socket file: the path of a temporary folder can be too long for one.
		return append([]string{
			"-D", filepath.Join(folder, "data"), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
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
	err = runAs(standby.owner, standby.folder, exec.Command(
		filepath.Join(filepath.Dir(primary.program), "pg_basebackup"),
		"-d", from, "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync"))
	if err != nil {
		return nil, err
	}
	standby.ready = "database system is ready to accept" // read-only connections, until it is promoted
	return standby, nil
}

// template is the data of a cluster that has never run, made once a program: initdb takes a second, a copy of its work
// almost nothing.
var template = sync.OnceValues(func() (data string, err error) {
	programs, err := postgresPrograms()
	if err != nil {
		return "", err
	}
	owner, err := postgresOwner()
	if err != nil {
		return "", err
	}
	folder, err := newFolder("template", owner)
	if err != nil {
		return "", err
	}
	data = filepath.Join(folder, "data")
	return data, runAs(owner, folder, exec.Command(filepath.Join(programs, "initdb"),
		"-D", data, "-U", "recarga", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C"))
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

func runAs(owner *syscall.Credential, folder string, cmd *exec.Cmd) error {
	cmd.Dir, cmd.SysProcAttr = folder, &syscall.SysProcAttr{Credential: owner}
	var said bytes.Buffer
	cmd.Stderr = &said
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, said.Bytes())
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

// PostgresVersion is what the server's program says of itself, and of its build.
func PostgresVersion() (string, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(filepath.Join(programs, "postgres"), "--version").Output()
	return string(out), err
}
