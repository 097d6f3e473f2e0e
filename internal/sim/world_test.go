package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/boundary"
	"recarga/internal/journal"
	"recarga/internal/sim/reference"
	"recarga/topup"
	"recarga/topup/desk"
	"recarga/worker"
)

// world is everything: the processes, and what outlives them.
type world struct {
	tape    *tape
	journal boundary.Journal
	book    boundary.Journal // the journal, as the simulator lets processes see it
	queue   *queue
	redis   *redis
	vendor  *vendor
	callers *callers
	reserve *reserve

	settings
	procs   []*process // those that live
	lead    lead
	started int
	orders  map[topup.ID]*order
	planned []*order // in the order of their ids

	receivers    map[string]*receiver // by host
	allReceivers []*receiver

	mu      sync.Mutex
	fresh   []*step // that have come since the simulator looked
	waiting []*step
	arrived chan struct{}
	over    chan struct{}
	conns   []interface{ Close() error }

	began     time.Time
	moves     int
	idled     int  // moves since something was left to do
	calm      bool // nothing goes wrong any more
	calmSince time.Time
	restarts  time.Time // when a process is started if none lives
	redone    bool      // the operator has had exhausted events sent again, if there were any
	version   int       // of the journal: rises with each call that is no poll
	names     map[string]string
	ofOrder   map[string]*order // by the id of its event
	set       desk.Controls     // in the book, since when it has them
	lifted    time.Time         // when the operator last ended what is set
	story     []line
	wrong     string // the first violation
	kind      string // of it, whichever orders it is about
	reached   reached
}

// line is one step of a life's story.
type line struct {
	at                     time.Duration
	who, what, about, then string
}

func (l line) String() string {
	text := fmt.Sprintf("%10s  %s: %s", l.at.Round(time.Millisecond), l.who, l.what)
	if l.about != "" {
		text += " of " + l.about
	}
	if l.then != "" {
		text += ": " + l.then
	}
	return text
}

// settings are those of the program and of the world in one life.
type settings struct {
	policy worker.Policy
	rate   topup.Rate // zero: no limit
	places int        // of one process for purchases
	alone  bool
	// trouble, honest and friendly are how likely a step goes wrong, the vendor answers plainly, and a receiver does.
	trouble, honest, friendly float64
	// slow is how likely a call that changes an order takes long.
	slow float64
	// wild is how likely something else happens than what would come first.
	wild float64
	// length is how many moves the turbulent part of a life has.
	length int
	// variation is where in their span the waits are that the program varies by chance.
	variation float64
	// skewed: clocks of processes are wrong.
	skewed bool
	// wrongClocks is how far two of them may differ.
	wrongClocks time.Duration
	// diligent: a person settles what is held.
	diligent bool
	// at most so many processes live.
	most int
	// turns, deeds, accidents and fates are which kinds of moves, of what people do, of what happens by itself and of
	// what becomes of a step this life has.
	turns, deeds, accidents, fates []bool
}

// order is one order, as the simulator knows it.
type order struct {
	request topup.Request
	// byQueue: its producer has only Redis.
	byQueue bool
	// placed: it is in the journal; answered to its caller, or refused.
	placed, confirmed, refused bool
	state                      topup.State
	attempts                   []*attempt
	sent                       []*sent
	expected                   []topup.EventType
	// resends counts the decisions to send it again; blind: a person decided without looking, or against what is so.
	resends int
	blind   bool
	// misled: a statement that was compared is wrong about it.
	misled bool
	// calm: it was accepted, and its whole way began, while nothing went wrong any more; begun: its way began before.
	calm, begun bool
	// held: a statement has stopped it, after so many decisions to send it again.
	held       bool
	heldBefore int
	// lost: it was bought, and the book was restored from before; unclaimed: a statement alone has made it known; tried:
	// it was asked for since.
	lost, unclaimed, tried bool
	// hangUp ends the request that places it; nil: there is none.
	hangUp func()
	// asked is when a person last looked at it while it was held.
	asked time.Time
	// answered is what the vendor's latest answer means; empty: there is none.
	answered topup.Outcome
	// due is when it may be tried next.
	due time.Time
	// waits is what it waits for; empty: nothing.
	waits topup.Wait
	// heldBack: an operator holds it back.
	heldBack bool
}

// attempt is one attempt of an order.
type attempt struct {
	number int
	proc   *process
	sent   *sent // nil: its request did not reach the vendor
	// kept is why nobody may have begun it; empty: anybody may.
	kept string
	// recorded: its result was recorded by the process that made it.
	recorded bool
}

