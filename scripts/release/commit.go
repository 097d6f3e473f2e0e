package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// commit is what is released.
type commit struct {
	// Version is its tag, or, where it has none, v0.0.0-TIME-HASH, as Go calls such a commit.
	Version string
	// Time is the commit's. No other time gets into a release.
	Time time.Time
	// Go is the compiler's version, as the Dockerfile has it: go1.2.3.
	Go string
	// Dir has the commit's files, and nothing else.
	Dir string
}

// released is a tag that names a release: a semantic version, which packages can sort.
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`)

// head is the hash of the commit that is checked out.
func head(ctx context.Context) (string, error) {
	hash, err := git(ctx, "rev-parse", "HEAD")
	return strings.TrimSpace(string(hash)), err
}

// checkOut writes the files of a commit into dir.
func checkOut(ctx context.Context, hash, dir string) (c commit, err error) {
	said, err := git(ctx, "log", "-1", "--format=%ct", hash)
	if err != nil {
		return c, err
	}
	epoch, err := strconv.ParseInt(strings.TrimSpace(string(said)), 10, 64)
	if err != nil {
		return c, fmt.Errorf("git log said %q: %w", said, err)
	}
	c.Time, c.Dir = time.Unix(epoch, 0).UTC(), dir
	c.Version = "v0.0.0-" + c.Time.Format("20060102150405") + "-" + hash[:12]
	tags, err := git(ctx, "tag", "--points-at", hash, "--sort=-version:refname")
	if err != nil {
		return c, err
	}
	for tag := range strings.FieldsSeq(string(tags)) {
		if released.MatchString(tag) {
			c.Version = tag
			break
		}
	}
	files, err := git(ctx, "archive", "--format=tar", hash)
	if err != nil {
		return c, err
	}
	if err := unpack(bytes.NewReader(files), dir); err != nil {
		return c, err
	}
	c.Go, err = compiler(dir)
	return c, err
}

// git runs git at the top of the checkout, whatever folder this was started in.
func git(ctx context.Context, args ...string) ([]byte, error) {
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return nil, fmt.Errorf("git rev-parse: %w", err)
	}
	args = append([]string{"-C", strings.TrimSpace(string(top))}, args...)
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// unpack writes the files of a tar archive of git's.
func unpack(archive io.Reader, dir string) error {
	files := tar.NewReader(archive)
	for {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case header.Typeflag != tar.TypeReg:
			continue // folders are made with their files
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("git archive names %q", header.Name)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, content, header.FileInfo().Mode().Perm()); err != nil {
			return err
		}
	}
}

var image = regexp.MustCompile(`(?m)^FROM golang:(\d+\.\d+\.\d+) `)

// compiler is Go's version that the image is built with, too: another one would make other bytes.
func compiler(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return "", err
	}
	found := image.FindSubmatch(text)
	if found == nil {
		return "", errors.New("the Dockerfile names no version of Go")
	}
	return "go" + string(found[1]), nil
}
