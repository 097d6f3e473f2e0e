// Package crash runs the workflows of an order with one failure injected at each of their boundaries in
// turn, starts the program again, and asks the distributor's own ledger and the checkout's receiver
// whether the promises were kept: charged at most once, the truth recorded, the caller notified.
package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"recarga/internal/audit"
	"recarga/internal/controls"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/internal/wake"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/webhook"
	"recarga/worker"
)

func TestMain(m *testing.M) {
	slog.SetDefault(quiet) // a receiver logs what it refuses
	goleak.VerifyTestMain(m)
}

const (
	// purchaseTimeout and slack are what a life waits for that died in a purchase. On a busy machine an undisturbed one
	// must not be too late.
	purchaseTimeout, slack = 2 * time.Second, 2 * time.Second
	// afterFault is how long a process that was only disturbed may go on before it is started again.
	afterFault = 300 * time.Millisecond
	patience   = testkit.Patience
	// atOnce is how many lives are tried side by side: they mostly wait.
	atOnce = 32
)

// scenario is one way an order's life can go.
type scenario struct {
	name    string
	phone   topup.Phone
	request func(*topup.Request)
	// prelude is a fault in a life before the one that is tried.
	prelude fault
	// viaQueue places the order with a task alone, as a producer does that has only Redis.
	viaQueue bool
	// cancel withdraws the order as soon as it is placed.
	cancel bool
	// resend is what the operator decides of a held order that was not charged.
	resend bool
	// errs: the operator calls a charged order failed, upholds that against the statement, and corrects it in the end.
	errs bool
	// redeliver: the operator has what was delivered sent again, by its id and by a filter.
	redeliver bool
	// spite: the distributor charges what it calls unavailable, and a statement says so while the order waits.
	spite bool
	// heldBack: an operator holds the order back between two attempts, and releases it when the next one was due.
	heldBack bool
	// paused: an operator pauses its purchase and all webhooks, changes the limits, and ends all that later.
	paused bool
	// expires: its time ends before the second attempt.
	expires bool
	// lost: the order was charged in a life of which a restored book knows nothing, and a statement says so before its
	// checkout places it again.
	lost bool
	// busyHook refuses the first webhooks.
	busyHook int
	// endpointGone: the caller has two more endpoints, of which one answers 410, and the operator has one.
	endpointGone bool
	want         topup.State
}

var scenarios = []scenario{
	{name: "approved", phone: "5537686660", want: topup.StateSucceeded},
	{name: "declined", phone: "5500000051", want: topup.StateFailed},
	{name: "91 twice, then approved", phone: "5500001091", want: topup.StateSucceeded},
	{name: "token expired", phone: "5500000401", want: topup.StateSucceeded},
	{name: "charged, answer useless, settled by a person", phone: "5500000501", want: topup.StateSucceeded},
	{name: "charged, settled wrongly by a person, disputed, corrected", phone: "5500000501", errs: true,
		want: topup.StateSucceeded},
	{name: "not charged, answer useless, settled by a person", phone: "5500000500", want: topup.StateFailed},
	{name: "answer lost, found charged", phone: "5537686661",
		prelude: fault{"distributor POST product_purchase#1", diesAfter}, want: topup.StateSucceeded},
	{name: "request lost, sent again by a person", phone: "5537686662",
		prelude: fault{"distributor POST product_purchase#1", failed}, resend: true, want: topup.StateSucceeded},
	{name: "queue lost before the first look", phone: "5537686667", prelude: fault{"journal.Accept#1", diesAfter},
		want: topup.StateSucceeded},
	{name: "died before the caller was notified", phone: "5537686668", prelude: fault{"journal.Finish#1", diesAfter},
		want: topup.StateSucceeded},
	{name: "by the queue alone", phone: "5537686663", viaQueue: true, want: topup.StateSucceeded},
	{name: "bulk, by the queue alone", phone: "5537686660", viaQueue: true,
		request: func(r *topup.Request) { r.Priority = topup.PriorityBulk }, want: topup.StateSucceeded},
	{name: "by the queue alone, invalid", phone: "5537686664", viaQueue: true,
		request: func(r *topup.Request) { r.Product = "NO_SUCH" }, want: topup.StateFailed},
	{name: "webhook refused twice", phone: "5537686665", busyHook: 2, want: topup.StateSucceeded},
	{name: "three endpoints, one of them gone", phone: "5537686669", endpointGone: true, want: topup.StateSucceeded},
	{name: "charged in spite of 91, held by a statement", phone: "5500000091", spite: true, want: topup.StateSucceeded},
	{name: "held back by an operator, and released", phone: "5500001091", heldBack: true, want: topup.StateSucceeded},
	{name: "paused by an operator, and resumed", phone: "5537686672", paused: true, want: topup.StateSucceeded},
	{name: "charged, lost with the book, restored from a statement", phone: "5537686671", lost: true,
		want: topup.StateSucceeded},
	{name: "delivered, and again because a person asks for it", phone: "5537686670", redeliver: true,
		want: topup.StateSucceeded},
	{name: "canceled", phone: "5537686666", cancel: true, request: func(r *topup.Request) { r.ProcessAt = in(time.Hour) },
		want: topup.StateCanceled},
	{name: "expired", phone: "5500000091", expires: true, request: func(r *topup.Request) { r.ExpiresAt = in(5 * time.Second) },
		want: topup.StateFailed},
}

