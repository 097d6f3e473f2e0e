package journal

import (
	"embed"
	"encoding/json"

	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

// statements are all the SQL of the journal. A name that is missing or stands twice ends any program, and any test, at
// its start.
var statements = sqlfile.Load(sqlFiles, "sql")

// statement is the SQL that both engines run.
func statement(name string) string { return statements.Get(name) }

// perEngine is a statement that is written out for each engine.
type perEngine struct{ sqlite, postgres string }

func eachEngine(name string) perEngine {
	return perEngine{sqlite: statements.Get("sqlite/" + name), postgres: statements.Get("postgres/" + name)}
}

func (p perEngine) of(e *engine) string {
	if e.name == "postgres" {
		return p.postgres
	}
	return p.sqlite
}

// set is many values as the one argument of a statement: an array, or JSON for SQLite.
func set[T int64 | string](e *engine, values []T) any {
	if e.name == "postgres" {
		return values
	}
	encoded, _ := json.Marshal(values) // numbers and texts always can
	return string(encoded)
}
