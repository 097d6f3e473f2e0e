package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"recarga/internal/audit"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

// callersKey is of every operation that writes callers: a prefix is judged by all of them.
const callersKey = "callers"

// AddCaller records a new caller, at version 1. topup.ErrConflict means that the name is taken; those of
// topup.FieldErrors that its prefix may not be given.
func (s *Store) AddCaller(ctx context.Context, c topup.Caller) error {
	return s.writeCaller(ctx, c, "", topup.ErrConflict, sqls.Get("add_caller"))
}

// ChangeCaller writes a caller that was read as was; its version becomes the next one. topup.ErrLost means that it is
// not at that version any more, or is gone; those of topup.FieldErrors that its prefix may not be given.
func (s *Store) ChangeCaller(ctx context.Context, c, was topup.Caller) error {
	return s.writeCaller(ctx, c, was.IDPrefix, topup.ErrLost, sqls.Get("change_caller"), was.Version, was.Secrets)
}

func (s *Store) writeCaller(
	ctx context.Context, c topup.Caller, had string, refused error, query string, more ...any,
) error {
	args, err := callerArgs(c)
	if err != nil {
		return err
	}
	given := prefixGiven{}
	if c.IDPrefix != "" && c.IDPrefix != had {
		if given, err = s.unusedPrefix(ctx, c); err != nil {
			return fmt.Errorf("caller %s: %w", c.Name, err)
		}
	}
	_, err = tables.Write(ctx, s.db, callersKey, func(t *tables.Tx) (struct{}, error) {
		if err := givePrefix(t, given); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.Change(refused, query, append(args, more...)...)
	})
	if err != nil {
		return fmt.Errorf("caller %s: %w", c.Name, err)
	}
	return nil
}

// ResealCaller replaces a caller's sealed secrets by the same ones, sealed anew, so that the caller has not changed.
// topup.ErrLost means that they are not as they were any more, or that the caller is gone.
func (s *Store) ResealCaller(ctx context.Context, name string, sealed, was []byte) error {
	if err := s.db.Change(audit.On(ctx, name), name, topup.ErrLost, sqls.Get("reseal"), name, sealed, was); err != nil {
		return fmt.Errorf("reseal caller %s: %w", name, err)
	}
	return nil
}

// callerArgs are the values of the columns that sqls.Get("add_caller") writes.
func callerArgs(c topup.Caller) ([]any, error) {
	endpoints, err := encodeEndpoints(c.Endpoints)
	var key, former topup.CallerKey
	if len(c.Keys) > 0 {
		key = c.Keys[0]
	}
	if len(c.Keys) > 1 {
		former = c.Keys[1]
	}
	if key.Hash == nil {
		key.Hash = []byte{} // one caller alone has none: default
	}
	return []any{
		c.Name, c.CallbackURL, key.Hash, c.Secrets, tables.Whole(c.CreatedAt).UnixMicro(),
		tables.Micros(c.DisabledAt), endpoints, key.Hint, sinceOf(key), tables.Micros(tables.WholeOrNil(key.ExpiresAt)),
		bytesOrNil(former.Hash), former.Hint, sinceOf(former), tables.Micros(tables.WholeOrNil(former.ExpiresAt)),
		c.IDPrefix, int64(c.Quota.MaxOpen), c.Quota.MaxRate.String(),
	}, err
}

func sinceOf(k topup.CallerKey) any {
	if k.CreatedAt.IsZero() {
		return nil
	}
	return tables.Whole(k.CreatedAt).UnixMicro()
}

func encodeEndpoints(all []topup.CallerEndpoint) (string, error) {
	if len(all) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(all)
	return string(encoded), err
}

// Callers are all callers, by name.
func (s *Store) Callers(ctx context.Context) ([]topup.Caller, error) {
	return tables.List(ctx, s.db, scanCaller, sqls.Get("callers"))
}

// Caller is the caller of a name, or topup.ErrNotFound.
func (s *Store) Caller(ctx context.Context, name string) (topup.Caller, error) {
	return s.oneCaller(ctx, sqls.Get("caller"), name)
}

// CallerByKey is the caller one of whose API keys has the digest, whether that has expired or not; or
// topup.ErrNotFound.
func (s *Store) CallerByKey(ctx context.Context, hash []byte) (topup.Caller, error) {
	if len(hash) == 0 {
		return topup.Caller{}, fmt.Errorf("caller: %w", topup.ErrNotFound)
	}
	return s.oneCaller(ctx, sqls.Get("caller_by_key"), hash)
}

func (s *Store) oneCaller(ctx context.Context, query string, arg any) (topup.Caller, error) {
	c, err := tables.One(ctx, s.db, scanCaller, query, arg)
	if err != nil {
		return topup.Caller{}, fmt.Errorf("caller: %w", err)
	}
	return c, nil
}

func scanCaller(row tables.Scanner) (c topup.Caller, err error) {
	var endpoints []byte
	var key, former topup.CallerKey
	var keySince, formerSince *time.Time
	var rate string
	err = row.Scan(&c.Version, &c.Name, &c.CallbackURL, &key.Hash, &c.Secrets, tables.Time(&c.CreatedAt),
		tables.TimeOrNil(&c.DisabledAt), &endpoints, &key.Hint, tables.TimeOrNil(&keySince),
		tables.TimeOrNil(&key.ExpiresAt), &former.Hash, &former.Hint, tables.TimeOrNil(&formerSince),
		tables.TimeOrNil(&former.ExpiresAt), &c.IDPrefix, &c.Quota.MaxOpen, &rate)
	if err != nil {
		return c, err
	}
	for _, k := range []struct {
		topup.CallerKey
		since *time.Time
	}{{key, keySince}, {former, formerSince}} {
		if len(k.Hash) == 0 {
			continue
		}
		k.CreatedAt = c.CreatedAt
		if k.since != nil { // a process of the release before writes none
			k.CreatedAt = *k.since
		}
		c.Keys = append(c.Keys, k.CallerKey)
	}
	if string(endpoints) != "[]" {
		err = json.Unmarshal(endpoints, &c.Endpoints)
	}
	if err == nil {
		c.Quota.MaxRate, err = topup.ParseRate("max_rate", rate)
	}
	return c, err
}
