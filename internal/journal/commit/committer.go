package commit

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrInDoubt: the database did not say whether the commit happened.
var ErrInDoubt = errors.New("it is not known whether the change was recorded")

var (
	errClosed   = errors.New("the journal is closed")
	errNotTried = errors.New("not recorded: the database did not answer to the changes before it")
)

const (
	// maxBatch bounds how long the first operation of a batch waits for the last.
	maxBatch = 256
	// Retries of a transaction that certainly did not happen and may succeed next time.
	Retries = 3
	// retryWait is the longest wait before one.
	retryWait = 100 * time.Millisecond
	// yields is how often a Committer lets the goroutines run that can, before it picks a batch: those about to come with
	// an operation share its commit. Where nobody else has work it costs nothing. More than two gained no more.
	yields = 2
)

// operation is one caller's change.
type operation struct {
	key string
	// usual is nil for an operation that is always run.
	usual Usual
	run   func(*Tx) error
	err   error      // of its latest run
	done  chan error // takes one answer
	// unusual: a statement of its usual way changed nothing, or its answer was lost, so it is run by itself.
	unusual bool
	// missed: a statement that could have been its last changed and found nothing.
	missed bool
	// again: an earlier run of it was committed, and what it changed is not known.
	again bool
	// taken by whoever comes first: the committer that picks the operation, or its caller who withdraws it.
	taken atomic.Bool
}

// Committer is one writer. While it commits, operations wait; then all that wait share the next commit.
// There is no timer: a lone operation commits at once, and under load batches grow by themselves.
type Committer struct {
	engine  *Engine
	cfg     Config
	id      int64 // whose commits
	number  int64 // of the latest transaction
	queue   chan *operation
	closing chan struct{}
	close   func() // closes closing
	stopped chan struct{}
	session session // nil after it failed, until it is needed again
	pulse   pulse
}

// Commit is one transaction, made or not.
type Commit struct {
	// Operations that shared it.
	Operations int
	// Took is the time from the first statement to the answer, with all that was tried again.
	Took time.Duration
	// Err is why it was not made, or may not have been.
	Err error
}

// Config says what the operations of a Committer are, which it does not know.
type Config struct {
	// Own reports whether an error is an operation's own outcome, which leaves nothing half done. It is returned once
	// what the operation did write is durable; any other error undoes it.
	Own func(error) bool
	// Notes makes what the operations of one transaction note together (Tx.Notes).
	Notes func() any
	// Last are the statements that a transaction ends with, of what was noted.
	Last func(notes any) []*Statement
	// Observe has every commit reported; it must not block.
	Observe func(Commit)
}

// Start makes a Committer on an engine, which Stop ends. It has its connection when Start returns: later there may be
// none left.
func Start(ctx context.Context, e *Engine, cfg Config) (*Committer, error) {
	closing := make(chan struct{})
	c := &Committer{
		engine: e, cfg: cfg, id: rand.Int64(),
		queue: make(chan *operation, maxBatch), closing: closing, close: sync.OnceFunc(func() { close(closing) }),
		stopped: make(chan struct{}),
	}
	if e.IsPostgres() {
		var err error
		if c.session, err = e.connect(ctx); err != nil {
			return nil, err
		}
	}
	go c.work()
	return c, nil
}

// Do has an operation committed: by its usual way, where it has one and that finds what it expects, and else by run.
// Those of one key never run side by side. run may run more than once, and must keep nothing from one
// run to the next. The package comment says what the errors mean.
func (c *Committer) Do(ctx context.Context, key string, usual Usual, run func(*Tx) error) error {
	return c.do(ctx, &operation{key: key, done: make(chan error, 1), usual: usual, run: run})
}

func (c *Committer) do(ctx context.Context, o *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.queue <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.stopped:
		return errClosed
	}
	var withdrawn error
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		withdrawn = ctx.Err()
	case <-c.stopped:
		withdrawn = errClosed
	}
	if o.taken.CompareAndSwap(false, true) {
		return withdrawn
	}
	// Picked. To leave now would leave an attempt begun that nobody makes, or a result in doubt.
	return <-o.done
}

// work commits until the committer is stopped, and then what still waits.
func (c *Committer) work() {
	defer close(c.stopped)
	defer c.drop()
	var batch []*operation
	for {
		select {
		case o := <-c.queue:
			for range yields {
				runtime.Gosched()
			}
			batch = c.pick(append(batch[:0], o))
		case <-c.closing:
			batch = c.pick(batch[:0])
			if len(batch) == 0 {
				return
			}
		}
		_ = c.commit(batch) // every operation has its answer
		clear(batch)
	}
}

// Stop commits what waits, and ends the Committer. What comes later fails.
func (c *Committer) Stop() {
	c.close()
	<-c.stopped
	c.pulse.trials.Wait()
}

