package journal

import (
	"embed"
	"encoding/json"

	"recarga/internal/journal/commit"
	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

// sqls are all the SQL of the journal, by name. A name that is missing or stands twice ends any program, and any test,
// at its start.
var sqls = sqlfile.Load(sqlFiles, "sql")

// set is many values as the one argument of a statement: an array, or JSON for SQLite.
func set[T int64 | string](e *commit.Engine, values []T) any {
	if e.IsPostgres() {
		return values
	}
	encoded, _ := json.Marshal(values) // numbers and texts always can
	return string(encoded)
}
