package commit

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
	// by zero is for a transaction that its lost connection still holds, and that nobody expects any more; and for one
	// in a session that a pooler has exchanged, which nobody has set up: its commit may be less durable.
	sqlCommit = sqls.Get("commit")
	// sqlLatestCommit waits for a lost connection's transaction that is about to end, and has any later end fail. It
	// writes, so that its own end waits for the standby.
	sqlLatestCommit  = sqls.Get("latest_commit")
	sqlForgetCommits = sqls.Get("forget_commits")
)

// ForgetCommits deletes the rows of processes that are long gone.
func (e *Engine) ForgetCommits(ctx context.Context) error {
	if !e.numbered {
		return nil
	}
	_, err := e.Write.ExecContext(ctx, sqlForgetCommits, time.Now().Add(-commitsKept).UnixMicro())
	return err
}

// numbered are the last statements of a transaction.
func (c *Committer) numbered() []*Statement {
	commit := &Statement{Query: "COMMIT"}
	if !c.engine.numbered {
		return []*Statement{commit}
	}
	c.number++
	return []*Statement{{Query: sqlCommit, Args: []any{c.id, c.number, time.Now().UnixMicro(), c.session.process()}},
		commit}
}

// unanswered finds out what a transaction came to whose COMMIT has no answer. It returns nil if it happened, and then
// leaves an error only in those of its last statements of which it is not known whether they changed a row;
// ErrInDoubt if the database does not say; and otherwise cause, because nothing has happened, or ever will.
func (c *Committer) unanswered(cause error, last []*Statement) error {
	if !c.engine.numbered {
		return fmt.Errorf("%w: %w", ErrInDoubt, cause)
	}
	latest, err := c.latestCommit()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInDoubt, errors.Join(cause, err))
	case latest != c.number:
		return cause
	}
	for _, s := range last {
		if s.failed() && s.Certain {
			s.rows, s.err = 1, nil
		}
	}
	return nil
}

// latestCommit is the number of this Committer's latest commit, asked until there is an answer or doubtFor has passed.
func (c *Committer) latestCommit() (number int64, err error) {
	for until := time.Now().Add(doubtFor); ; {
		if number, err = c.askLatest(); err == nil || time.Now().After(until) {
			return number, err
		}
		time.Sleep(rand.N(retryWait))
	}
}

func (c *Committer) askLatest() (number int64, err error) {
	ctx, cancel := c.engine.context()
	defer cancel()
	if err := c.begin(ctx); err != nil {
		return 0, err
	}
	ask := &Statement{Query: sqlLatestCommit, Args: []any{c.id, c.number, time.Now().UnixMicro(), c.session.process()}}
	ask.scan = func(row Scanner) error { return row.Scan(&number) }
	commit := &Statement{Query: "COMMIT"}
	if c.session.do(ctx, ask, commit); ask.err != nil || commit.err != nil {
		c.drop()
	}
	return number, errors.Join(ask.err, commit.err)
}

// answer gives the operation its end. One whose first commit happened cannot end as if nothing had.
func (o *operation) answer(err error) {
	if err != nil && o.again && !errors.Is(err, ErrInDoubt) {
		err = fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	o.done <- err
}
