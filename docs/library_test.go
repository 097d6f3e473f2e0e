package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// block is what stands in library.md after a comment that names it.
func block(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("library.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)<!-- " + regexp.QuoteMeta(name) + " -->\n```[a-z]*\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatalf("library.md has no %s", name)
	}
	return string(found[1])
}

// consumer is a module of its own beside this one, with the go.mod that library.md shows.
func consumer(t *testing.T) (dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	mod := block(t, "go.mod of the example")
	here := strings.Replace(mod, "replace recarga => ../recarga", "replace recarga => "+root, 1)
	if here == mod {
		t.Fatalf("the example replaces nothing: %s", mod)
	}
	write(t, filepath.Join(dir, "go.mod"), here)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// goIn runs the go command in a module, which asks nobody for anything.
func goIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0")
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, errors.String())
	}
	return string(out)
}

// TestLibraryExample: what library.md shows is a module that builds.
func TestLibraryExample(t *testing.T) {
	dir := consumer(t)
	write(t, filepath.Join(dir, "main.go"), block(t, "main.go of the example"))
	goIn(t, dir, "vet", "-mod=mod", ".")
}

// TestCheckoutIsAModuleOfItsOwn: the shop of the examples builds outside of this module, too.
func TestCheckoutIsAModuleOfItsOwn(t *testing.T) {
	dir := consumer(t)
	if err := os.CopyFS(dir, os.DirFS("../examples/checkout")); err != nil {
		t.Fatal(err)
	}
	goIn(t, dir, "vet", "-mod=mod", ".")
}

// TestLibraryIsLean: a checkout is built of the modules that library.md lists, and of no other.
func TestLibraryIsLean(t *testing.T) {
	text, err := os.ReadFile("library.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- modules -->\n")
	table, _, _ = strings.Cut(table, "<!-- end of modules -->")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	cells := func(line string) []string {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		return cells
	}
	listed := map[string][]string{}
	columns := cells(lines[0])
	for _, line := range lines[2:] {
		row := cells(line)
		for i := 1; i < len(columns)-1; i++ {
			if row[i] == "yes" {
				listed[columns[i]] = append(listed[columns[i]], row[0])
			}
		}
	}
	if len(listed) != 3 {
		t.Fatalf("the table lists modules of %d packages", len(listed))
	}
	for name, modules := range listed {
		used := goIn(t, "..", "list", "-mod=readonly", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./"+name)
		slices.Sort(modules)
		if diff := cmp.Diff(modules, unique(used)); diff != "" {
			t.Errorf("what %s brings with it (-library.md +imports):\n%s", name, diff)
		}
	}
}

// unique are the lines of a text, sorted, each once.
func unique(text string) []string {
	lines := strings.Fields(text)
	slices.Sort(lines)
	return slices.Compact(lines)
}
