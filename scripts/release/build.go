package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// target is an operating system and an architecture, in Go's words.
type target struct{ OS, Arch string }

func (t target) String() string { return t.OS + "/" + t.Arch }

// targets are all that a release is built for.
var targets = []target{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// choose reads a list of targets. Empty means all.
func choose(only string) ([]target, error) {
	if only == "" {
		return targets, nil
	}
	var chosen []target
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown target %q: there are %v", name, targets)
		}
		chosen = append(chosen, targets[i])
	}
	return chosen, nil
}

// builder builds one release.
type builder struct {
	options
	commit commit
	// work is a temporary folder, dist that of the result, cache Go's build cache, if not the user's.
	work, dist, cache string
}

// one builds everything of a target.
func (b builder) one(ctx context.Context, t target) error {
	name := fmt.Sprintf("recarga_%s_%s_%s", strings.TrimPrefix(b.commit.Version, "v"), t.OS, t.Arch)
	program := filepath.Join(b.work, t.OS+"_"+t.Arch, "recarga")
	if t.OS == "windows" {
		program += ".exe"
	}
	err := b.command(ctx, t, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -buildid= -X main.version="+b.commit.Version, "-o", program, "./cmd/recarga")
	if err != nil {
		return err
	}
	licenses, err := b.licenses(ctx, t, program)
	if err != nil {
		return err
	}
	if err := b.sbom(ctx, t, name, program); err != nil {
		return err
	}
	if err := b.archive(t, name, program, licenses); err != nil || t.OS != "linux" {
		return err
	}
	return b.packages(ctx, t, program, licenses)
}

// command runs a program in the commit's folder. What the builder's machine has set is kept away from it.
func (b builder) command(ctx context.Context, t target, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = b.commit.Dir, b.environment(t)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, said)
	}
	return nil
}

// environment is what decides the bytes of a build, and the rest of the user's.
func (b builder) environment(t target) []string {
	env := append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+t.OS, "GOARCH="+t.Arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off",
		"GOEXPERIMENT=", "GOFIPS140=off", "GOTOOLCHAIN="+b.commit.Go, "TZ=UTC", "LC_ALL=C",
		"SOURCE_DATE_EPOCH="+strconv.FormatInt(b.commit.Time.Unix(), 10),
		"RELEASE_VERSION="+strings.TrimPrefix(b.commit.Version, "v"), "RELEASE_ARCH="+t.Arch)
	if b.cache != "" {
		env = append(env, "GOCACHE="+b.cache)
	}
	return env
}

// packages makes the deb and the rpm package.
func (b builder) packages(ctx context.Context, t target, program string, licenses []byte) error {
	// nfpm.yaml names its files as they lie in the commit's folder.
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(b.commit.Dir, "recarga"), text, 0o755),
		os.WriteFile(filepath.Join(b.commit.Dir, "THIRD_PARTY_LICENSES"), licenses, 0o644))
	if err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		err := b.command(ctx, t, b.Packager,
			"package", "--config", "deploy/package/nfpm.yaml", "--packager", kind, "--target", b.dist+"/")
		if err != nil {
			return err
		}
	}
	return nil
}
