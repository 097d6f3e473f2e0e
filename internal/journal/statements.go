package journal

import (
	"embed"
	"encoding/json"

	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

// sqls are all the SQL of the journal, by name. A name that is missing or stands twice ends any program, and any test,
// at its start.
var sqls = sqlfile.Load(sqlFiles, "sql")

// words is the statement in the engine's own words.
func (e *engine) words(s sqlfile.Engines) string {
	if e.name == "postgres" {
		return s.Postgres
	}
	return s.SQLite
}

// set is many values as the one argument of a statement: an array, or JSON for SQLite.
func set[T int64 | string](e *engine, values []T) any {
	if e.name == "postgres" {
		return values
	}
	encoded, _ := json.Marshal(values) // numbers and texts always can
	return string(encoded)
}
