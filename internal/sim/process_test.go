package sim

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"recarga/distributor"
	"recarga/internal/admission"
	"recarga/internal/boundary"
	"recarga/internal/controls"
	"recarga/internal/intake"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
	"recarga/webhook"
	"recarga/worker"
)

// process is one life of the whole program, put together as `recarga serve` puts it together.
type process struct {
	w        *world
	name     string
	dead     bool
	leaving  bool // it begins nothing any more, and ends when all is done
	swept    bool // its sweep has ended
	died     chan struct{}
	stopped  time.Time    // until when: its steps wait
	skew     atomic.Int64 // of its clock, in nanoseconds
	worker   *worker.Worker
	desk     controls.Desk
	limits   atomic.Pointer[limited]
	producer *producer.Producer
	// begun is the attempt of each order that this process made last.
	begun map[topup.ID]*attempt
	// conns are those that end with it.
	conns []net.Conn
	// heardAt is the version of the journal when it last asked which orders wait.
	heardAt int
	// handling is since when it handles each task.
	handling map[*task]time.Time
	// ctx is that of all that it does, until a shutdown.
	ctx      context.Context
	shutdown context.CancelFunc
	// closers end its parts.
	closers []func()
}

var quiet = slog.New(slog.DiscardHandler)

// vendorHost is where the vendor is.
const vendorHost = "vendor.test"

const (
	callTimeout = 20 * time.Second
	slack       = 10 * time.Second
	hookTimeout = 10 * time.Second
)

func (w *world) start() {
	w.started++
	p := &process{w: w, name: fmt.Sprint("worker ", w.started), died: make(chan struct{}),
		begun: map[topup.ID]*attempt{}, handling: map[*task]time.Time{}}
	w.procs = append(w.procs, p)
	w.note(p.name, "starts", "", "")
	if w.skewed {
		p.jump(clocks[w.tape.uniform(ofTurns, len(clocks))])
	}
	book := boundary.Book{Gate: p, Journal: skewed{w.book, p}}
	waker := boundary.Waker{Gate: p, Queue: w.queue}
	p.use(nil)
	reader := controls.NewReader(book.Controls, p.use, quiet)
	p.desk = controls.Desk{Book: book, Queue: boundary.Queues{Gate: p, Queue: w.queue}, Callers: w.callers,
		Catalog: topup.DefaultCatalog(), Log: quiet}
	p.producer = producer.New(book, waker, quiet)
	vendor, err := distributor.New(distributor.Config{
		URL: "http://" + vendorHost + "/api/distributor", CustomerID: "demo", SecretKey: "demo-secret", Timeout: callTimeout,
		Tokens: boundary.Tokens{Gate: p, Store: w.redis}, Dial: p.dial, Log: quiet,
	})
	if err != nil {
		panic(err)
	}
	deliverer := webhook.NewDeliverer(webhook.Config{
		Schedule: []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute}, Timeout: hookTimeout,
		AllowPrivate: true, Health: book, Dial: p.dial, Random: w.random, Log: quiet,
	}, book, w.callers)
	shared := redisGate{p, w.redis}
	admit := admission.Config{SharedState: shared, Random: w.random, Reserves: []admission.Reserve{w.reserve},
		RateLimiter: shared, Controls: reader.Now}
	p.worker = worker.New(worker.Config{
		Journal: book, Distributor: vendor, Deliverer: controls.Pausable{Deliverer: watched{deliverer, w}, Reader: reader},
		Waker: waker, Balances: vendor, Timeout: callTimeout,
		Slack: slack, SweepInterval: 5 * time.Second, Alone: w.alone, Log: quiet, Policy: w.policy, Admission: admit,
		Leads:  func() bool { return w.lead.leads(p) },
		Intake: intake.Rules{Default: true, DefaultURL: "http://default.test/hooks", Caller: w.callers.Caller},
	})
	p.ctx, p.shutdown = context.WithCancel(context.Background())
	go func() {
		p.worker.Sweep(p.ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		p.swept = true
	}()
	go func() {
		select {
		case <-time.After(time.Millisecond): // not at the same time as the sweep
			p.worker.Login(p.ctx)
		case <-p.ctx.Done():
		}
	}()
	p.closers = append(p.closers, p.shutdown, p.worker.Close, vendor.Close, func() {
		ended, end := context.WithCancel(context.Background())
		end()
		go deliverer.Close(ended)
	})
}

