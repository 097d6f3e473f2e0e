package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/doc"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const module = "recarga/"

// room is a package of this module.
type room struct {
	// Path is from the module's root.
	Path string
	// Name is the package's: main for a program.
	Name string
	// Doc is its comment, of which the first sentence says what it is.
	Doc string
	// Imports are those from this module, without tests', by path from the root.
	Imports []string
	// OnlyTests says that nothing but tests and a comment is in it.
	OnlyTests bool
}

// readRooms asks go list for every package.
func readRooms(root string) (rooms []room, err error) {
	command := exec.Command("go", "list", "-json=ImportPath,Name,Doc,GoFiles,Imports", "./...")
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Name, Doc string
			GoFiles, Imports      []string
		}
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			return rooms, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		r := room{Path: strings.TrimPrefix(p.ImportPath, module), Name: p.Name, Doc: p.Doc}
		for _, i := range p.Imports {
			if inside, ours := strings.CutPrefix(i, module); ours {
				r.Imports = append(r.Imports, inside)
			}
		}
		r.OnlyTests = len(p.Imports) == 0 && (len(p.GoFiles) == 0 || slices.Equal(p.GoFiles, []string{"doc.go"}))
		rooms = append(rooms, r)
	}
}

var opening = regexp.MustCompile(`^(Package|Command) \w+ (is )?`)

// sentence is what a package says of itself first, without its name; of a long one, what stands before the details.
func (r room) sentence() string {
	s := strings.TrimSuffix(opening.ReplaceAllString(new(doc.Package).Synopsis(r.Doc), ""), ".")
	if before, _, detailed := strings.Cut(s, ": "); detailed && len(s) > 120 {
		return before
	}
	return s
}

// where is README's table: the libraries that others import first, then programs, then what is inside.
func where(rooms []room) string {
	order := func(r room) int {
		switch {
		case strings.HasPrefix(r.Path, "internal/"):
			return 2
		case r.Name == "main":
			return 1
		}
		return 0
	}
	rooms = slices.Clone(rooms)
	slices.SortStableFunc(rooms, func(a, b room) int { return order(a) - order(b) })
	var b strings.Builder
	b.WriteString("| package | what it is |\n|---|---|\n")
	for _, r := range rooms {
		if r.Doc != "" && !strings.HasPrefix(r.Path, "scripts/") {
			fmt.Fprintf(&b, "| [%s](%s) | %s |\n", r.Path, r.Path, r.sentence())
		}
	}
	return b.String()
}

// rule is one of depguard's.
type rule struct {
	Mode  string   `yaml:"list-mode"`
	Files []string `yaml:"files"`
	Allow []string `yaml:"allow"`
	Deny  []struct {
		Package string `yaml:"pkg"`
		Why     string `yaml:"desc"`
	} `yaml:"deny"`
}

// readRules has the rules that bound what a package may import from this module, by the package's path.
func readRules(path string) (map[string]rule, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lint struct {
		Linters struct {
			Settings struct {
				Depguard struct{ Rules map[string]rule }
			}
		}
	}
	if err := yaml.Unmarshal(text, &lint); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rules := map[string]rule{}
	for name, r := range lint.Linters.Settings.Depguard.Rules {
		bounds := r.Mode == "strict" || len(r.Deny) == 1 && r.Deny[0].Package+"/" == module
		for _, files := range r.Files {
			if folder, ok := strings.CutPrefix(files, "**/"); ok && bounds {
				folder = strings.TrimSuffix(folder, "/*.go")
				if _, twice := rules[folder]; twice {
					return nil, fmt.Errorf("%s: %s has a second rule, %s", path, folder, name)
				}
				rules[folder] = r
			}
		}
	}
	return rules, nil
}

// ours are the packages of this module that a rule allows.
func (r rule) ours() (list []string) {
	for _, allowed := range r.Allow {
		if inside, ok := strings.CutPrefix(allowed, module); ok {
			list = append(list, inside)
		}
	}
	slices.Sort(list)
	return list
}

// imports is the table of docs/architecture.md.
func imports(rooms []room, rules map[string]rule) string {
	var b strings.Builder
	b.WriteString("| room | what it is | may import, of this module | because |\n|---|---|---|---|\n")
	for _, r := range rooms {
		rule, ruled := rules[r.Path]
		if !ruled {
			continue
		}
		why := "it depends on nothing"
		if len(rule.Deny) > 0 {
			why = rule.Deny[0].Why
		} else if len(rule.ours()) > 0 {
			why = "it depends on nothing but rules about texts"
		}
		names := "nothing"
		if allowed := rule.ours(); len(allowed) > 0 {
			for i, name := range allowed {
				allowed[i] = path.Base(name)
				if part, ok := strings.CutPrefix(name, "internal/journal/"); ok {
					allowed[i] = "journal/" + part
				}
			}
			names = strings.Join(allowed, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Path, r.sentence(), names, why)
	}
	return b.String()
}
