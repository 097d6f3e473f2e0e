package journal

import (
	"context"
	"fmt"

	"recarga/topup"
)

// sqlReseal compares with what was read: whoever rotates the secrets meanwhile has the last word. What is sealed stays
// the same, so the caller has not changed.
var sqlReseal = sqls.Get("reseal")

// ResealCaller replaces a caller's sealed secrets by the same ones, sealed anew. topup.ErrLost means that they are
// not as they were any more, or that the caller is gone.
func (j *Journal) ResealCaller(ctx context.Context, name string, sealed, was []byte) error {
	_, err := write(ctx, j, name, func(t *tx) (int64, error) {
		n, err := t.Exec(sqlReseal, name, sealed, was)
		if err == nil && n == 0 {
			err = topup.ErrLost
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("reseal caller %s: %w", name, err)
	}
	return nil
}
