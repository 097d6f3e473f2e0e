package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// declared is what stands in a package: its path or last element, then a function, a type or a type's method.
	declared = regexp.MustCompile(`^([a-z0-9/]+)\.([A-Za-z]\w*(?:\.[A-Za-z]\w*)?)$`)
	// file is a path from the root, a folder's included; * stands for any name.
	file = regexp.MustCompile(`^[.\w*-]+(/[.\w*-]+)*(/|\.(go|md|yml|yaml|json|sql|html|lua|pml))$`)
)

// TestArchitectureNamesWhatIsThere: every function, test and file that docs/architecture.md names exists.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := readRooms(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for _, r := range rooms {
		folders[r.Path] = r.Path
		folders[filepath.Base(r.Path)] = r.Path
	}
	names, files := 0, 0
	for _, q := range quoted.FindAllStringSubmatch(string(text), -1) {
		if file.MatchString(q[1]) {
			files++
			if found, _ := filepath.Glob(filepath.Join(root, q[1])); len(found) == 0 {
				t.Errorf("there is no %s", q[1])
			}
			continue
		}
		if name := declared.FindStringSubmatch(q[1]); name != nil {
			names++
			if folder, known := folders[name[1]]; !known || !declarations(t, folder)[name[2]] {
				t.Errorf("%s has no %s", name[1], name[2])
			}
		}
	}
	if names < 30 || files < 30 {
		t.Errorf("only %d names and %d files: is the document read?", names, files)
	}
}

// declarations are a folder's functions, types and methods (Type.Method), those of its tests included.
func declarations(t *testing.T, folder string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						found[s.Name.Name] = true
					}
				}
			}
		}
	}
	return found
}

// receiver is the type of a method with a dot behind it; empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
