// Package sqlfile reads SQL from files: sections that begin with a line "-- name: NAME".
package sqlfile

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Statements are the sections of all files of a folder. A name of a file for one engine, as accept.postgres.sql, has
// the engine before it: "postgres/insert".
type Statements map[string]string

const heading = "-- name: "

// Load reads the files of a folder that the program embeds. It panics at what only a change of the program can fix:
// a file that cannot be read, a name that stands twice, a section without a statement.
func Load(files fs.FS, folder string) Statements {
	names, err := fs.Glob(files, folder+"/*.sql")
	if err != nil {
		panic(err)
	}
	all := Statements{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		all.add(path.Base(name), string(text))
	}
	return all
}

func (s Statements) add(file, text string) {
	engine := ""
	if parts := strings.Split(file, "."); len(parts) == 3 {
		engine = parts[1] + "/"
	}
	for i, section := range strings.Split("\n"+text, "\n"+heading) {
		name, body, _ := strings.Cut(section, "\n")
		if i == 0 {
			continue // the file's own comment
		}
		name, body = engine+name, statement(body)
		if s[name] != "" || body == "" {
			panic(fmt.Sprintf("%s: %q stands twice, or is empty", file, name))
		}
		s[name] = body
	}
}

// statement is a section without its comments, which belong to the people who read the file.
func statement(section string) string {
	var lines []string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, ""))
}

// Get is the statement of a name. It panics where there is none: the program was built without it.
func (s Statements) Get(name string) string {
	if s[name] == "" {
		panic(fmt.Sprintf("no SQL is named %q", name))
	}
	return s[name]
}

// Engines is a statement that is written out for each engine.
type Engines struct {
	SQLite   string // with the parameters $1, $2 …
	Postgres string // the same parameters, or arrays of them
}

// Engines is the statement of a name for each engine. It panics unless both have one.
func (s Statements) Engines(name string) Engines {
	return Engines{SQLite: s.Get("sqlite/" + name), Postgres: s.Get("postgres/" + name)}
}
