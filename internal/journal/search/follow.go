package search

import (
	"context"
	"fmt"

	"recarga/internal/journal/tables"
	"recarga/topup"
)

// Version says whether an order has changed: two moments of it that its caller sees as different have two.
type Version struct {
	updatedAt int64 // in microseconds
	state     topup.State
	attempts  int
	waitsFor  topup.NullString
}

// VersionOf is the version of an order as it was read.
func VersionOf(o topup.Order) Version {
	return Version{o.UpdatedAt.UnixMicro(), o.State, o.AttemptCount, o.WaitsFor}
}

// Versions are those of orders as they now are. One that is not in the tables, or not any more, has none.
func (r *Reader) Versions(ctx context.Context, ids []topup.ID) (map[topup.ID]Version, error) {
	now := make(map[topup.ID]Version, len(ids))
	_, err := tables.List(ctx, r.db, func(row tables.Scanner) (one struct{}, err error) {
		var id topup.ID
		var v Version
		err = row.Scan(&id, &v.updatedAt, &v.state, &v.attempts, &v.waitsFor)
		now[id] = v
		return one, err
	}, r.db.Words(sqls.Engines("versions")), tables.Set(r.db, ids))
	return now, err
}

// Present are orders as they now are, with all their parts, all of one moment. Those that are not in the tables are
// left out.
func (r *Reader) Present(ctx context.Context, ids []topup.ID) (all []topup.Details, err error) {
	if all, err = r.db.Chosen(ctx, r.db.Words(sqls.Engines("present")), tables.Set(r.db, ids)); err != nil {
		return nil, fmt.Errorf("present orders: %w", err)
	}
	return all, nil
}
