package accounts

import (
	"context"
	"fmt"
	"time"

	"recarga/internal/access"
	"recarga/internal/journal/tables"
	"recarga/topup"
)

const (
	operatorsWrites  = "operators" // one key for all of them: they are rare
	sessionRemembers = time.Hour   // beyond its end, as clocks differ
)

// AddOperator implements access.OperatorStore.
func (s *Store) AddOperator(ctx context.Context, o access.Account) error {
	return s.operatorWrite(ctx, o, topup.ErrConflict, sqls.Get("add_operator"), tables.Whole(o.CreatedAt).UnixMicro())
}

// ChangeOperator implements access.OperatorStore.
func (s *Store) ChangeOperator(ctx context.Context, o access.Account) error {
	return s.operatorWrite(ctx, o, topup.ErrLost, sqls.Get("change_operator"))
}

func (s *Store) operatorWrite(ctx context.Context, o access.Account, refused error, query string, more ...any) error {
	args := append([]any{o.Name, o.Role.String(), o.KeyHash, bytesOrNil(o.FormerHash), tables.Micros(o.FormerUntil),
		tables.Micros(o.ExpiresAt), tables.Micros(o.DisabledAt), o.Version}, more...)
	if err := s.db.Change(ctx, operatorsWrites, refused, query, args...); err != nil {
		return fmt.Errorf("operator %s: %w", o.Name, err)
	}
	return nil
}

func bytesOrNil(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Operators implements access.OperatorStore.
func (s *Store) Operators(ctx context.Context) ([]access.Account, error) {
	return tables.List(ctx, s.db, scanOperator, sqls.Get("operators"))
}

// Operator implements access.OperatorStore.
func (s *Store) Operator(ctx context.Context, name string) (access.Account, error) {
	return s.oneOperator(ctx, sqls.Get("operator"), name)
}

// OperatorByKey implements access.OperatorStore.
func (s *Store) OperatorByKey(ctx context.Context, hash []byte) (access.Account, error) {
	return s.oneOperator(ctx, sqls.Get("operator_by_key"), hash)
}

func (s *Store) oneOperator(ctx context.Context, query string, arg any) (access.Account, error) {
	o, err := tables.One(ctx, s.db, scanOperator, query, arg)
	if err != nil {
		return access.Account{}, fmt.Errorf("operator: %w", err)
	}
	return o, nil
}

func scanOperator(row tables.Scanner) (o access.Account, err error) {
	var role string
	err = row.Scan(&o.Name, &role, &o.KeyHash, &o.FormerHash, tables.TimeOrNil(&o.FormerUntil),
		tables.TimeOrNil(&o.ExpiresAt), tables.Time(&o.CreatedAt), tables.TimeOrNil(&o.DisabledAt), &o.Version)
	if err == nil {
		o.Role, err = access.ParseRole(role)
	}
	return o, err
}

// EndSession notes that a session of the console has ended before its time, until it would have ended by itself.
func (s *Store) EndSession(ctx context.Context, id string, until time.Time) error {
	_, err := tables.Write(ctx, s.db, operatorsWrites, func(t *tables.Tx) (int64, error) {
		if _, err := t.Exec(sqls.Get("forget_ended"), time.Now().Add(-sessionRemembers).UnixMicro()); err != nil {
			return 0, err
		}
		return t.Exec(sqls.Get("end_session"), id, until.UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// SessionEnded reports whether EndSession has noted a session.
func (s *Store) SessionEnded(ctx context.Context, id string) (bool, error) {
	n, err := s.db.Number(ctx, sqls.Get("session_ended"), id)
	return n > 0, err
}
