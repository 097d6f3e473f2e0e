package journal

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
	// retries of a transaction that certainly did not happen and may succeed next time.
	retries = 3
	// retryWait is the longest wait before one.
	retryWait = 100 * time.Millisecond
	// yields is how often a lane lets the goroutines run that can, before it picks a batch: those about to come with an
	// operation share its commit. Where nobody else has work it costs nothing. More than two gained no more.
	yields = 2
)

// op is one caller's change.
type op struct {
	key  string
	run  func(*tx) error
	err  error      // of run's latest call
	done chan error // takes one answer
	// patient: a call of it that could have been its last was not, so the next ones do not share the COMMIT's round trip.
	patient bool
	// again: an earlier run of it was committed, and what it changed is not known.
	again bool
	// taken by whoever comes first: the lane that picks the operation, or its caller who withdraws it.
	taken atomic.Bool
}

// lane is one writer. While it commits, operations wait; then all that wait share the next commit.
// There is no timer: a lone operation commits at once, and under load batches grow by themselves.
type lane struct {
	engine  *engine
	stats   *stats
	grace   time.Duration
	writer  int32 // whose tallies
	id      int64 // whose commits
	number  int64 // of the latest transaction
	queue   chan *op
	closing chan struct{}
	close   func() // closes closing
	stopped chan struct{}
	session session // nil until it is needed, and after it failed
}

func newLane(e *engine, s *stats, grace time.Duration, writer int32) *lane {
	closing := make(chan struct{})
	return &lane{
		engine: e, stats: s, grace: grace, writer: writer, id: rand.Int64(),
		queue: make(chan *op, maxBatch), closing: closing, close: sync.OnceFunc(func() { close(closing) }), stopped: make(chan struct{}),
	}
}

// do has the operation committed. See the package comment for what its errors mean.
func (l *lane) do(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.queue <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stopped:
		return errClosed
	}
	var withdrawn error
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		withdrawn = ctx.Err()
	case <-l.stopped:
		withdrawn = errClosed
	}
	if o.taken.CompareAndSwap(false, true) {
		return withdrawn
	}
	// Picked. To leave now would leave an attempt begun that nobody makes, or a result in doubt.
	return <-o.done
}

// work commits until the lane is stopped, and then what still waits.
func (l *lane) work() {
	defer close(l.stopped)
	defer l.drop()
	var batch []*op
	for {
		select {
		case o := <-l.queue:
			for range yields {
				runtime.Gosched()
			}
			batch = l.pick(append(batch[:0], o))
		case <-l.closing:
			batch = l.pick(batch[:0])
			if len(batch) == 0 {
				return
			}
		}
		_ = l.commit(batch) // every operation has its answer
		clear(batch)
	}
}

func (l *lane) stop() {
	l.close()
	<-l.stopped
}

// pick adds everything that waits to the batch, and leaves out what was withdrawn.
func (l *lane) pick(batch []*op) []*op {
	for len(batch) < maxBatch {
		select {
		case o := <-l.queue:
			batch = append(batch, o)
			continue
		default:
		}
		break
	}
	return slices.DeleteFunc(batch, func(o *op) bool { return !o.taken.CompareAndSwap(false, true) })
}

// commit answers every operation of the batch. If one of them breaks the transaction, each is run
// alone, so that only the guilty one fails. An error is the database's.
func (l *lane) commit(batch []*op) error {
	if len(batch) == 0 {
		return nil
	}
	began := time.Now()
	over, guilty, err := l.persist(batch)
	if guilty && len(batch) > 1 {
		return l.eachAlone(batch)
	}
	if err != nil {
		over = batch
	} else {
		l.stats.add(int64(len(over)))
	}
	l.stats.observe(Commit{Operations: len(over), Took: time.Since(began), Err: err})
	for _, o := range over {
		o.answer(cmp.Or(err, o.err))
	}
	if len(over) < len(batch) {
		return l.commit(slices.DeleteFunc(batch, func(o *op) bool { return slices.Contains(over, o) }))
	}
	if guilty {
		return nil
	}
	return err
}

// eachAlone commits each operation by itself, until the database does not answer: the others would wait as long again.
func (l *lane) eachAlone(batch []*op) (err error) {
	for _, o := range batch {
		if err != nil {
			o.answer(errNotTried)
			continue
		}
		err = l.commit([]*op{o})
	}
	return err
}

// persist makes the transaction, again where it certainly did not happen and may succeed next time. over are the
// operations that it has finished.
func (l *lane) persist(batch []*op) (over []*op, guilty bool, err error) {
	for range retries {
		over, guilty, err = l.transact(batch)
		if err == nil || errors.Is(err, ErrInDoubt) || !l.engine.transient(err) {
			return over, guilty, err
		}
		time.Sleep(rand.N(retryWait))
	}
	return over, guilty, err
}

// transact makes one transaction of the batch. guilty tells that an operation broke it.
func (l *lane) transact(batch []*op) (over []*op, guilty bool, err error) {
	ctx, cancel := l.engine.context()
	defer cancel()
	if err := l.begin(ctx); err != nil {
		return nil, false, err
	}
	t := newTx(ctx, l.session, l.grace)
	if t.bulk {
		over, guilty, err = l.together(t, batch)
	} else {
		over, guilty, err = l.inTurn(t, batch)
	}
	if l.engine.readOnly(err) {
		l.drop() // its server has been replaced: another connection finds the new one
	}
	return over, guilty, err
}

func (l *lane) begin(ctx context.Context) (err error) {
	if l.session == nil {
		if l.session, err = l.engine.connect(ctx); err != nil {
			return err
		}
	}
	for until := time.Now().Add(l.engine.beginFor); ; {
		err = l.session.begin(ctx, l.engine.begin)
		if err == nil || !l.engine.busy(err) || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		l.drop()
	}
	return err
}

// undo rolls back. A connection that cannot even do that is given up, which has the same effect.
func (l *lane) undo(ctx context.Context) {
	if exec(ctx, l.session, "ROLLBACK") != nil {
		l.drop()
	}
}

// end commits, after the last calls of operations, on time of its own. guilty means that one of them broke the
// transaction. If the answer was lost to a commit that happened, there is no error, but in those of the calls that
// must be made again.
func (l *lane) end(t *tx, last ...*call) (guilty bool, err error) {
	ctx, cancel := l.engine.context()
	defer cancel()
	calls := slices.Concat(last, t.tallies(l.writer), l.numbered())
	l.session.do(ctx, calls...)
	broke := slices.IndexFunc(calls, (*call).failed)
	if broke < 0 {
		return false, nil
	}
	err = calls[broke].err
	if broke < len(calls)-1 && l.engine.answered(err) {
		l.undo(ctx)
		return broke < len(last), err
	}
	l.drop()
	if l.engine.refused(err) {
		return false, err
	}
	return false, l.unanswered(err, last)
}

func (l *lane) drop() {
	if l.session != nil {
		l.session.discard()
		l.session = nil
		l.engine.replaced.Add(1)
	}
}

// context bounds a transaction. Its callers' contexts do not: one of them must not end the others' work.
func (e *engine) context() (context.Context, context.CancelFunc) {
	if e.timeout == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), e.timeout)
}
