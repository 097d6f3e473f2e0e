package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// One program has all mutants of a package, and this variable of its environment says which of them it is; without it,
// nothing is broken. So a package is built once, and not once for each of its mutants.
const chosenBy = "RECARGA_MUTANT"

// overlay is what the compiler gets instead of what is there: the texts of files by their paths from the root.
type overlay map[string]string

// newOverlay makes one for the mutants of a package and of those below it.
func newOverlay(root string, all []mutant) (overlay, error) {
	o := overlay{}
	byFile := map[string][]mutant{}
	for _, m := range all {
		byFile[m.file] = append(byFile[m.file], m)
	}
	texts := map[string]string{} // the cases of each folder's texts that are no Go
	folders := map[string]bool{}
	for file, its := range byFile {
		folder := filepath.Dir(file)
		if filepath.Ext(file) == ".go" {
			text, err := withMutants(root, file, its)
			if err != nil {
				return nil, err
			}
			folders[folder], o[file] = true, text
			continue
		}
		if filepath.Base(folder) == "sql" {
			folder = filepath.Dir(folder)
		}
		folders[folder] = true
		for _, m := range its {
			texts[folder] += fmt.Sprintf("\tcase %q:\n\t\treturn %s\n", m.id+" "+filepath.Base(file), strconv.Quote(m.broken()))
		}
	}
	for folder := range folders {
		if err := o.addChoice(root, folder, texts[folder]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// choice is what a package with mutants has beside its own files: its name, the variable, and the cases of its texts.
const choice = `package %s

import (
	"embed"
	"os"
	"path"
)

func chosenMutant() string { return os.Getenv(%q) }

func mutantText(file, text string) string {
	switch chosenMutant() + " " + file {
%s	}
	return text
}

type mutantFiles struct{ embed.FS }

func (m mutantFiles) ReadFile(name string) ([]byte, error) {
	text, err := m.FS.ReadFile(name)
	return []byte(mutantText(path.Base(name), string(text))), err
}
`

// withTexts is a Go file that gets the texts of SQL and of scripts from the chosen mutant.
func withTexts(code string) string {
	code = strings.ReplaceAll(code, "sqlfile.Load(sqlFiles,", "sqlfile.Load(mutantFiles{sqlFiles},")
	for _, script := range strings.Fields("free resume state") {
		source := script + "Source"
		mutated := fmt.Sprintf("Script(mutantText(%q, %s))", script+".lua", source)
		code = strings.ReplaceAll(code, "Script("+source+")", mutated)
	}
	return code
}

// addChoice has a package ask which of its mutants it is, and read its texts so.
func (o overlay) addChoice(root, folder, texts string) error {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		return err
	}
	name := ""
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, code, parser.PackageClauseOnly)
		if err != nil {
			return err
		}
		name = parsed.Name.Name
		file, _ = filepath.Rel(root, file)
		text := string(code)
		if there, ok := o[file]; ok {
			text = there
		}
		read := withTexts(text)
		if texts != "" && read != text {
			o[file] = read
		}
	}
	o[filepath.Join(folder, "mutant.go")] = fmt.Sprintf(choice, name, chosenBy, texts)
	return nil
}

// withMutants is a Go file whose broken functions are there several times: as they are, and as each mutant is.
func withMutants(root, file string, all []mutant) (string, error) {
	code, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, code, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	base := set.File(parsed.Pos()).Base()
	out, done := string(code), map[string]bool{}
	for _, d := range slices.Backward(parsed.Decls) { // from the end, so that the places before stay
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from, to := int(f.Pos())-base, int(f.End())-base
		var its []mutant
		for _, m := range all {
			if m.at >= from && m.at < to {
				its = append(its, m)
				done[m.id] = true
			}
		}
		if len(its) == 0 {
			continue
		}
		out = out[:from] + variants(string(code), base, f, its) + out[to:]
	}
	if len(done) != len(all) {
		return "", fmt.Errorf("%s: a mutant is in no function", file)
	}
	return out, nil
}

// variants are a function that calls one of its variants, and these.
func variants(code string, base int, f *ast.FuncDecl, all []mutant) string {
	text := func(n ast.Node) string { return code[int(n.Pos())-base : int(n.End())-base] }
	name := f.Name.Name
	renamed := func(code, to string, grown int) string {
		at, end := int(f.Name.Pos())-base, int(f.Name.End())-base
		return code[int(f.Pos())-base:at] + to + code[end:int(f.End())-base+grown]
	}
	head, receiver := "func ", ""
	if f.Recv != nil {
		head, receiver = "func (mutantOf "+text(f.Recv.List[0].Type)+") ", "mutantOf."
	}
	var params, args []string
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			arg := fmt.Sprintf("mutantArg%d", len(args))
			params = append(params, arg+" "+text(field.Type))
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				arg += "..."
			}
			args = append(args, arg)
		}
	}
	results, call := "", "\t\t%s(%s)\n\t\treturn\n"
	if f.Type.Results != nil {
		results, call = " "+text(f.Type.Results), "\t\treturn %s(%s)\n"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s%s(%s)%s {\n\tswitch chosenMutant() {\n", head, name, strings.Join(params, ", "), results)
	for _, m := range all {
		fmt.Fprintf(&out, "\tcase %q:\n"+call, m.id, receiver+name+"Mutant"+m.id, strings.Join(args, ", "))
	}
	fmt.Fprintf(&out, "\tdefault:\n"+call+"\t}\n}\n\n", receiver+name+"Original", strings.Join(args, ", "))
	out.WriteString(renamed(code, name+"Original", 0))
	for _, m := range all {
		out.WriteString("\n\n" + renamed(m.broken(), name+"Mutant"+m.id, len(m.new)-len(m.old)))
	}
	return out.String()
}

// write writes the overlay for the compiler, and returns its file.
func (o overlay) write(folder string) (string, error) {
	replace := map[string]string{}
	for file, text := range o {
		whole, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		other := filepath.Join(folder, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[whole] = other
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}
