//go:build !linux

package doctor

import (
	"errors"
	"os"
)

// access only reports whether it is there: where this user may not write, a start says so.
func mayWrite(path string) error {
	_, err := os.Stat(path)
	return err
}

func fileSystem(string) (string, error) { return "", errors.ErrUnsupported }

func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
