package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestPostgresComesBack: while the server is gone every operation fails; when it is back, all works
// again by itself, and nothing that was acknowledged is missing.
func TestPostgresComesBack(t *testing.T) {
	server := testkit.PostgresOwn(t)
	j := open(t, server.URL())
	_, _, err := j.Accept(t.Context(), request("before"), noon)
	must(t, err)
	server.Kill()
	if _, _, err := j.Accept(t.Context(), request("during"), noon); err == nil {
		t.Error("an order is accepted without a database")
	}
	if _, err := j.Order(t.Context(), "before"); err == nil || errors.Is(err, topup.ErrNotFound) {
		t.Errorf("a read without a database: %v", err)
	}
	if err := j.Ping(t.Context()); err == nil {
		t.Error("a ping without a database")
	}
	server.Start()
	eventually(t, "the journal works again", func() bool {
		_, _, err := j.Accept(t.Context(), request("after"), noon)
		return err == nil
	})
	for _, id := range []topup.ID{"before", "after"} {
		if _, err := j.Order(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestLostCommitAnswer: the commit happens, and its answer never arrives, to any operation: it ends as if it had.
func TestLostCommitAnswer(t *testing.T) {
	for _, op := range changes {
		for _, cuts := range []int64{1, 2} {
			t.Run(fmt.Sprintf("%s/%d cuts", op.name, cuts), func(t *testing.T) {
				t.Parallel()
				line, s := wiredStore(t)
				run := op.prepare(t, s)
				line.answers.Store(cuts)
				ev, err := run(t.Context())
				if err != nil || line.answers.Load() > 0 {
					t.Fatalf("%v; %d answers were not lost", err, line.answers.Load())
				}
				d, err := s.Details(t.Context(), "A")
				must(t, err)
				if d.State != op.state || len(d.Events) != op.events || (ev != nil) != op.told || ev != nil && ev.ID != d.Events[op.events-1].ID {
					t.Errorf("%s with events %+v, returned %+v; want %s with %d", d.State, d.Events, ev, op.state, op.events)
				}
				if again, err := run(t.Context()); again != nil || err == nil && !op.repeats {
					t.Errorf("done again by somebody else: event %+v, %v", again, err)
				}
			})
		}
	}
}

// TestDoubtThatStays: whatever is asked about a commit has no answer.
func TestDoubtThatStays(t *testing.T) {
	t.Parallel()
	line, s := wiredStore(t)
	ctx := t.Context()
	doubt := func(what string, run func() error) {
		t.Helper()
		line.answers.Store(1 << 40)
		if err := run(); !errors.Is(err, journal.ErrInDoubt) {
			t.Errorf("%s: %v", what, err)
		}
		line.answers.Store(0)
	}
	doubt("accept", func() error { _, _, err := s.Accept(ctx, request("A"), noon); return err })
	o, replayed, err := s.Accept(ctx, request("A"), noon)
	if err != nil || !replayed {
		t.Errorf("accept, repeated: replayed %v, %v", replayed, err)
	}
	o = s.begin(t, o)
	end := settlement(o, topup.StateSucceeded)
	doubt("finish", func() error { _, _, err := s.Finish(ctx, end, noon); return err })
	finished, ev, err := s.Finish(ctx, end, noon.Add(time.Minute))
	d, readErr := s.Details(ctx, o.ID)
	must(t, readErr)
	if err != nil || finished.State != topup.StateSucceeded || len(d.Events) != 1 || ev == nil || ev.ID != d.Events[0].ID || !bytes.Equal(ev.Body, d.Events[0].Body) {
		t.Errorf("finish, repeated: %+v, event %+v of %+v, %v", finished, ev, d.Events, err)
	}
	if _, ev, err := s.Finish(ctx, end, noon); ev != nil || !errors.Is(err, topup.ErrLost) {
		t.Errorf("finish, once more: event %+v, %v", ev, err)
	}
}

// TestLateCommit: a connection is lost before its COMMIT, and the network brings that when the operation is already made
// again. It comes to nothing: nobody expects it any more.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	line, s := wiredStore(t)
	o := s.accept(t, "A")
	line.hold.Store(o.Phone.Digits()) // which is in the event, that the COMMIT follows
	done := make(chan error)
	go func() {
		_, ev, err := s.Cancel(t.Context(), o.ID, "shop", noon)
		if err == nil && ev == nil {
			err = errors.New("canceled by somebody else")
		}
		done <- err
	}()
	s.waiting(t, 1) // for the lost connection's lock of the order
	close(line.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if d, err := s.Details(t.Context(), o.ID); err != nil || d.State != topup.StateCanceled || len(d.Events) != 1 {
		t.Errorf("%s with events %+v, %v", d.State, d.Events, err)
	}
}

// TestCutsUnderLoad: requests and answers are lost beside each other, and every step of every order ends as
// if none had been.
func TestCutsUnderLoad(t *testing.T) {
	t.Parallel()
	line, s := wiredStore(t)
	const orders = 400
	done := make(chan struct{})
	go func() {
		defer close(done)
		lifecycles(t, s.Journal, orders, 32, new(noLock))
	}()
	cuts := 0
	for last, tick := int64(0), time.NewTicker(time.Millisecond); ; {
		select {
		case <-tick.C:
			if n := s.Stats().Commits; n > last+3 { // an operation is not made again for ever
				last = n
				[]*atomic.Int64{&line.answers, &line.requests}[cuts%2].Store(1)
				cuts++
			}
			continue
		case <-done:
			tick.Stop()
		}
		break
	}
	counts, err := s.CountByState(t.Context())
	must(t, err)
	var attempts, events, delivered int
	must(t, s.db.QueryRow(`SELECT (SELECT COUNT(*) FROM attempts), COUNT(*), COUNT(*) FILTER (WHERE state = 'delivered' AND try_count = 1)
		FROM events`).Scan(&attempts, &events, &delivered))
	if counts[topup.StateSucceeded] != orders || attempts != orders || events != orders || delivered != orders {
		t.Errorf("%d succeeded with %d attempts and %d events, %d delivered; want %d of each", counts[topup.StateSucceeded], attempts, events, delivered, orders)
	}
	if cuts < 10 {
		t.Errorf("only %d cuts", cuts)
	}
}

// change is an operation on order A or what hangs on it.
type change struct {
	name    string
	prepare func(testing.TB, store) func(context.Context) (*topup.Event, error)
	// state and events are the order's in the end; told says that the operation returns its event.
	state  topup.State
	events int
	told   bool
	// repeats says that it may be done any number of times.
	repeats bool
}

var changes = []change{
	{"accept", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		return func(ctx context.Context) (*topup.Event, error) {
			_, replayed, err := s.Accept(ctx, request("A"), noon)
			if replayed {
				err = errors.New("it was there")
			}
			return nil, err
		}
	}, topup.StateQueued, 0, false, false},
	{"accept invalid", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		return func(ctx context.Context) (*topup.Event, error) {
			return s.AcceptInvalid(ctx, request("A").Order(noon), "phone_number: wrong", noon)
		}
	}, topup.StateFailed, 1, true, false},
	{"begin", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.Begin(ctx, o.ID, 0, workerName, noon.Add(time.Minute), noon)
			return nil, err
		}
	}, topup.StateSubmitting, 0, false, false},
	{"begin first", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.BeginFirst(ctx, o.ID, workerName, noon.Add(time.Minute), noon)
			return nil, err
		}
	}, topup.StateSubmitting, 0, false, false},
	{"finish", finishing(topup.StateSucceeded), topup.StateSucceeded, 1, true, false},
	{"finish, to be tried again", finishing(topup.StateRetrying), topup.StateRetrying, 0, false, false},
	{"finish, unknown", finishing(topup.StateUnknown), topup.StateUnknown, 1, true, true},
	{"finish, late", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		late := settlement(s.inState(tb, "A", topup.StateUnknown), topup.StateSucceeded)
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.Finish(ctx, late, noon)
			return ev, err
		}
	}, topup.StateSucceeded, 2, true, false},
	{"end", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.End(ctx, o.ID, noon.Add(1000*time.Hour))
			return ev, err
		}
	}, topup.StateFailed, 1, true, false},
	{"cancel", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.Cancel(ctx, o.ID, "shop", noon)
			return ev, err
		}
	}, topup.StateCanceled, 1, true, true},
	{"resolve", resolving(topup.VerdictSucceeded), topup.StateSucceeded, 2, true, true},
	{"resolve, to be sent again", resolving(topup.VerdictResend), topup.StateRetrying, 1, false, true},
	{"correct", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.inState(tb, "A", topup.StateFailed)
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.Correct(ctx, o.ID, topup.Correction{Outcome: topup.VerdictSucceeded, Reason: "by the portal", By: "ana"}, noon)
			return ev, err
		}
	}, topup.StateSucceeded, 2, true, true},
	{"dispute", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.inState(tb, "A", topup.StateFailed)
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.Dispute(ctx, o.ID, topup.Dispute{Evidence: "charged", RaisedBy: "statement"}, noon)
			return nil, err
		}
	}, topup.StateFailed, 1, false, true},
	{"wait", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			return nil, s.StandInLine(ctx, o.ID, 0, topup.WaitPace, noon)
		}
	}, topup.StateQueued, 0, false, true},
	{"release", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		o := s.accept(tb, "A")
		must(tb, s.StandInLine(tb.Context(), o.ID, 0, topup.WaitPace, noon))
		return func(ctx context.Context) (*topup.Event, error) {
			_, err := s.Call(ctx, o.ID, noon)
			return nil, err
		}
	}, topup.StateQueued, 0, false, false},
	{"record a try", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		_, ev := s.finish(tb, settlement(s.begin(tb, s.accept(tb, "A")), topup.StateFailed))
		return func(ctx context.Context) (*topup.Event, error) {
			return nil, s.RecordTry(ctx, *ev, topup.Try{At: noon, DurationMS: 1500}, topup.EventPending, noon.Add(time.Minute))
		}
	}, topup.StateFailed, 1, false, false},
	{"redeliver", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		_, ev := s.finish(tb, settlement(s.begin(tb, s.accept(tb, "A")), topup.StateFailed))
		return func(ctx context.Context) (*topup.Event, error) { return nil, s.Redeliver(ctx, *ev, noon) }
	}, topup.StateFailed, 1, false, true},
	{"fan out", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		_, ev := s.finish(tb, settlement(s.begin(tb, s.accept(tb, "A")), topup.StateFailed))
		return func(ctx context.Context) (*topup.Event, error) {
			copies, err := s.FanOut(ctx, *ev, []string{"erp"}, false, noon)
			if err == nil && len(copies) != 1 {
				err = fmt.Errorf("%d copies", len(copies))
			}
			return nil, err
		}
	}, topup.StateFailed, 2, false, false},
	{"add a caller", func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		s.accept(tb, "A")
		return func(ctx context.Context) (*topup.Event, error) {
			return nil, s.AddCaller(ctx, topup.Caller{Name: "web", KeyHash: []byte("k"), Secrets: []byte("s"), CreatedAt: noon})
		}
	}, topup.StateQueued, 0, false, false},
}