func in(d time.Duration) *time.Time {
	at := time.Now().Add(d)
	return &at
}

// world is what outlives a process: the database, the distributor, the checkout.
type world struct {
	scenario
	servers
	database string
	vendor   *sandbox.Server
	hooks    http.Handler
	// crm and operator are the other endpoints.
	crm, operator listener
	secret        string
	request       topup.Request

	mu       sync.Mutex
	refused  int
	notified map[int]topup.State
	placed   bool
	// undisturbed: nothing fails.
	undisturbed bool
	// rejected: the checkout was answered that the order cannot be placed any more.
	rejected bool
	// upheld: the operator who errs did so for the second time.
	upheld bool
	// redelivered: the operator's wish was granted.
	redelivered bool
	// released: the operator has let the order go, or resumed its purchase; stolen: it was bought before.
	released, stolen bool
	// stopped: the operator has paused the order; ending: all orders and webhooks too, and ends that.
	stopped, ending bool
}

func newWorld(s scenario, on servers, database string) *world {
	cfg := sandbox.DefaultConfig()
	cfg.ApproveDelayMS, cfg.ChargeUnavailable = 0, s.spite
	w := &world{scenario: s, servers: on, database: database, vendor: sandbox.New(cfg, quiet),
		secret: webhook.NewSecret(), notified: map[int]topup.State{}}
	w.hooks = webhook.Handler(w.secret, w.receive)
	w.request = topup.Request{ID: "CRASH-1", Caller: topup.DefaultCaller, Phone: s.phone, Product: "MOVISTAR_TAE",
		Amount: topup.Pesos(10)}
	if s.request != nil {
		s.request(&w.request)
	}
	return w
}

func (w *world) receive(_ context.Context, ev webhook.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused < w.busyHook {
		w.refused++
		return errors.New("the checkout is busy")
	}
	w.notified[ev.Data.Sequence] = ev.Data.State
	return nil
}

// listener is an endpoint that remembers the types of events it got.
type listener struct {
	mu    sync.Mutex
	types []topup.EventType
}

func (l *listener) receive(_ context.Context, ev webhook.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.types = append(l.types, ev.Type)
	return nil
}

func (l *listener) heard(kind topup.EventType) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.types, kind)
}

// allNotified reports whether all endpoints know the order's final state.
func (w *world) allNotified(s topup.State) bool {
	return w.believed() == s && (!w.endpointGone || w.crm.heard(topup.EventTypeOf(s)))
}

// reviewed reports whether what the tries say of the endpoints is recorded, too: that one is gone, and that one
// that refused the first webhooks has recovered.
func (w *world) reviewed(ctx context.Context, p *process) bool {
	if w.endpointGone && !w.operator.heard(topup.EventEndpointDisabled) {
		return false
	}
	if w.busyHook == 0 {
		return true
	}
	h, err := p.journal.EndpointHealth(ctx, topup.DefaultCaller, p.hookURL)
	return err == nil && h.FailingSince == nil
}

// believed is what the checkout was last notified of, by sequence.
func (w *world) believed() (last topup.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := 0
	for sequence, state := range w.notified {
		if sequence > most {
			most, last = sequence, state
		}
	}
	return last
}

