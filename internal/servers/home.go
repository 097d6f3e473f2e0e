//go:build unix

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// home is the temporary folder of this program, one for all its servers, made at first use.
var home = sync.OnceValues(newHome)

// janitor waits for the end of its input, which comes when the program is gone, killed or not.
// Then it ends the servers that have left their pid, and removes the folder. To PostgreSQL and to
// Redis SIGINT means to end at once and in order; SIGCONT is for a server that was paused.
const janitor = `
read _
for file in "$1"/*/pid; do
	pid=$(cat "$file") && kill -INT "$pid" && kill -CONT "$pid"
done
for try in 1 2 3 4 5; do
	rm -rf "$1" && exit
	sleep 1
done`

type homeFolder struct {
	// path is the folder's.
	path string
	// open is what the janitor reads. Nothing is ever written; it closes when this process ends.
	open *os.File
}

func newHome() (homeFolder, error) {
	path, err := os.MkdirTemp("", "recarga-servers-")
	if err != nil {
		return homeFolder{}, err
	}
	// PostgreSQL may run as another user, who must get through.
	if err := os.Chmod(path, 0o755); err != nil {
		return homeFolder{}, err
	}
	ended, open, err := os.Pipe()
	if err != nil {
		return homeFolder{}, err
	}
	defer func() { _ = ended.Close() }()
	cmd := exec.Command("/bin/sh", "-c", janitor, "janitor", path)
	cmd.Stdin = ended
	// In a session of its own it outlives the Ctrl-C that ends the program.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return homeFolder{}, fmt.Errorf("start the janitor of %s: %w", path, err)
	}
	return homeFolder{path: path, open: open}, nil
}

// newFolder makes a folder at home for one server, owned by who runs it.
func newFolder(name string, owner *syscall.Credential) (string, error) {
	h, err := home()
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(h.path, name+"-")
	if err != nil || owner == nil {
		return folder, err
	}
	return folder, os.Chown(folder, int(owner.Uid), int(owner.Gid))
}
