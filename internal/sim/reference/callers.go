package reference

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"recarga/topup"
)

// AddCaller records a new caller, at version 1. topup.ErrConflict means that the name is taken.
func (j *Journal) AddCaller(_ context.Context, c topup.Caller) error {
	defer j.alone()()
	if err := j.prefixFree(c); err != nil {
		return err
	}
	if _, taken := j.callers[c.Name]; taken {
		return topup.ErrConflict
	}
	c.Version = 1
	j.callers[c.Name] = kept(c)
	return nil
}

// ChangeCaller writes a caller that was read as was. topup.ErrLost means that it is not so any more.
func (j *Journal) ChangeCaller(_ context.Context, c, was topup.Caller) error {
	defer j.alone()()
	if c.IDPrefix != was.IDPrefix {
		if err := j.prefixFree(c); err != nil {
			return err
		}
	}
	is, found := j.callers[c.Name]
	if !found || is.Version != was.Version || !bytes.Equal(is.Secrets, was.Secrets) {
		return topup.ErrLost
	}
	c.Version = is.Version + 1
	j.callers[c.Name] = kept(c)
	return nil
}

// kept is a caller as it is read.
func kept(c topup.Caller) topup.Caller {
	c.CreatedAt, c.DisabledAt, c.Keys = whole(c.CreatedAt), wholeOrNil(c.DisabledAt), slices.Clone(c.Keys)
	for i, k := range c.Keys {
		c.Keys[i].CreatedAt, c.Keys[i].ExpiresAt = whole(k.CreatedAt), wholeOrNil(k.ExpiresAt)
	}
	return c
}

// prefixFree refuses a prefix that begins with another caller's, that another's begins with, or that the ids of
// others' orders begin with.
func (j *Journal) prefixFree(c topup.Caller) error {
	if c.IDPrefix == "" {
		return nil
	}
	refused := &topup.FieldError{Field: topup.FieldIDPrefix, Value: c.IDPrefix, Allowed: "one that nobody else uses"}
	if _, err := topup.ParseIDPrefix(c.IDPrefix); err != nil {
		return err
	}
	for _, other := range j.callers {
		clash := strings.HasPrefix(other.IDPrefix, c.IDPrefix) || strings.HasPrefix(c.IDPrefix, other.IDPrefix)
		if other.Name != c.Name && other.IDPrefix != "" && clash {
			return refused
		}
	}
	for _, o := range j.placed {
		if o.Caller != c.Name && strings.HasPrefix(string(o.ID), c.IDPrefix) {
			return refused
		}
	}
	return nil
}

// idOf refuses an id that begins with another caller's prefix or, where that counts, not with its own caller's.
func (j *Journal) idOf(caller string, id topup.ID, own bool) error {
	for _, c := range j.callers {
		begins := strings.HasPrefix(string(id), c.IDPrefix)
		foreign := c.Name != caller && c.IDPrefix != "" && begins
		if foreign || own && c.Name == caller && !begins {
			return &topup.FieldError{Field: topup.FieldID, Value: string(id), Allowed: "an id of its own caller's prefix"}
		}
	}
	return nil
}

// Caller is the caller of a name, or topup.ErrNotFound.
func (j *Journal) Caller(_ context.Context, name string) (topup.Caller, error) {
	defer j.alone()()
	if c, found := j.callers[name]; found {
		return c, nil
	}
	return topup.Caller{}, topup.ErrNotFound
}

// CallerByKey is the caller one of whose API keys has the digest, or topup.ErrNotFound.
func (j *Journal) CallerByKey(ctx context.Context, hash []byte) (topup.Caller, error) {
	callers, _ := j.Callers(ctx)
	for _, c := range callers {
		for _, k := range c.Keys {
			if len(hash) > 0 && bytes.Equal(k.Hash, hash) {
				return c, nil
			}
		}
	}
	return topup.Caller{}, topup.ErrNotFound
}

// Callers are all callers, by name.
func (j *Journal) Callers(context.Context) ([]topup.Caller, error) {
	defer j.alone()()
	byName := func(a, b topup.Caller) int { return strings.Compare(a.Name, b.Name) }
	return append([]topup.Caller{}, slices.SortedFunc(maps.Values(j.callers), byName)...), nil
}

// OpenByCaller counts the orders of each caller that are not final.
func (j *Journal) OpenByCaller(context.Context) (map[string]int, error) {
	defer j.alone()()
	open := map[string]int{}
	for _, o := range j.placed {
		if !o.State.Final() {
			open[o.Caller]++
		}
	}
	return open, nil
}

// OldestUnknown is since when the order is held that has been held as unknown for longest; zero when none is.
func (j *Journal) OldestUnknown(context.Context) (oldest time.Time, err error) {
	defer j.alone()()
	for _, o := range j.placed {
		if o.State == topup.StateUnknown && (oldest.IsZero() || o.UpdatedAt.Before(oldest)) {
			oldest = o.UpdatedAt
		}
	}
	return oldest, nil
}
