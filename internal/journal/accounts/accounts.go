// Package accounts is who may use the program, as the journal keeps it: callers with the prefixes of their orders' ids
// and the health of their endpoints; operators, and the sessions that they ended.
package accounts

import (
	"embed"

	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

// Store keeps them.
type Store struct{ db *tables.DB }

// In keeps them in a database.
func In(db *tables.DB) *Store { return &Store{db} }
