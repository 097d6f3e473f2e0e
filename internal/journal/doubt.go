package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// doubtFor is for how long a commit whose answer was lost is asked about: longer than a server takes to restart.
	// Nothing else can be written meanwhile.
	doubtFor = 5 * time.Second
	// commitsKept is how long the row of a process that died is kept.
	commitsKept = 30 * 24 * time.Hour
)

var (
	// sqlCommit is in every transaction of PostgreSQL. A server waits for its synchronous standby only at the end of a
	// transaction that has written something: one that only read would confirm what a failover takes back. The division
	// by zero is for a transaction that its lost connection still holds, and that nobody expects any more.
	sqlCommit = sqls.Get("commit")
	// sqlLatestCommit waits for a lost connection's transaction that is about to end, and has any later end fail. It
	// writes, so that its own end waits for the standby.
	sqlLatestCommit  = sqls.Get("latest_commit")
	sqlForgetCommits = sqls.Get("forget_commits")
)

// forgetCommits deletes the rows of processes that are long gone.
func (e *engine) forgetCommits(ctx context.Context) error {
	if !e.numbered {
		return nil
	}
	_, err := e.write.ExecContext(ctx, sqlForgetCommits, time.Now().Add(-commitsKept).UnixMicro())
	return err
}

// numbered are the last statements of a transaction.
func (l *lane) numbered() []*call {
	commit := &call{query: "COMMIT"}
	if !l.engine.numbered {
		return []*call{commit}
	}
	l.number++
	return []*call{{query: sqlCommit, args: []any{l.id, l.number, time.Now().UnixMicro()}}, commit}
}

// unanswered finds out what a transaction came to whose COMMIT has no answer. It returns nil if it happened, and then
// leaves an error only in those of its last calls of which it is not known whether they changed a row; ErrInDoubt if
// the database does not say; and otherwise cause, because nothing has happened, or ever will.
func (l *lane) unanswered(cause error, last []*call) error {
	if !l.engine.numbered {
		return fmt.Errorf("%w: %w", ErrInDoubt, cause)
	}
	latest, err := l.latestCommit()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInDoubt, errors.Join(cause, err))
	case latest != l.number:
		return cause
	}
	for _, c := range last {
		if c.failed() && c.query == sqlNewEvent.SQLite { // without its row there is no commit
			c.rows, c.err = 1, nil
		}
	}
	return nil
}

// latestCommit is the number of this lane's latest commit, asked until there is an answer or doubtFor has passed.
func (l *lane) latestCommit() (number int64, err error) {
	for until := time.Now().Add(doubtFor); ; {
		if number, err = l.askLatest(); err == nil || time.Now().After(until) {
			return number, err
		}
		time.Sleep(rand.N(retryWait))
	}
}

func (l *lane) askLatest() (number int64, err error) {
	ctx, cancel := l.engine.context()
	defer cancel()
	if err := l.begin(ctx); err != nil {
		return 0, err
	}
	ask := &call{query: sqlLatestCommit, args: []any{l.id, l.number, time.Now().UnixMicro()}}
	ask.scan = func(row scanner) error { return row.Scan(&number) }
	commit := &call{query: "COMMIT"}
	if l.session.do(ctx, ask, commit); ask.err != nil || commit.err != nil {
		l.drop()
	}
	return number, errors.Join(ask.err, commit.err)
}

// answer gives the operation its end. One whose first commit happened cannot end as if nothing had.
func (o *op) answer(err error) {
	if err != nil && o.again && !errors.Is(err, ErrInDoubt) {
		err = fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	o.done <- err
}

// confirm returns when all that can be read from the database is as durable as a write: after a commit in doubt,
// others may read what its standby has not got.
func (j *Journal) confirm(ctx context.Context) error {
	if !j.engine.numbered {
		return nil
	}
	_, err := write(ctx, j, "", func(*tx) (struct{}, error) { return struct{}{}, nil })
	return err
}