// act is the world around a process: a checkout that places its order until it is answered, and an
// operator who settles what is held, by the distributor's word. It returns whether all is done.
func (w *world) act(p *process) bool {
	ctx := context.Background()
	if w.rejected {
		return true
	}
	if w.paused && !w.released && !w.pausesAndResumes(p) {
		return false
	}
	o, err := p.journal.Order(ctx, w.request.ID)
	if w.lost && errors.Is(err, topup.ErrNotFound) {
		at := time.Now()
		_, _ = p.producer.Restore(ctx, topup.LostCharge{ID: w.request.ID, Phone: w.request.Phone, Amount: w.request.Amount,
			From: at, Until: at, Evidence: "line 7: charged", By: "ana"})
		return false
	}
	if errors.Is(err, topup.ErrNotFound) || !w.placed {
		w.place(ctx, p)
		return false
	}
	switch {
	case err != nil:
	case o.State == topup.StateUnknown:
		_, _ = p.producer.Resolve(ctx, o.ID, w.decision())
	case w.spite && o.State == topup.StateRetrying && len(w.vendor.Purchases()) > 0:
		_, _ = p.producer.Hold(ctx, o.ID, topup.Hold{Evidence: "line 7: charged", By: "ana"})
	case w.heldBack && !w.released && o.State == topup.StateRetrying:
		w.holdBack(ctx, p, o)
	case w.spite && o.State == topup.StateFailed && len(w.vendor.Purchases()) > 0:
		c := topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "in the statement", By: "ana"}
		_, _ = p.producer.Correct(ctx, o.ID, c)
	case w.cancel && !o.State.Final():
		_, _ = p.producer.Cancel(ctx, o.ID, producer.Actor{Caller: o.Caller})
	case w.errs && o.State == topup.StateFailed && len(w.vendor.Purchases()) > 0:
		w.reconsider(ctx, p, o)
	case o.State.Final():
		return w.allNotified(o.State) && w.deliveredAgain(ctx, p, o.ID) && (!w.undisturbed || w.reviewed(ctx, p))
	}
	return false
}

// policy leaves time between two attempts: for a statement to come, where there is one, or for the order to end.
func (w *world) policy() worker.Policy {
	p := worker.Policy{Initial: 10 * time.Millisecond, Max: 50 * time.Millisecond, MaxAttempts: 5}
	switch {
	case w.spite || w.heldBack:
		p.Initial, p.Max = time.Second, time.Second
	case w.expires:
		p.Initial, p.Max = time.Minute, time.Minute
	}
	return p
}

// holdBack is what an operator does who wants no further attempt, and later wants one after all.
func (w *world) holdBack(ctx context.Context, p *process, o topup.Order) {
	if o.WaitsFor != topup.NullString(topup.WaitOperator) {
		_, _ = p.producer.HoldBack(ctx, o.ID, producer.Actor{By: "ana", Reason: "a wrong number"})
		return
	}
	w.stolen = w.stolen || o.AttemptCount > 1 && len(w.vendor.Purchases()) > 0
	if o.NextAttemptAt == nil || time.Since(*o.NextAttemptAt) < 100*time.Millisecond {
		return
	}
	_, err := p.producer.LetGo(ctx, o.ID, producer.Actor{By: "ana", Reason: "the right number after all"})
	w.released = err == nil
}

// pausesAndResumes is what an operator does during a maintenance, each step until it is confirmed. It reports whether
// the checkout is to go on.
func (w *world) pausesAndResumes(p *process) bool {
	ctx := audit.With(context.Background(), desk.Act{By: "ana", Action: "pause"})
	do := func(change func(controls.Desk, context.Context, desk.Control) error, all ...desk.Control) (err error) {
		for _, c := range all {
			c.By, c.Reason = "ana", "maintenance"
			err = errors.Join(err, change(p.desk, ctx, c))
		}
		return err
	}
	caller := desk.Control{Kind: desk.PauseCaller, Name: topup.NullString(w.request.Caller)}
	rate := desk.Control{Kind: desk.LimitRate, Value: "100/s"}
	purchases, webhooks := desk.Control{Kind: desk.PausePurchases}, desk.Control{Kind: desk.PauseWebhooks}
	switch {
	case !w.stopped:
		w.stopped = do(controls.Desk.Set, caller, rate) == nil
		return false
	case w.ending:
		w.released = do(controls.Desk.End, purchases, webhooks, rate, caller) == nil
		return false
	}
	w.stolen = w.stolen || len(w.vendor.Purchases()) > 0
	all, err := p.desk.Standings(ctx)
	waits := slices.ContainsFunc(all, func(s desk.ControlStanding) bool { return s.Kind == caller.Kind && s.Waiting == 1 })
	if err == nil && waits {
		w.ending = do(controls.Desk.Set, purchases, webhooks) == nil
		return false
	}
	return true
}

