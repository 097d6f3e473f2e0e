package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"recarga/internal/access"
	"recarga/topup"
)

const operatorColumns = `name, role, key_hash, former_hash, former_until, expires_at, created_at, disabled_at, version`

const (
	sqlAddOperator = `INSERT INTO operators (` + operatorColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING`
	sqlOperators     = `SELECT ` + operatorColumns + ` FROM operators ORDER BY name`
	sqlOperator      = `SELECT ` + operatorColumns + ` FROM operators WHERE name = $1`
	sqlOperatorByKey = `SELECT ` + operatorColumns + ` FROM operators WHERE key_hash = $1 OR former_hash = $1`
	// sqlChangeOperator compares the version with the one that was read: of two changes at once, none may be lost.
	sqlChangeOperator = `UPDATE operators SET role = $2, key_hash = $3, former_hash = $4, former_until = $5, expires_at = $6,
disabled_at = $7, version = $8 WHERE name = $1 AND version = $8 - 1`

	sqlEndSession    = `INSERT INTO ended_sessions (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`
	sqlForgetEnded   = `DELETE FROM ended_sessions WHERE until < $1`
	sqlSessionEnded  = `SELECT COUNT(*) FROM ended_sessions WHERE id = $1`
	operatorsWrites  = "operators" // one key for all of them: they are rare
	sessionRemembers = time.Hour   // beyond its end, as clocks differ
)

// AddOperator implements access.OperatorStore.
func (j *Journal) AddOperator(ctx context.Context, o access.Account) error {
	return j.operatorWrite(ctx, o.Name, topup.ErrConflict, sqlAddOperator, o.Name, o.Role.String(), o.KeyHash,
		bytesOrNil(o.FormerHash), micros(o.FormerUntil), micros(o.ExpiresAt), whole(o.CreatedAt).UnixMicro(),
		micros(o.DisabledAt), o.Version)
}

// ChangeOperator implements access.OperatorStore.
func (j *Journal) ChangeOperator(ctx context.Context, o access.Account) error {
	return j.operatorWrite(ctx, o.Name, topup.ErrLost, sqlChangeOperator, o.Name, o.Role.String(), o.KeyHash,
		bytesOrNil(o.FormerHash), micros(o.FormerUntil), micros(o.ExpiresAt), micros(o.DisabledAt), o.Version)
}

func bytesOrNil(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (j *Journal) operatorWrite(ctx context.Context, name string, refused error, query string, args ...any) error {
	_, err := write(ctx, j, operatorsWrites, func(t *tx) (int64, error) {
		n, err := t.exec(query, args...)
		if err == nil && n == 0 {
			err = refused
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("operator %s: %w", name, err)
	}
	return nil
}

// Operators implements access.OperatorStore.
func (j *Journal) Operators(ctx context.Context) ([]access.Account, error) {
	return list(ctx, j, scanOperator, sqlOperators)
}

// Operator implements access.OperatorStore.
func (j *Journal) Operator(ctx context.Context, name string) (access.Account, error) {
	return j.oneOperator(ctx, sqlOperator, name)
}

// OperatorByKey implements access.OperatorStore.
func (j *Journal) OperatorByKey(ctx context.Context, hash []byte) (access.Account, error) {
	return j.oneOperator(ctx, sqlOperatorByKey, hash)
}

func (j *Journal) oneOperator(ctx context.Context, query string, arg any) (access.Account, error) {
	o, err := scanOperator(j.engine.read.QueryRowContext(ctx, query, arg))
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return access.Account{}, fmt.Errorf("operator: %w", err)
	}
	return o, nil
}

func scanOperator(row scanner) (o access.Account, err error) {
	var role string
	err = row.Scan(&o.Name, &role, &o.KeyHash, &o.FormerHash, maybe{&o.FormerUntil}, maybe{&o.ExpiresAt},
		when{&o.CreatedAt}, maybe{&o.DisabledAt}, &o.Version)
	if err == nil {
		o.Role, err = access.ParseRole(role)
	}
	return o, err
}

// EndSession notes that a session of the console has ended before its time, until it would have ended by itself.
func (j *Journal) EndSession(ctx context.Context, id string, until time.Time) error {
	_, err := write(ctx, j, operatorsWrites, func(t *tx) (int64, error) {
		if _, err := t.exec(sqlForgetEnded, time.Now().Add(-sessionRemembers).UnixMicro()); err != nil {
			return 0, err
		}
		return t.exec(sqlEndSession, id, until.UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SessionEnded tells whether EndSession has noted a session.
func (j *Journal) SessionEnded(ctx context.Context, id string) (bool, error) {
	var n int64
	if err := j.engine.read.QueryRowContext(ctx, sqlSessionEnded, id).Scan(&n); err != nil {
		return false, fmt.Errorf("session: %w", err)
	}
	return n > 0, nil
}
