package bench

import (
	"embed"

	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

// sqls are the statements of the benchmarks, by name.
var sqls = sqlfile.Load(sqlFiles, "sql")
