package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gofrs/flock"
)

// beAlone refuses a second process with an embedded queue on the same file of the book of record: orders would be
// bought as they should, but a pause, the rate limit, an outage and the distributor's token would be known to one
// process each. The lock ends with the process, however that ends.
func (n *Node) beAlone() error {
	path, isFile := n.settings.DatabaseFile()
	if !n.queue.IsEmbedded() || !isFile {
		return nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	lock := flock.New(path + "-embedded.lock")
	alone, err := lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission): // the journal says more of its folder
	case err != nil: // a file system without locks
		n.log.Warn("cannot make sure that no other process has an embedded queue on this database", "error", err)
	case !alone:
		return fmt.Errorf("RECARGA_REDIS_URL is embedded, and another process with an embedded queue runs on the database "+
			"%s: neither would obey the other's pause or count its purchases; must be one process, or the URL "+
			"of a Redis for all", path)
	default:
		n.closeLast("lock of the embedded queue", lock.Unlock)
	}
	return nil
}
