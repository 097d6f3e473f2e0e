package journal

// bulks are what PostgreSQL runs instead of the statements of an order's usual life: once for all operations of a
// commit that are at the same step, which costs it a fraction of a statement for each. Their parameters are arrays.
// The first argument is another one for each operation, and comes back, as the first column, with each row
// that was changed.
var bulks = map[string]string{
	sqlInsert.SQLite:     sqlInsert.Postgres,
	sqlBegin.SQLite:      sqlBegin.Postgres,
	sqlBeginFirst.SQLite: sqlBeginFirst.Postgres,
	sqlSettle:            sqlSettle,
	sqlNewEvent.SQLite:   sqlNewEvent.Postgres,
	sqlTry.SQLite:        sqlTry.Postgres,
}

// sqlSettle is sqlResult and sqlFinish in one, for the result of an attempt that is under way. Nothing changes unless
// both do. Its arguments are those of sqlFinish, and what only the attempt keeps.
var sqlSettle = sqls.Get("postgres/settle")
