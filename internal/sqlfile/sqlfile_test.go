package sqlfile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/sqlfile"
)

func files(content map[string]string) fs.FS {
	all := fstest.MapFS{}
	for name, text := range content {
		all["sql/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func TestLoad(t *testing.T) {
	got := sqlfile.Load(files(map[string]string{
		"accept.sql": "-- About the file.\n\n-- name: order\nSELECT 1\n  -- not this one\nFROM t\n\n" +
			"-- About the next.\n-- name: other\nSELECT 2\n",
		"accept.postgres.sql": "-- name: insert\nINSERT 1",
		"accept.sqlite.sql":   "-- name: insert\nINSERT 2",
	}), "sql")
	want := sqlfile.Statements{
		"order": "SELECT 1\n  -- not this one\nFROM t", "other": "SELECT 2", "postgres/insert": "INSERT 1",
		"sqlite/insert": "INSERT 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWrongFilesEndTheProgram: what is missing, empty or doubled does not wait for the statement to be run.
func TestWrongFilesEndTheProgram(t *testing.T) {
	for name, load := range map[string]func(){
		"doubled": func() {
			sqlfile.Load(files(map[string]string{"a.sql": "-- name: x\nSELECT 1\n", "b.sql": "-- name: x\nSELECT 2\n"}), "sql")
		},
		"empty":   func() { sqlfile.Load(files(map[string]string{"a.sql": "-- name: x\n-- nothing\n"}), "sql") },
		"missing": func() { sqlfile.Load(files(map[string]string{"a.sql": "-- name: x\nSELECT 1"}), "sql").Get("y") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			load()
		})
	}
}

const root = "../.."

// goFiles parses every Go file of the module that is no test's, and has each looked at.
func goFiles(t *testing.T, each func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the module is elsewhere: %v", err)
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testkit"): // testkit: what sets up the tests' servers
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err == nil {
			each(path, set, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// looksLikeSQL: a literal that begins as a statement, or that is a piece of one.
var looksLikeSQL = regexp.MustCompile(`^\s*(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE|DROP|AND|SET)\s` +
	`|\s(FROM|WHERE|RETURNING|VALUES|ORDER BY|GROUP BY|INTO)\s`)

// TestNoSQLInGo: a statement that is put together of pieces in Go can be neither read nor searched, and a change of
// one piece changes statements that nobody looked at. The mutants name the pieces of statements that they break.
func TestNoSQLInGo(t *testing.T) {
	goFiles(t, func(path string, set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, _ := strconv.Unquote(lit.Value); looksLikeSQL.MatchString(text) && !strings.Contains(path, "/mutants/") {
				t.Errorf("%s: %s", set.Position(lit.Pos()), lit.Value)
			}
			return true
		})
	})
}

// TestFilesAndCodeAgree: every name that the code of a folder asks for stands in its files of SQL, once, and the code
// asks for each that stands there, once.
func TestFilesAndCodeAgree(t *testing.T) {
	asked := map[string]map[string]int{}
	goFiles(t, func(path string, set *token.FileSet, file *ast.File) {
		dir := filepath.Dir(path)
		if _, err := os.Stat(filepath.Join(dir, "sql")); err != nil {
			return
		}
		if asked[dir] == nil {
			asked[dir] = map[string]int{}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			name, by := literal(call.Args[0]), called(call.Fun)
			switch {
			case name == "" && (by == "sqls.Get" || by == "sqls.Engines"):
				t.Errorf("%s: the name of a statement is not written out", set.Position(call.Pos()))
			case by == "sqls.Get":
				asked[dir][name]++
			case by == "sqls.Engines":
				asked[dir]["sqlite/"+name]++
				asked[dir]["postgres/"+name]++
			}
			return true
		})
	})
	if len(asked) < 4 {
		t.Errorf("SQL is found for %v only", slices.Sorted(maps.Keys(asked)))
	}
	for dir, names := range asked {
		stands := map[string]int{}
		for name := range sqlfile.Load(os.DirFS(dir), "sql") {
			stands[name] = 1
		}
		if diff := cmp.Diff(stands, names); diff != "" {
			t.Errorf("%s (-files +code):\n%s", dir, diff)
		}
	}
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value)
	return text
}

// called is a function's name, with what it is selected from.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return called(e.X) + "." + e.Sel.Name
	}
	return ""
}