// reconsider is what follows when an operator called a charged order failed: the statement contradicts it, the
// operator upholds the state all the same, and corrects it at last.
func (w *world) reconsider(ctx context.Context, p *process, o topup.Order) {
	switch {
	case w.upheld:
		c := topup.Correction{Outcome: topup.ResolvedSucceeded, Reason: "in the statement after all", By: "ana"}
		_, _ = p.producer.Correct(ctx, o.ID, c)
	case o.DisputedAt == nil:
		_, err := p.producer.Dispute(ctx, o.ID, topup.Dispute{Evidence: "line 7 charges it", RaisedBy: "statement"})
		w.upheld = err == nil && w.disputedBefore(ctx, p, o.ID)
	default:
		_, err := p.producer.Uphold(ctx, o.ID, topup.Upholding{Outcome: topup.DisputeUpheld, Reason: "a guess", By: "ana"})
		w.upheld = err == nil
	}
}

// deliveredAgain has every event of an order redelivered, where the scenario asks for it, and reports whether all of
// them are delivered.
func (w *world) deliveredAgain(ctx context.Context, p *process, id topup.ID) bool {
	d, err := p.journal.Details(ctx, id)
	if err != nil || !w.redeliver {
		return err == nil
	}
	for _, ev := range d.Events {
		if ev.State != topup.EventDelivered {
			return false
		}
	}
	if !w.redelivered {
		who := producer.Actor{By: "ana", Reason: "the shop lost it"}
		_, err := p.producer.Redeliver(ctx, d.Events[0].ID, who)
		_, _, errAll := p.producer.RedeliverAll(ctx, topup.EventFilter{Caller: d.Caller}, who)
		w.redelivered = err == nil && errAll == nil
		return false
	}
	return true
}

// disputedBefore says that a dispute has ended already, though its end was not heard of.
func (w *world) disputedBefore(ctx context.Context, p *process, id topup.ID) bool {
	d, err := p.journal.Details(ctx, id)
	return err == nil && len(d.Disputes) > 0 && d.Disputes[0].EndedAt != nil
}

func (w *world) place(ctx context.Context, p *process) {
	if w.viaQueue {
		w.placed = true
		_ = p.queue.EnqueueOrder(ctx, w.request, time.Time{}) // the producer's own client, not the process's
		return
	}
	_, _, err := p.producer.Place(ctx, w.request)
	w.placed = err == nil
	w.rejected = len(topup.FieldErrors(err)) > 0
}

// decision is an operator's, who knows what the distributor's statement says.
func (w *world) decision() topup.Resolution {
	r := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "not in the statement", By: "ana"}
	switch {
	case w.errs && len(w.vendor.Purchases()) > 0:
		r.Forced = true
	case len(w.vendor.Purchases()) > 0:
		r.Outcome, r.Reason = topup.ResolvedSucceeded, "in the statement"
	case w.resend:
		r.Outcome = topup.ResolvedResend
	}
	return r
}

// live runs one life of the program, with a fault in it, until all is done, or it is dead, or it has been
// disturbed. It returns the boundaries it met.
func (w *world) live(f fault, last bool) (met []string, hit bool, err error) {
	p, err := w.startProcess(f)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		p.stop()
		if w.flush {
			err = errors.Join(err, w.flushed())
		}
	}()
	if w.viaQueue { // Redis has kept the task of a producer that is not this process
		w.placed = false
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		if w.act(p) {
			return p.g.boundaries(), p.g.wasHit(), nil
		}
		if p.g.wasHit() && end.After(time.Now().Add(afterFault)) && !last {
			end = time.Now().Add(afterFault)
		}
		select {
		case <-tick.C:
		case <-p.g.died:
			return p.g.boundaries(), true, nil
		}
	}
	if last {
		o, _ := p.journal.Details(context.Background(), w.scenario.id())
		return nil, false, fmt.Errorf("after %s: the checkout believes %q of %+v", patience, w.believed(), o)
	}
	return p.g.boundaries(), p.g.wasHit(), nil
}