func finishing(state topup.State) func(testing.TB, store) func(context.Context) (*topup.Event, error) {
	return func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		end := settlement(s.begin(tb, s.accept(tb, "A")), state)
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.Finish(ctx, end, noon)
			return ev, err
		}
	}
}

func resolving(as topup.Verdict) func(testing.TB, store) func(context.Context) (*topup.Event, error) {
	return func(tb testing.TB, s store) func(context.Context) (*topup.Event, error) {
		held := s.inState(tb, "A", topup.StateUnknown)
		return func(ctx context.Context) (*topup.Event, error) {
			_, ev, err := s.Resolve(ctx, held.ID, topup.Resolution{Outcome: as, Reason: "by the portal", By: "ana", Forced: true}, noon)
			return ev, err
		}
	}
}

// wiredStore reaches its database over a wire.
func wiredStore(t *testing.T) (*wire, store) {
	t.Helper()
	s := postgresStore(t)
	line, through := cutter(t, s.url)
	s.Journal = open(t, through)
	return line, s
}

// wire stands between a client and PostgreSQL. It can swallow answers to a COMMIT, and requests, and hangs up then.
type wire struct {
	target string
	addr   string
	// answers and requests are how many to swallow.
	answers, requests atomic.Int64
	// hold, if it is not empty, is part of a request whose client is hung up at once, and which comes when released.
	hold    atomic.Value
	release chan struct{}
	// cut hangs up for good.
	cut func()
}

