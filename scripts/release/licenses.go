package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// terms are the files in which a module says on what terms it may be passed on. Most want to be passed on with it.
var terms = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-.].*)?$`)

// licenses are the texts of everything that a program is made of: Go's own, and those of its modules.
func (b builder) licenses(ctx context.Context, t target, program string) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	if info.GoVersion != b.commit.Go {
		return nil, fmt.Errorf("built by %s instead of %s", info.GoVersion, b.commit.Go)
	}
	root, err := b.ask(ctx, t, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	if err := add(&all, "The Go programming language, "+b.commit.Go, root); err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		dir, err := b.ask(ctx, t, "list", "-m", "-f", "{{.Dir}}", m.Path+"@"+m.Version)
		if err != nil {
			return nil, err
		}
		if err := add(&all, m.Path+" "+m.Version, dir); err != nil {
			return nil, err
		}
	}
	return all.Bytes(), nil
}

// ask is what the go command says of something, on one line.
func (b builder) ask(ctx context.Context, t target, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = b.commit.Dir, b.environment(t), os.Stderr
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(said)), nil
}

// add appends what a folder says of its terms. A folder that says nothing may not be passed on.
func add(all *bytes.Buffer, title, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	found := false
	for _, entry := range entries {
		if entry.IsDir() || !terms.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		found = true
		_, _ = fmt.Fprintf(all, "%s\n%s (%s)\n\n%s\n\n", strings.Repeat("=", 80), title, entry.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("%s has no file of its license", title)
	}
	return nil
}