// lead is who leads the processes.
type lead struct {
	mu     sync.Mutex
	leader *process
	// at is when it last led.
	at time.Time
}

// silence is how long a leader may say nothing until another process takes over.
const silence = 7 * time.Second

func (l *lead) leads(p *process) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.dead || l.leader != p && time.Since(l.at) < silence {
		return false
	}
	l.leader, l.at = p, time.Now()
	return true
}

// die ends the process: nothing of it goes through any more, and its connections are closed.
func (p *process) die() {
	if p.dead {
		return
	}
	p.dead = true
	p.w.procs = slices.DeleteFunc(p.w.procs, func(other *process) bool { return other == p })
	p.w.queue.abandoned(p)
	close(p.died)
	for _, c := range p.conns {
		_ = c.Close()
	}
	for _, end := range p.closers {
		end()
	}
}

// leave asks the process to end, as a deployment does: what it does it does to the end, though its context is over.
func (p *process) leave() {
	p.leaving = true
	p.shutdown()
}

// staying is how many processes are to stay.
func (w *world) staying() (n int) {
	for _, p := range w.procs {
		if !p.leaving {
			n++
		}
	}
	return n
}

// leavers end when they have done all; it reports whether one has.
func (w *world) leavers() (some bool) {
	for _, p := range slices.Clone(w.procs) {
		if p.leaving && p.swept && len(p.handling) == 0 {
			w.note(p.name, "has ended", "", "")
			p.die()
			some = true
		}
	}
	return some
}

// ofCalls are the fates of a call of the journal, the queue, or Redis.
var ofCalls = []fate{diesBefore, diesAfter, failed, lost, late, stops}

// Pass implements boundary.Gate.
func (p *process) Pass(ctx context.Context, c boundary.Call, effect func() (any, error)) error {
	if p.dead {
		return errDead
	}
	if poll(c.Name) {
		p.linger(ctx, c.Name)
		if err := ctx.Err(); err != nil {
			return err
		}
		_, _ = effect()
		return nil
	}
	f, err := p.w.wait(ctx, &step{who: p.name, Call: c, proc: p, fates: ofCalls}, p.died)
	switch {
	case err != nil:
		return err
	case p.dead:
		return errDead
	case f == failed:
		return errInjected
	case f == diesBefore:
		p.w.deathAt(c, f)
		p.die()
		return errDead
	}
	out, own := effect()
	p.w.observe(p, c, f, out, own)
	switch f {
	case diesAfter:
		p.w.deathAt(c, f)
		p.die()
	case lost:
		p.unheard(c)
		return errInjected
	case late:
		after := boundary.Call{Name: "the answer of " + c.Name, About: c.About}
		if _, err := p.w.wait(ctx, &step{who: p.name, Call: after, proc: p}, p.died); err != nil {
			p.unheard(c)
			return err
		}
	}
	if p.dead {
		return errDead
	}
	return nil
}

// linger keeps a process that asks ten times a second what may be released, and would hear the same.
func (p *process) linger(ctx context.Context, name string) {
	if name != "journal.Waiting" {
		return
	}
	p.w.mu.Lock()
	version := p.w.version
	p.w.mu.Unlock()
	if p.heardAt != version {
		p.heardAt = version
		return
	}
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// do has the process handle a task.
func (p *process) do(t *task) {
	kind, handle := tasks.TypePurchase, p.worker.HandlePurchase
	if t.event {
		kind, handle = tasks.TypeDeliver, p.worker.HandleDelivery
	}
	p.w.note("queue", "hands over", t.id, "to "+p.name)
	p.w.mu.Lock()
	p.handling[t] = time.Now()
	p.w.mu.Unlock()
	go func() {
		again, err := handle(p.ctx, tasks.Task{Type: kind, Payload: t.payload})
		p.w.mu.Lock()
		delete(p.handling, t)
		p.w.mu.Unlock()
		if !p.dead {
			p.w.queue.ended(t, again, err)
		}
	}()
}
