package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

var (
	sqlAddCaller = sqls.Get("add_caller")
	sqlCallers   = sqls.Get("callers")
	sqlCaller    = sqls.Get("caller")
	// sqlCallerByKey: an UNION, so that either key is found by its index.
	sqlCallerByKey = sqls.Get("caller_by_key")
	// sqlChangeCaller compares the version: of two changes that were made of the same one, only one is written. It
	// compares the secrets as well, which a rekey seals anew without making another version.
	sqlChangeCaller = sqls.Get("change_caller")
)

// callersKey is of every operation that writes callers: a prefix is judged by all of them.
const callersKey = "callers"

// AddCaller records a new caller, at version 1. topup.ErrConflict means that the name is taken; those of
// topup.FieldErrors that its prefix may not be given.
func (j *Journal) AddCaller(ctx context.Context, c topup.Caller) error {
	return j.writeCaller(ctx, c, "", topup.ErrConflict, sqlAddCaller)
}

// ChangeCaller writes a caller that was read as was; its version becomes the next one. topup.ErrLost means that it is
// not at that version any more, or is gone; those of topup.FieldErrors that its prefix may not be given.
func (j *Journal) ChangeCaller(ctx context.Context, c, was topup.Caller) error {
	return j.writeCaller(ctx, c, was.IDPrefix, topup.ErrLost, sqlChangeCaller, was.Version, was.Secrets)
}

func (j *Journal) writeCaller(
	ctx context.Context, c topup.Caller, had string, refused error, query string, more ...any,
) error {
	args, err := callerArgs(c)
	if err != nil {
		return err
	}
	given := prefixGiven{}
	if c.IDPrefix != "" && c.IDPrefix != had {
		if given, err = j.unusedPrefix(ctx, c); err != nil {
			return fmt.Errorf("caller %s: %w", c.Name, err)
		}
	}
	_, err = write(ctx, j, callersKey, func(t *tx) (int64, error) {
		if err := t.givePrefix(given); err != nil {
			return 0, err
		}
		n, err := t.Exec(query, append(args, more...)...)
		if err == nil && n == 0 {
			err = refused
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("caller %s: %w", c.Name, err)
	}
	return nil
}

// callerArgs are the values of the columns that sqlAddCaller writes.
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
		c.Name, c.CallbackURL, key.Hash, c.Secrets, whole(c.CreatedAt).UnixMicro(), micros(c.DisabledAt), endpoints,
		key.Hint, sinceOf(key), micros(wholeOrNil(key.ExpiresAt)),
		orNull(former.Hash), former.Hint, sinceOf(former), micros(wholeOrNil(former.ExpiresAt)),
		c.IDPrefix, int64(c.Quota.MaxOpen), c.Quota.MaxRate.String(),
	}, err
}

func sinceOf(k topup.CallerKey) any {
	if k.CreatedAt.IsZero() {
		return nil
	}
	return whole(k.CreatedAt).UnixMicro()
}

func orNull(hash []byte) any {
	if len(hash) == 0 {
		return nil
	}
	return hash
}

func encodeEndpoints(all []topup.CallerEndpoint) (string, error) {
	if len(all) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(all)
	return string(encoded), err
}

func (j *Journal) callerWrite(ctx context.Context, name string, query string, args ...any) error {
	_, err := write(ctx, j, name, func(t *tx) (int64, error) { return t.Exec(query, args...) })
	if err != nil {
		return fmt.Errorf("caller %s: %w", name, err)
	}
	return nil
}

// Callers are all callers, by name.
func (j *Journal) Callers(ctx context.Context) ([]topup.Caller, error) {
	return list(ctx, j, scanCaller, sqlCallers)
}

// Caller is the caller of a name, or topup.ErrNotFound.
func (j *Journal) Caller(ctx context.Context, name string) (topup.Caller, error) {
	return j.oneCaller(ctx, sqlCaller, name)
}

// CallerByKey is the caller one of whose API keys has the digest, whether that has expired or not; or
// topup.ErrNotFound.
func (j *Journal) CallerByKey(ctx context.Context, hash []byte) (topup.Caller, error) {
	if len(hash) == 0 {
		return topup.Caller{}, fmt.Errorf("caller: %w", topup.ErrNotFound)
	}
	return j.oneCaller(ctx, sqlCallerByKey, hash)
}

func (j *Journal) oneCaller(ctx context.Context, query string, arg any) (topup.Caller, error) {
	c, err := scanCaller(j.engine.Read.QueryRowContext(ctx, query, arg))
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return topup.Caller{}, fmt.Errorf("caller: %w", err)
	}
	return c, nil
}

func scanCaller(row scanner) (c topup.Caller, err error) {
	var endpoints []byte
	var key, former topup.CallerKey
	var keySince, formerSince *time.Time
	var rate string
	err = row.Scan(&c.Version, &c.Name, &c.CallbackURL, &key.Hash, &c.Secrets, when{&c.CreatedAt}, maybe{&c.DisabledAt},
		&endpoints, &key.Hint, maybe{&keySince}, maybe{&key.ExpiresAt},
		&former.Hash, &former.Hint, maybe{&formerSince}, maybe{&former.ExpiresAt},
		&c.IDPrefix, &c.Quota.MaxOpen, &rate)
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
