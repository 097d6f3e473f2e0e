package callers

import (
	"context"

	"recarga/topup"
)

// Caller is the caller of a name, as it was at most two seconds ago. Errors: topup.ErrNotFound.
func (r *Registry) Caller(ctx context.Context, name string) (topup.Caller, error) {
	return recall(r, r.byName, name, func() (topup.Caller, error) { return r.store.Caller(ctx, name) })
}