func (scenario) id() topup.ID { return "CRASH-1" }

// try lives through a scenario with one fault, and judges it.
func (s scenario) try(on servers, f fault) (met []string, hit bool, err error) {
	database, err := on.empty()
	if err = errors.Join(err, on.flushed()); err != nil {
		return nil, false, err
	}
	w := newWorld(s, on, database)
	defer w.vendor.Close()
	w.undisturbed = f.kind == none
	if s.prelude.kind != none {
		if _, _, err := w.live(s.prelude, false); err != nil {
			return nil, false, err
		}
		w.placed = true // the checkout does not repeat it: the sweep alone brings it back
	}
	met, hit, err = w.live(f, f.kind == none)
	if err == nil && f.kind != none {
		_, _, err = w.live(fault{}, true)
	}
	if err != nil {
		return met, hit, err
	}
	return met, hit, w.judge(f.kind == none)
}

// judge asks the distributor's ledger.
func (w *world) judge(undisturbed bool) error {
	j, err := journal.Open(context.Background(), w.database)
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	o, err := j.Details(context.Background(), w.scenario.id())
	charged := len(w.vendor.Purchases())
	if w.lost {
		charged++ // in the life that is lost
	}
	switch {
	case w.rejected && errors.Is(err, topup.ErrNotFound) && charged == 0:
		return nil
	case err != nil:
		return fmt.Errorf("lost: %w", err)
	case w.stolen:
		return fmt.Errorf("bought while an operator held it back, or had paused it: %+v", o)
	case undisturbed && o.State != w.want:
		return fmt.Errorf("%s, want %s: %+v", o.State, w.want, o)
	case charged > 1:
		return fmt.Errorf("charged %d times: %+v", charged, o)
	case o.State == topup.StateSucceeded != (charged == 1):
		return fmt.Errorf("%s, and charged %d times: %+v", o.State, charged, o)
	case undisturbed && w.endpointGone && !w.operator.heard(topup.EventEndpointDisabled):
		return errors.New("the operator was not notified of an endpoint that is gone")
	case !o.State.Final() || !w.allNotified(o.State):
		return fmt.Errorf("%s, and the checkout believes %q: %+v", o.State, w.believed(), o)
	}
	return nil
}

// kinds are the failures that make sense at a boundary.
func kinds(boundary string) []kind {
	all := []kind{failed, lost, diesBefore, diesAfter}
	if strings.HasPrefix(boundary, "distributor ") || strings.HasPrefix(boundary, "webhook ") {
		all = append(all, torn)
	}
	return all
}

// ofJournal are those for PostgreSQL: what fails elsewhere leaves the same calls of the journal behind in both, so
// that one kind is enough.
func ofJournal(boundary string) []kind {
	if strings.HasPrefix(boundary, "journal.") {
		return kinds(boundary)
	}
	return []kind{diesAfter}
}

// servers are what one of those who try lives side by side has for itself.
type servers struct {
	redis *testkit.RedisServer
	// flush: the queue dies with the process, as an embedded one does.
	flush bool
	// kinds are the failures that are tried at a boundary.
	kinds func(boundary string) []kind
	// empty makes a database without orders.
	empty func() (url string, err error)
}

// engine provides them for one kind of database.
type engine func(tb testing.TB) servers

func onSQLite(tb testing.TB) servers {
	folder, lives := testkit.Memory(tb), 0
	return servers{redis: testkit.Redis(tb), flush: true, kinds: kinds, empty: func() (string, error) {
		former := fmt.Sprintf("%s/%d", folder, lives)
		lives++
		own := fmt.Sprintf("%s/%d", folder, lives)
		if err := errors.Join(os.RemoveAll(former), os.Mkdir(own, 0o700)); err != nil {
			return "", err
		}
		return journaltest.SQLiteIn(tb, own), nil
	}}
}

func onPostgres(tb testing.TB) servers {
	url := journaltest.Postgres(tb).URL() + "&connect_timeout=120" // all lives connect at once
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url) // one for all lives: a connection costs more than what it does here
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(ctx) }) // what it did is done
	return servers{redis: testkit.Redis(tb), kinds: ofJournal, empty: func() (string, error) {
		var err error
		// DELETE, which unlike TRUNCATE makes no files: there is but one order.
		for _, table := range []string{"orders", "attempts", "events", "tallies", "resolutions", "corrections", "disputes",
			"failing_endpoints", "controls"} {
			_, err1 := conn.Exec(ctx, "DELETE FROM "+table)
			err = errors.Join(err, err1)
		}
		return url, err
	}}
}

