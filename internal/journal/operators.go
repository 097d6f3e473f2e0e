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

var (
	sqlAddOperator   = sqls.Get("add_operator")
	sqlOperators     = sqls.Get("operators")
	sqlOperator      = sqls.Get("operator")
	sqlOperatorByKey = sqls.Get("operator_by_key")
	// sqlChangeOperator compares the version with the one that was read: of two changes at once, none may be lost.
	sqlChangeOperator = sqls.Get("change_operator")

	sqlEndSession   = sqls.Get("end_session")
	sqlForgetEnded  = sqls.Get("forget_ended")
	sqlSessionEnded = sqls.Get("session_ended")
)

const (
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
		n, err := t.Exec(query, args...)
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
	o, err := scanOperator(j.engine.Read.QueryRowContext(ctx, query, arg))
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
		if _, err := t.Exec(sqlForgetEnded, time.Now().Add(-sessionRemembers).UnixMicro()); err != nil {
			return 0, err
		}
		return t.Exec(sqlEndSession, id, until.UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SessionEnded reports whether EndSession has noted a session.
func (j *Journal) SessionEnded(ctx context.Context, id string) (bool, error) {
	n, err := j.number(ctx, sqlSessionEnded, id)
	return n > 0, err
}
