package journal

import (
	"context"
	"time"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Due lists orders that were due by now, in the order of (due, id), from after on; the zero after is
// the start. Attempts past their deadline are among them.
func (j *Journal) Due(ctx context.Context, now time.Time, after topup.Due, limit int) ([]topup.Due, error) {
	return tables.List(ctx, j.db, scanDue, sqls.Get("due"), now.UnixMicro(), after.DueAt.UnixMicro(), string(after.ID),
		limit)
}

// Overdue lists attempts past their deadline, whatever else is due.
func (j *Journal) Overdue(ctx context.Context, now time.Time, limit int) ([]topup.Due, error) {
	return tables.List(ctx, j.db, scanDue, sqls.Get("overdue"), now.UnixMicro(), limit)
}

func scanDue(row tables.Scanner) (due topup.Due, err error) {
	err = row.Scan(&due.ID, &due.State, &due.AttemptCount, tables.Time(&due.DueAt))
	return due, err
}
