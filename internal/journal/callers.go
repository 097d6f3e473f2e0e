package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"recarga/topup"
)

const callerColumns = `name, callback_url, key_hash, secrets, created_at, disabled_at`

const (
	sqlAddCaller   = `INSERT INTO callers (` + callerColumns + `) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`
	sqlCallers     = `SELECT ` + callerColumns + ` FROM callers ORDER BY name`
	sqlCaller      = `SELECT ` + callerColumns + ` FROM callers WHERE name = $1`
	sqlCallerByKey = `SELECT ` + callerColumns + ` FROM callers WHERE key_hash = $1`
	// sqlChangeCaller compares with the secrets that were read: two rotations at once must not lose one.
	sqlChangeCaller = `UPDATE callers SET callback_url = $2, key_hash = $3, secrets = $4, disabled_at = $5 WHERE name = $1 AND secrets = $6`
)

// AddCaller records a new caller. topup.ErrConflict means that the name is taken.
func (j *Journal) AddCaller(ctx context.Context, c topup.Caller) error {
	return j.callerWrite(ctx, c.Name, topup.ErrConflict, sqlAddCaller,
		c.Name, c.CallbackURL, c.KeyHash, c.Secrets, whole(c.CreatedAt).UnixMicro(), micros(c.DisabledAt))
}

// ChangeCaller writes a caller that was read with the given secrets. topup.ErrLost means that somebody
// else changed them meanwhile, or that it is gone.
func (j *Journal) ChangeCaller(ctx context.Context, c topup.Caller, secrets []byte) error {
	return j.callerWrite(ctx, c.Name, topup.ErrLost, sqlChangeCaller,
		c.Name, c.CallbackURL, c.KeyHash, c.Secrets, micros(c.DisabledAt), secrets)
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
	err = row.Scan(&c.Name, &c.CallbackURL, &c.KeyHash, &c.Secrets, when{&c.CreatedAt}, maybe{&c.DisabledAt})
	return c, err
}

const (
	sqlFailing = `INSERT INTO failing_endpoints (caller, url, failing_since) VALUES ($1, $2, $3) ON CONFLICT (caller, url) DO NOTHING`
	sqlDisable = `INSERT INTO failing_endpoints (caller, url, failing_since, disabled_at, reason) VALUES ($1, $2, $3, $3, $4)
ON CONFLICT (caller, url) DO UPDATE SET disabled_at = excluded.disabled_at, reason = excluded.reason WHERE failing_endpoints.disabled_at IS NULL`
	sqlHealthy = `DELETE FROM failing_endpoints WHERE caller = $1 AND url = $2`
	sqlHealth  = `SELECT failing_since, disabled_at, reason FROM failing_endpoints WHERE caller = $1 AND url = $2`
)

// EndpointHealth is what is kept of an endpoint's failures.
func (j *Journal) EndpointHealth(ctx context.Context, caller, url string) (h topup.EndpointHealth, err error) {
	err = j.engine.read.QueryRowContext(ctx, sqlHealth, caller, url).Scan(maybe{&h.FailingSince}, maybe{&h.DisabledAt}, &h.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return topup.EndpointHealth{}, nil
	}
	return h, err
}

// EndpointFailed notes the first failure of an endpoint; those that follow change nothing.
func (j *Journal) EndpointFailed(ctx context.Context, caller, url string, now time.Time) error {
	return j.callerWrite(ctx, caller, nil, sqlFailing, caller, url, whole(now).UnixMicro())
}

// DisableEndpoint stops all tries to an endpoint, for a reason; first tells whether it was not stopped before.
func (j *Journal) DisableEndpoint(ctx context.Context, caller, url, reason string, now time.Time) (first bool, err error) {
	err = j.callerWrite(ctx, caller, topup.ErrLost, sqlDisable, caller, url, whole(now).UnixMicro(), text(reason))
	if errors.Is(err, topup.ErrLost) {
		return false, nil
	}
	return err == nil, err
}

// EndpointHealthy forgets an endpoint's failures, and has it tried again.
func (j *Journal) EndpointHealthy(ctx context.Context, caller, url string) error {
	return j.callerWrite(ctx, caller, nil, sqlHealthy, caller, url)
}