// pick adds everything that waits to the batch, and leaves out what was withdrawn.
func (c *Committer) pick(batch []*operation) []*operation {
	for len(batch) < maxBatch {
		select {
		case o := <-c.queue:
			batch = append(batch, o)
			continue
		default:
		}
		break
	}
	return slices.DeleteFunc(batch, func(o *operation) bool { return !o.taken.CompareAndSwap(false, true) })
}

// commit answers every operation of the batch. If one of them breaks the transaction, each is run
// alone, so that only the guilty one fails. An error is the database's.
func (c *Committer) commit(batch []*operation) error {
	if len(batch) == 0 {
		return nil
	}
	began := time.Now()
	over, guilty, err := c.persist(batch)
	if guilty && len(batch) > 1 {
		return c.eachAlone(batch)
	}
	if err != nil {
		over = batch
	}
	c.pulse.committed(err)
	c.cfg.Observe(Commit{Operations: len(over), Took: time.Since(began), Err: err})
	for _, o := range over {
		o.answer(cmp.Or(err, o.err))
	}
	if len(over) < len(batch) {
		return c.commit(slices.DeleteFunc(batch, func(o *operation) bool { return slices.Contains(over, o) }))
	}
	if guilty {
		return nil
	}
	return err
}

// eachAlone commits each operation by itself, until the database does not answer: the others would wait as long again.
func (c *Committer) eachAlone(batch []*operation) (err error) {
	for _, o := range batch {
		if err != nil {
			o.answer(errNotTried)
			continue
		}
		err = c.commit([]*operation{o})
	}
	return err
}

// persist makes the transaction, again where it certainly did not happen and may succeed next time. over are the
// operations that it has finished.
func (c *Committer) persist(batch []*operation) (over []*operation, guilty bool, err error) {
	for range Retries {
		over, guilty, err = c.transact(batch)
		if err == nil || errors.Is(err, ErrInDoubt) || !c.engine.Transient(err) {
			return over, guilty, err
		}
		time.Sleep(rand.N(retryWait))
	}
	return over, guilty, err
}

// transact makes one transaction of the batch. guilty: an operation broke it.
func (c *Committer) transact(batch []*operation) (over []*operation, guilty bool, err error) {
	ctx, cancel := c.engine.context()
	defer cancel()
	if err := c.begin(ctx); err != nil {
		return nil, false, err
	}
	t := newTx(ctx, c.session, c.cfg)
	if c.engine.IsPostgres() {
		over, guilty, err = c.together(t, batch)
	} else {
		over, guilty, err = c.inTurn(t, batch)
	}
	if c.engine.lost(err) {
		c.drop() // another connection finds the server that takes writes, or is refused
	}
	return over, guilty, err
}

func (c *Committer) begin(ctx context.Context) (err error) {
	if c.session == nil {
		if c.session, err = c.engine.connect(ctx); err != nil {
			return err
		}
	}
	for until := time.Now().Add(c.engine.beginFor); ; {
		err = c.session.begin(ctx, c.engine.begin)
		if err == nil || !c.engine.busy(err) || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		c.drop()
	}
	return err
}

// undo rolls back. A connection that cannot even do that is dropped, which has the same effect.
func (c *Committer) undo(ctx context.Context) {
	if exec(ctx, c.session, "ROLLBACK") != nil {
		c.drop()
	}
}

// end commits, after the last statements of operations, on time of its own. guilty means that one of them broke the
// transaction. If the answer was lost to a commit that happened, there is no error, but in those of the statements
// that must be run again.
func (c *Committer) end(t *Tx, last ...*Statement) (guilty bool, err error) {
	ctx, cancel := c.engine.context()
	defer cancel()
	statements := slices.Concat(last, c.cfg.Last(t.Notes), c.numbered())
	c.session.do(ctx, statements...)
	broke := slices.IndexFunc(statements, (*Statement).failed)
	if broke < 0 {
		return false, nil
	}
	err = statements[broke].err
	if broke < len(statements)-1 && c.engine.answered(err) {
		c.undo(ctx)
		if statements[broke].Query == sqlCommit && dividedByZero(err) {
			err = ErrTransactionPooler
		}
		return broke < len(last), err
	}
	c.drop()
	if c.engine.refused(err) {
		return false, err
	}
	return false, c.unanswered(err, last)
}

func (c *Committer) drop() {
	if c.session != nil {
		c.session.discard()
		c.session = nil
		c.engine.replaced.Add(1)
	}
}

// context bounds a transaction. Its callers' contexts do not: one of them must not end the others' work.
func (e *Engine) context() (context.Context, context.CancelFunc) {
	if e.timeout == 0 {
		return context.Background(), func() {}
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout)
	if len(e.hosts.all) == 1 {
		return ctx, cancel
	}
	unwatch := e.hosts.watch(ctx)
	return ctx, func() { cancel(); unwatch() }
}