// flushed empties the queue.
func (s servers) flushed() error {
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	return errors.Join(client.FlushAll(context.Background()).Err(), client.Close())
}

// TestEveryBoundary is the proof: every boundary that any scenario meets, with every kind of failure. The
// boundaries are those that an undisturbed life passes, so that a new step is tried without being named
// here. Only a whole make prove tries all of them; others some, and other ones each time.
func TestEveryBoundary(t *testing.T) {
	for name, lend := range map[string]engine{"sqlite": onSQLite, "postgres": onPostgres} {
		t.Run(name, func(t *testing.T) {
			if name == "postgres" {
				testkit.Deep(t) // a connection costs more than all that SQLite does in a life
			}
			t.Parallel()
			all, boundaries := lives(t, lend)
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			most := len(all)
			if testkit.Bounded() {
				most /= map[string]int{"sqlite": 4, "postgres": 16}[name]
			}
			all = all[:testkit.Times(atOnce/2, most)]
			var struck atomic.Int64
			sideBySide(t, lend, all, func(on servers, l life) {
				_, hit, err := l.try(on, l.fault)
				if hit {
					struck.Add(1)
				}
				if err != nil {
					t.Errorf("%s; %s: %v", l.name, l.fault, err)
				}
			})
			testkit.Proven(t, "%s: %d boundaries in %d scenarios, %d failures tried, %d struck", name, boundaries,
				len(scenarios), len(all), struck.Load())
			if testkit.Proving() && struck.Load() < int64(len(all))*8/10 {
				t.Errorf("only %d of %d failures struck: the lives differ too much from the undisturbed ones", struck.Load(),
					len(all))
			}
		})
	}
}

// sideBySide does something with each, some at once.
func sideBySide[T any](t *testing.T, lend engine, all []T, do func(servers, T)) {
	t.Helper()
	todo := make(chan T)
	var doing sync.WaitGroup
	for range min(atOnce, len(all)) {
		on := lend(t)
		doing.Go(func() {
			for one := range todo {
				do(on, one)
			}
		})
	}
	for _, one := range all {
		todo <- one
	}
	close(todo)
	doing.Wait()
}

// life is a scenario with its fault.
type life struct {
	scenario
	fault fault
}

// lives lists every failure at every boundary of every scenario, as the undisturbed ones meet them. How a machine
// shares its time decides who comes first, a sweep or a queue: what no scenario has come to may come another time.
func lives(t *testing.T, lend engine) (all []life, boundaries int) {
	t.Helper()
	met := map[string]bool{}
	for range 5 {
		all, boundaries = undisturbed(t, lend, met)
		if len(escaped(met)) == 0 {
			return all, boundaries
		}
	}
	t.Fatalf("no scenario comes to %s", escaped(met))
	return nil, 0
}

// undisturbed lives once through every scenario, and adds the methods that it came to.
func undisturbed(t *testing.T, lend engine, met map[string]bool) (all []life, boundaries int) {
	t.Helper()
	var mu sync.Mutex
	sideBySide(t, lend, scenarios, func(on servers, s scenario) {
		names, _, err := s.try(on, fault{})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("%s, undisturbed: %v", s.name, err)
		}
		boundaries += len(names)
		for _, b := range names {
			name, _, _ := strings.Cut(b, "#")
			met[name] = true
			for _, k := range on.kinds(b) {
				all = append(all, life{s, fault{b, k}})
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return all, boundaries
}

// escaped are the methods through which a workflow acts, and which were a boundary of no scenario.
func escaped(met map[string]bool) (names []string) {
	for prefix, seams := range map[string][]reflect.Type{
		"journal.": {reflect.TypeFor[worker.Journal](), reflect.TypeFor[producer.Journal](),
			reflect.TypeFor[webhook.Store](), reflect.TypeFor[webhook.Health](), reflect.TypeFor[controls.Book]()},
		"queue.": {reflect.TypeFor[worker.Waker](), reflect.TypeFor[wake.Queue](), reflect.TypeFor[controls.Queue]()},
	} {
		for _, seam := range seams {
			for i := range seam.NumMethod() {
				if name := prefix + seam.Method(i).Name; !met[name] {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
