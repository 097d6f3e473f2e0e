package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != 6 {
		t.Errorf("%v, %v", all, err)
	}
	some, err := choose("windows/arm64,linux/amd64")
	if diff := cmp.Diff([]target{{"windows", "arm64"}, {"linux", "amd64"}}, some); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := choose("plan9/amd64"); err == nil {
		t.Error("plan9 is a target")
	}
}

// TestCheckOut: a release is what the commit has, whatever lies beside it or is committed meanwhile.
func TestCheckOut(t *testing.T) {
	beside := "lies-beside-the-commit.txt"
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(beside) })
	hash, err := head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before, err := git(t.Context(), "rev-parse", "--verify", "-q", hash+"~"); err == nil { // a shallow clone has none
		hash = strings.TrimSpace(string(before))
	}
	c, err := checkOut(t.Context(), hash, filepath.Join(t.TempDir(), "src"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(c.Version, "v0.0.0-") && !strings.HasSuffix(c.Version, hash[:12]) {
		t.Errorf("%s is released for %s", c.Version, hash)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(c.Version) || c.Time.IsZero() || c.Time.After(time.Now()) {
		t.Errorf("%+v", c)
	}
	if !regexp.MustCompile(`^go1\.\d+\.\d+$`).MatchString(c.Go) {
		t.Errorf("the compiler is %q", c.Go)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "go.mod")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "scripts", "release", beside)); err == nil {
		t.Error("what was not committed is released")
	}
}

// TestArchives: they unpack to what went in, and two at the same time are the same.
func TestArchives(t *testing.T) {
	files := []file{
		{Name: "r/recarga", Content: []byte("program"), Program: true},
		{Name: "r/LICENSE", Content: []byte("terms")},
	}
	at := time.Date(2026, 11, 27, 18, 0, 1, 0, time.UTC)
	for name, pack := range map[string]func(io.Writer, []file, time.Time) error{"tar": tarball, "zip": zipped} {
		var first, second, later bytes.Buffer
		for out, at := range map[*bytes.Buffer]time.Time{&first: at, &second: at, &later: at.Add(time.Hour)} {
			if err := pack(out, files, at); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) || bytes.Equal(first.Bytes(), later.Bytes()) {
			t.Errorf("%s: two archives of one commit differ, or two of two commits do not", name)
		}
		read := map[string]func(*testing.T, []byte) []file{"tar": untar, "zip": unzip}[name]
		if diff := cmp.Diff(files, read(t, first.Bytes())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func untar(t *testing.T, text []byte) (files []file) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(unpacked)
	for {
		h, err := archive.Next()
		if err != nil {
			return files
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{Name: h.Name, Content: content, Program: h.Mode == 0o755})
	}
}

func unzip(t *testing.T, text []byte) (files []file) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{Name: f.Name, Content: content, Program: f.Mode() == 0o755})
	}
	return files
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "1", "b": "2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, err := checksums(dir)
	if err != nil {
		t.Fatal(err)
	}
	if differ := compare(first, first); differ != nil {
		t.Errorf("the same differ in %v", differ)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := checksums(dir)
	if diff := cmp.Diff([]string{"b", "c"}, compare(first, second)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestListNamesNoBuilder: the list is the same whoever made it, and has everything else that it had.
func TestListNamesNoBuilder(t *testing.T) {
	const made = `{"components":[{"hashes":[1]}],"metadata":{"component":{"version":"v1"},` +
		`"tools":[{"name":"maker"%s}]},"version":12345678901234567890}`
	first, err := withoutBuilder(fmt.Appendf(nil, made, `,"hashes":[{"alg":"MD5"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, first); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fmt.Sprintf(made, ""), strings.TrimSpace(compact.String())); diff != "" {
		t.Error(diff)
	}
}

// TestLicenses: what says nothing of its terms is not passed on.
func TestLicenses(t *testing.T) {
	dir := t.TempDir()
	var all bytes.Buffer
	if err := add(&all, "a module", dir); err == nil {
		t.Error("a module without a license is passed on")
	}
	for _, name := range []string{"LICENSE-APACHE", "NOTICE", "license.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the terms of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(&all, "a module", dir); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a module (LICENSE-APACHE)", "the terms of LICENSE-APACHE", "the terms of NOTICE"} {
		if !bytes.Contains(all.Bytes(), []byte(want)) {
			t.Errorf("%q is not in %s", want, all.Bytes())
		}
	}
}

// packaged is what nfpm.yaml says.
type packaged struct {
	Contents []struct {
		Src, Dst, Type string
		Info           struct{ Mode int } `yaml:"file_info"`
	}
	Scripts map[string]string
}

// TestPackageIsWhole: the package has what its unit names, nobody but root reads the settings, and every file is there.
func TestPackageIsWhole(t *testing.T) {
	const root = "../.."
	var p packaged
	text, err := os.ReadFile(filepath.Join(root, "deploy", "package", "nfpm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	var there []string
	made := []string{"", "recarga", "THIRD_PARTY_LICENSES"} // by the release
	for _, c := range p.Contents {
		there = append(there, c.Dst)
		if _, err := os.Stat(filepath.Join(root, c.Src)); err != nil && !slices.Contains(made, c.Src) {
			t.Error(err)
		}
		if c.Dst == "/etc/recarga/recarga.env" && (c.Type != "config|noreplace" || c.Info.Mode != 0o600) {
			t.Errorf("the settings are packaged as %+v", c)
		}
	}
	for _, script := range p.Scripts {
		path := filepath.Join(root, script)
		if said, err := exec.CommandContext(t.Context(), "sh", "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", script, err, said)
		}
	}
	unit, err := os.ReadFile(filepath.Join(root, "deploy", "recarga.service"))
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`(?m)^EnvironmentFile=(\S+)$`).FindSubmatch(unit)
	if settings == nil || !slices.Contains(there, string(settings[1])) {
		t.Errorf("the unit reads %s, and the package has %v", settings, there)
	}
}

// TestWorkflowsRunTheSame: a forge runs what everybody runs, with the compiler of a release.
func TestWorkflowsRunTheSame(t *testing.T) {
	const root = "../.."
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := compiler(root)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	paths, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct {
					Run  string
					With map[string]any
				}
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		for job, steps := range workflow.Jobs {
			for _, s := range steps.Steps {
				if v, set := s.With["go-version"]; set && "go"+fmt.Sprint(v) != want {
					t.Errorf("%s: %s is built by Go %v instead of %s", path, job, v, want)
				}
				if words := strings.Fields(s.Run); len(words) > 1 && words[0] == "make" {
					ran[words[1]] = true
				}
			}
		}
	}
	for _, target := range []string{"test", "check", "release"} {
		if !ran[target] {
			t.Errorf("no workflow runs make %s", target)
		}
		delete(ran, target)
	}
	for target := range ran {
		if !bytes.Contains(makefile, []byte("\n"+target+": ")) {
			t.Errorf("a workflow runs make %s, which is not there", target)
		}
	}
}
