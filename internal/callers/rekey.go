package callers

import (
	"context"
	"errors"
	"fmt"

	"recarga/internal/seal"
	"recarga/topup"
)

// SealedStore is where sealed secrets are: the journal.
type SealedStore interface {
	Callers(ctx context.Context) ([]topup.Caller, error)
	Caller(ctx context.Context, name string) (topup.Caller, error)
	// ResealCaller returns topup.ErrLost when the secrets are not as they were any more.
	ResealCaller(ctx context.Context, name string, sealed, was []byte) error
}

// Rekeyed counts callers by what their secrets were sealed with.
type Rekeyed struct {
	// Current were sealed with the present key already.
	Current int `json:"current"`
	// Former were sealed with a former one, or without a key's name; now they are sealed with the present one.
	Former int `json:"former"`
	// Unreadable are the names of those that none of the keys opens.
	Unreadable []string `json:"unreadable"`
}

// Rekey seals every caller's secrets with the first key of a box; with dry, it only counts. It may end anywhere, and
// be called again: each caller is one step, which loses nothing that is rotated at the same time.
func Rekey(ctx context.Context, store SealedStore, box *seal.Box, dry bool) (r Rekeyed, err error) {
	r.Unreadable = []string{}
	if !box.Ready() {
		return r, ErrNoKey
	}
	all, err := store.Callers(ctx)
	if err != nil {
		return r, err
	}
	for _, c := range all {
		current, err := rekeyOne(ctx, store, box, c, dry)
		switch {
		case errors.Is(err, seal.ErrKey):
			r.Unreadable = append(r.Unreadable, c.Name)
		case errors.Is(err, topup.ErrNotFound): // it is gone
		case err != nil:
			return r, err
		case current:
			r.Current++
		default:
			r.Former++
		}
	}
	return r, nil
}

// rekeyOne seals one caller's secrets anew, and reports whether that was so already.
func rekeyOne(ctx context.Context, store SealedStore, box *seal.Box, c topup.Caller, dry bool) (bool, error) {
	for {
		current, err := IsCurrent(box, c.Name, c.Secrets)
		if err != nil || current || dry {
			return current, err
		}
		plain, err := box.Open(secretsPurpose, c.Secrets, c.Name)
		if err != nil {
			return false, err
		}
		err = store.ResealCaller(ctx, c.Name, box.Seal(secretsPurpose, plain, c.Name), c.Secrets)
		if !errors.Is(err, topup.ErrLost) {
			return false, err
		}
		if c, err = store.Caller(ctx, c.Name); err != nil {
			return false, fmt.Errorf("rekey: %w", err)
		}
	}
}

// IsCurrent reports whether a caller's secrets are sealed with the first key of a box. seal.ErrKey: no key opens them.
func IsCurrent(box *seal.Box, name string, sealed []byte) (bool, error) {
	if _, err := box.Open(secretsPurpose, sealed, name); err != nil {
		return false, err
	}
	return box.Current(sealed), nil
}
