package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is a file of the program, with the places in it that have names.
type source struct {
	dir   string // of suites
	file  string // from the root
	text  string
	spots []spot
}

// spot is a function, a statement of an SQL file, or a whole script of Redis.
type spot struct {
	// name is Func, Type.Method or, of SQL, the statement's, with its engine where it is one engine's: begin.sqlite; of
	// a script its file's.
	name     string
	from, to int // in the text
}

// readSources reads what may be broken: the packages of suites, with what is below them.
func readSources(root string) (all []source, err error) {
	for dir := range suites {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			ext := filepath.Ext(path)
			broken := ext == ".go" && !strings.HasSuffix(path, "_test.go") || ext == ".sql" || ext == ".lua"
			if err != nil || d.IsDir() || !broken || strings.Contains(path, "/migrations/") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			file, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			s := source{dir: dir, file: file, text: string(text)}
			switch ext {
			case ".go":
				s.spots, err = functions(path, s.text)
			case ".sql":
				s.spots = statements(path, s.text)
			default:
				s.spots = []spot{{name: filepath.Base(path), to: len(s.text)}}
			}
			all = append(all, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b source) int { return strings.Compare(a.file, b.file) })
	return all, nil
}

const section = "-- name: "

// statements are the sections of an SQL file.
func statements(path, text string) (spots []spot) {
	engine := ""
	if parts := strings.Split(filepath.Base(path), "."); len(parts) == 3 {
		engine = "." + parts[1]
	}
	for at := strings.Index(text, section); at >= 0; {
		end := len(text)
		if next := strings.Index(text[at+1:], section); next >= 0 {
			end = at + 1 + next
		}
		name, _, _ := strings.Cut(text[at+len(section):end], "\n")
		spots = append(spots, spot{name: strings.TrimSpace(name) + engine, from: at, to: end})
		if at = end; end == len(text) {
			break
		}
	}
	return spots
}

// functions are those of a Go file.
func functions(path, text string) (spots []spot, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	base := set.File(file.Pos()).Base()
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil {
			of := f.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			name = fmt.Sprint(of, ".", name)
		}
		spots = append(spots, spot{name: name, from: int(f.Pos()) - base, to: int(f.End()) - base})
	}
	return spots, nil
}

// find is the one spot of a name in a package.
func find(sources []source, dir, name string) (found source, at spot, err error) {
	n := 0
	for _, s := range sources {
		for _, one := range s.spots {
			if s.dir == dir && one.name == name {
				found, at = s, one
				n++
			}
		}
	}
	if n != 1 {
		return found, at, fmt.Errorf("%s: %d places are called %s; the code has moved", dir, n, name)
	}
	return found, at, nil
}
