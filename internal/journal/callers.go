package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"recarga/topup"
)

const callerColumns = `name, callback_url, key_hash, secrets, created_at, disabled_at, endpoints`

const (
	sqlAddCaller   = `INSERT INTO callers (` + callerColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING`
	sqlCallers     = `SELECT ` + callerColumns + ` FROM callers ORDER BY name`
	sqlCaller      = `SELECT ` + callerColumns + ` FROM callers WHERE name = $1`
	sqlCallerByKey = `SELECT ` + callerColumns + ` FROM callers WHERE key_hash = $1`
	// sqlChangeCaller compares with what was read: of two changes at once, none may be lost.
	sqlChangeCaller = `UPDATE callers SET callback_url = $2, key_hash = $3, secrets = $4, disabled_at = $5, endpoints = $6
WHERE name = $1 AND secrets = $7 AND endpoints = $8`
)

// AddCaller records a new caller. topup.ErrConflict means that the name is taken.
func (j *Journal) AddCaller(ctx context.Context, c topup.Caller) error {
	endpoints, err := encodeEndpoints(c.Endpoints)
	if err != nil {
		return err
	}
	return j.callerWrite(ctx, c.Name, topup.ErrConflict, sqlAddCaller,
		c.Name, c.CallbackURL, c.KeyHash, c.Secrets, whole(c.CreatedAt).UnixMicro(), micros(c.DisabledAt), endpoints)
}

// ChangeCaller writes a caller that was read as was. topup.ErrLost means that somebody else changed its
// secrets or endpoints meanwhile, or that it is gone.
func (j *Journal) ChangeCaller(ctx context.Context, c, was topup.Caller) error {
	before, err := encodeEndpoints(was.Endpoints)
	if err != nil {
		return err
	}
	after, err := encodeEndpoints(c.Endpoints)
	if err != nil {
		return err
	}
	return j.callerWrite(ctx, c.Name, topup.ErrLost, sqlChangeCaller,
		c.Name, c.CallbackURL, c.KeyHash, c.Secrets, micros(c.DisabledAt), after, was.Secrets, before)
}

// encodeEndpoints gives the same text for the same endpoints: it is compared.
func encodeEndpoints(all []topup.CallerEndpoint) (string, error) {
	if len(all) == 0 {
		return "[]", nil
	}
	encoded, err := json.Marshal(all)
	return string(encoded), err
}

func (j *Journal) callerWrite(ctx context.Context, name string, refused error, query string, args ...any) error {
	_, err := write(ctx, j, name, func(t *tx) (int64, error) {
		n, err := t.exec(query, args...)
		if err == nil && n == 0 {
			err = refused
		}
		return n, err
	})
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

// CallerByKey is the caller whose API key has the digest, or topup.ErrNotFound.
func (j *Journal) CallerByKey(ctx context.Context, hash []byte) (topup.Caller, error) {
	return j.oneCaller(ctx, sqlCallerByKey, hash)
}

func (j *Journal) oneCaller(ctx context.Context, query string, arg any) (topup.Caller, error) {
	c, err := scanCaller(j.engine.read.QueryRowContext(ctx, query, arg))
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
	err = row.Scan(&c.Name, &c.CallbackURL, &c.KeyHash, &c.Secrets, when{&c.CreatedAt}, maybe{&c.DisabledAt}, &endpoints)
	if err == nil && string(endpoints) != "[]" {
		err = json.Unmarshal(endpoints, &c.Endpoints)
	}
	return c, err
}