// purchase is the first request that was charged; nil: none was.
func (o *order) purchase() *sent {
	if i := slices.IndexFunc(o.sent, func(s *sent) bool { return s.charged }); i >= 0 {
		return o.sent[i]
	}
	return nil
}

func (o *order) charged() (n int) {
	for _, s := range o.sent {
		if s.charged {
			n++
		}
	}
	return n
}

// lied reports whether the vendor said what is not so, and the program could only believe it.
func (o *order) lied() bool {
	return slices.ContainsFunc(o.sent, func(s *sent) bool { return s.answer != nil && s.answer.lies })
}

var limits = journal.TimeLimits{Untried: 10 * time.Minute, Tried: 4 * time.Minute}

// template is a migrated database without orders.
type template struct {
	folder string
	data   []byte
	used   int
}

func newTemplate(tb testing.TB) *template {
	folder, err := os.MkdirTemp("/dev/shm", "recarga-sim-")
	if err != nil {
		folder = tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(folder) }) // what is left ends with the machine
	path := filepath.Join(folder, "template.db")
	j, err := journal.Open(context.Background(), "sqlite:"+path)
	if err == nil {
		err = j.Close()
	}
	data, readErr := os.ReadFile(path)
	if err != nil || readErr != nil {
		tb.Fatal(err, readErr)
	}
	return &template{folder: folder, data: data}
}

// open opens a new book of record, the reference or a database. It is called within the bubble.
func (t *template) open(database bool) (b boundary.Journal, end func() error, err error) {
	if !database {
		return reference.New(reference.Config{Untried: limits.Untried, Tried: limits.Tried, Grace: 30 * time.Second,
			Catalog: topup.DefaultCatalog()}), func() error { return nil }, nil
	}
	t.used++
	path := filepath.Join(t.folder, fmt.Sprint(t.used, ".db"))
	if err := os.WriteFile(path, t.data, 0o600); err != nil {
		return nil, nil, err
	}
	j, err := journal.Open(context.Background(), "sqlite:"+path, journal.WithTimeLimits(limits),
		journal.WithCatalog(topup.DefaultCatalog()))
	return j, func() error {
		err := j.Close()
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(path + end)
		}
		return err
	}, err
}

func newWorld(t *tape, j boundary.Journal) *world {
	w := &world{tape: t, journal: j, orders: map[topup.ID]*order{}, receivers: map[string]*receiver{},
		arrived: make(chan struct{}, 1), over: make(chan struct{}), began: time.Now(), names: map[string]string{},
		ofOrder: map[string]*order{}, reserve: &reserve{}, reached: reached{}, version: 1}
	w.book = &remembered{Journal: j, w: w}
	w.queue, w.callers = &queue{w: w, paused: map[string]bool{}}, &callers{w}
	w.redis = &redis{w: w}
	w.redis.forget()
	w.vendor = &vendor{w: w, kinds: kinds(), tokens: map[string]time.Time{}}
	w.plan()
	return w
}

func (w *world) random() float64 { return w.variation }

// note adds a line to the story, which ends with the violation.
func (w *world) note(who, what, about, then string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong != "" {
		return
	}
	w.story = append(w.story, line{time.Since(w.began), who, what, w.named(about), then})
}

// fail records a violation, the first one.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong == "" {
		w.wrong, w.kind = fmt.Sprintf(format, args...), format
		w.story = append(w.story, line{time.Since(w.began), "VIOLATION", w.wrong, "", ""})
	}
}

// named is the name of an event that each run of a seed gives it; of anything else it is the id.
func (w *world) named(id string) string {
	if name := w.names[id]; name != "" {
		return name
	}
	return id
}

func (w *world) name(ev topup.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := fmt.Sprintf("%s's event %d", ev.OrderID, ev.Sequence)
	if ev.OrderID == "" {
		name = fmt.Sprintf("operator's event %s %d", ev.Type, len(w.names))
	}
	if ev.Endpoint != "" {
		name += " for " + ev.Endpoint
	}
	w.names[ev.ID], w.ofOrder[ev.ID] = name, w.orders[ev.OrderID]
}

// journey is the whole story.
func (w *world) journey() string {
	var b strings.Builder
	for i, l := range w.story {
		fmt.Fprintf(&b, "%4d %s\n", i+1, l)
	}
	return b.String()
}