// cutter puts a wire before the database, and returns the database's URL through it.
func cutter(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	w := newWire(t, u.Host)
	u.Host = w.addr
	return w, u.String()
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{target: target, addr: ln.Addr().String(), release: make(chan struct{})}
	w.hold.Store("")
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.join(ctx, client) })
		}
	})
	w.cut = sync.OnceFunc(func() {
		_ = ln.Close()
		end()
		all.Wait()
	})
	t.Cleanup(w.cut)
	return w
}

// join carries bytes both ways until either side ends, or something is to be swallowed.
func (w *wire) join(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", w.target)
	if err != nil {
		_ = client.Close()
		return
	}
	hangUp := sync.OnceFunc(func() { _, _ = client.Close(), server.Close() })
	defer context.AfterFunc(ctx, hangUp)()
	var both sync.WaitGroup
	both.Go(func() {
		carry(server, client, hangUp, func(b []byte) bool {
			if held := w.hold.Load().(string); held != "" && bytes.Contains(b, []byte(held)) && w.hold.CompareAndSwap(held, "") {
				_ = client.Close()
				select {
				case <-w.release:
					_, _ = server.Write(b)
				case <-ctx.Done():
				}
				return true
			}
			return w.requests.Load() > 0 && w.requests.Add(-1) >= 0
		})
	})
	both.Go(func() {
		carry(client, server, hangUp, func(b []byte) bool {
			return w.answers.Load() > 0 && bytes.Contains(b, []byte("COMMIT\x00")) && w.answers.Add(-1) >= 0
		})
	})
	both.Wait()
}

func carry(to io.Writer, from io.Reader, hangUp func(), swallow func([]byte) bool) {
	defer hangUp()
	for buf := make([]byte, 64<<10); ; {
		n, err := from.Read(buf)
		if err != nil || swallow(buf[:n]) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
