// Measure says how large the house is, and how much of it is explained: of each package its lines, its functions and
// what is documented. Run it from the module's root: go run ./scripts/measure [-json] [DIR]
//
// Counted are files that are not tests; SQL and Lua beside them count as lines. A struct field is explained by a
// comment above it or on its line, by a tag doc:"…", which readers of the documentation and of the OpenAPI document
// see, or, where fields share a line or stand in one group without a blank line, by the comment of the group's first
// one. Fields that JSON names count as well.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// room is what is measured of a package, or of all together.
type room struct {
	Package string `json:"package"`
	// Lines are of Go, Other those of SQL and Lua.
	Lines int `json:"lines"`
	Other int `json:"other"`
	// Functions is how many there are; Median, P90 and Largest are lines of them.
	Functions   int    `json:"functions"`
	Median      int    `json:"median"`
	P90         int    `json:"p90"`
	Largest     int    `json:"largest"`
	LargestName string `json:"largest_name"`
	// Exported are names that other packages see, Documented those that say what they are.
	Exported   int `json:"exported"`
	Documented int `json:"documented"`
	// Fields are those of structs, Explained those with a comment.
	Fields    int `json:"fields"`
	Explained int `json:"explained"`
	// Wide are lines of 120 columns and more.
	Wide int `json:"wide"`

	sizes []function
}

type function struct {
	name  string
	lines int
}

func main() {
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	rooms, err := measure(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(rooms)
	} else {
		err = print(rooms)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// measure has a room for each folder with Go files, and all together last.
func measure(root string) ([]*room, error) {
	byFolder := map[string]*room{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") && path != root {
				return fs.SkipDir
			}
			return nil
		}
		folder, counts, err := roomOf(root, path)
		if err != nil || !counts {
			return err
		}
		r := byFolder[folder]
		if r == nil {
			r = &room{Package: folder}
			byFolder[folder] = r
		}
		return r.read(path)
	})
	all := &room{Package: "all"}
	var rooms []*room
	for _, r := range byFolder {
		rooms = append(rooms, r)
		all.add(r)
		r.sum()
	}
	all.sum()
	slices.SortFunc(rooms, func(a, b *room) int { return b.Lines - a.Lines })
	return append(rooms, all), err
}

// roomOf is the folder that a file counts to, if it does: SQL and Lua count to the Go beside them, tests and
// migrations to nothing.
func roomOf(root, path string) (folder string, counts bool, err error) {
	folder, err = filepath.Rel(root, filepath.Dir(path))
	switch filepath.Ext(path) {
	case ".go":
		counts = !strings.HasSuffix(path, "_test.go")
	case ".sql", ".lua":
		folder, counts = strings.TrimSuffix(folder, "/sql"), true
	}
	return folder, counts && !strings.Contains(folder, "migrations"), err
}

func (r *room) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines {
		if utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")) >= 120 {
			r.Wide++
		}
	}
	if filepath.Ext(path) != ".go" {
		r.Other += len(lines)
		return nil
	}
	r.Lines += len(lines)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments)
	if err != nil {
		return err
	}
	at := func(p token.Pos) int { return files.Position(p).Line }
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			r.sizes = append(r.sizes, function{d.Name.Name, at(d.End()) - at(d.Pos()) + 1})
			r.exported(d.Name, d.Doc != nil)
		case *ast.GenDecl:
			r.general(d)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructType); ok {
			r.fields(s, at)
		}
		return true
	})
	return nil
}

func (r *room) general(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			r.exported(s.Name, s.Doc != nil || d.Doc != nil)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				r.exported(name, s.Doc != nil || s.Comment != nil || d.Doc != nil)
			}
		}
	}
}

func (r *room) exported(name *ast.Ident, documented bool) {
	if !name.IsExported() {
		return
	}
	r.Exported++
	if documented {
		r.Documented++
	}
}

// fields counts those that others fill or read: the exported ones.
func (r *room) fields(s *ast.StructType, at func(token.Pos) int) {
	explained, last := false, -1
	for _, f := range s.Fields.List {
		if own := f.Doc != nil || f.Comment != nil; own || at(f.Pos()) != last+1 {
			explained = own
		}
		tagged := f.Tag != nil && strings.Contains(f.Tag.Value, `doc:"`)
		last = at(f.End())
		for _, name := range f.Names {
			if !name.IsExported() {
				continue
			}
			r.Fields++
			if explained || tagged {
				r.Explained++
			}
		}
	}
}

func (r *room) add(other *room) {
	r.Lines += other.Lines
	r.Other += other.Other
	r.Exported += other.Exported
	r.Documented += other.Documented
	r.Fields += other.Fields
	r.Explained += other.Explained
	r.Wide += other.Wide
	r.sizes = append(r.sizes, other.sizes...)
}

// sum has the figures of the functions.
func (r *room) sum() {
	slices.SortFunc(r.sizes, func(a, b function) int { return a.lines - b.lines })
	r.Functions = len(r.sizes)
	if r.Functions == 0 {
		return
	}
	largest := r.sizes[r.Functions-1]
	r.Median, r.P90 = r.sizes[r.Functions/2].lines, r.sizes[r.Functions*9/10].lines
	r.Largest, r.LargestName = largest.lines, largest.name
}

func print(rooms []*room) error {
	const form = "%-28s %6s %5s %6s %4s %4s %4s %-28s %10s %10s %5s\n"
	if _, err := fmt.Printf(form, "package", "lines", "other", "funcs", "med", "p90", "max", "largest", "documented",
		"fields", "wide"); err != nil {
		return err
	}
	for _, r := range rooms {
		_, err := fmt.Printf(form, r.Package, text(r.Lines), text(r.Other), text(r.Functions), text(r.Median), text(r.P90),
			text(r.Largest), r.LargestName, share(r.Documented, r.Exported), share(r.Explained, r.Fields), text(r.Wide))
		if err != nil {
			return err
		}
	}
	return nil
}

func text(n int) string { return fmt.Sprint(n) }

func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%d%%", 100*part/whole)
}
