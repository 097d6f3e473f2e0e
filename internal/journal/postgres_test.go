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
	testkit.Deep(t)
	t.Parallel()
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
	same := ev != nil && len(d.Events) == 1 && ev.ID == d.Events[0].ID && bytes.Equal(ev.Body, d.Events[0].Body)
	if err != nil || finished.State != topup.StateSucceeded || !same {
		t.Errorf("finish, repeated: %+v, event %+v of %+v, %v", finished, ev, d.Events, err)
	}
	if _, ev, err := s.Finish(ctx, end, noon); ev != nil || !errors.Is(err, topup.ErrLost) {
		t.Errorf("finish, once more: event %+v, %v", ev, err)
	}
}

// TestBrokenBatchInDoubt: an operation breaks a commit that many share, and the database stops answering. One of them
// waits until it is in doubt, and the others after it do not wait each in turn: they have not happened.
func TestBrokenBatchInDoubt(t *testing.T) {
	t.Parallel()
	line, s := wiredStore(t)
	r := request("REFUSED")
	r.Product = "MOVISTAR_PAQUETE_16"
	refused, _, err := s.Accept(t.Context(), r, noon)
	must(t, err)
	refused = s.begin(t, refused)
	s.exec(t, s.sql.refuse...)
	release := s.blocked(t)
	const orders = 20
	ctx := &watched{Context: t.Context()}
	errs := make([]error, orders+1)
	id := func(i int) topup.ID { return topup.ID(fmt.Sprintf("ORD-%02d", i)) }
	var all sync.WaitGroup
	accept := func(i int) {
		all.Go(func() { _, _, errs[i] = s.Accept(ctx, request(string(id(i))), noon) })
	}
	accept(0)
	s.waiting(t, 1)
	for i := 1; i <= orders; i++ {
		accept(i)
	}
	var refusal error
	all.Go(func() { _, _, refusal = s.Finish(ctx, settlement(refused, topup.StateSucceeded), noon) })
	eventually(t, "every write waits", func() bool { return ctx.waits.Load() == 2*(orders+2) })
	line.answers.Store(1 << 40)
	release()
	all.Wait()
	line.answers.Store(0)
	doubts := 0
	for i, err := range errs {
		_, readErr := s.Order(t.Context(), id(i))
		switch {
		case errors.Is(err, journal.ErrInDoubt) && readErr == nil:
			doubts++
		case err != nil && errors.Is(readErr, topup.ErrNotFound):
		default:
			t.Errorf("%s: %v, and is %v", id(i), err, readErr)
		}
	}
	if o, err := s.Order(t.Context(), refused.ID); refusal == nil || err != nil || o.State != topup.StateSubmitting {
		t.Errorf("the operation that breaks the commit: %v, and its order is %+v, %v", refusal, o, err)
	}
	if doubts != 2 { // of the first, which was alone, and of one of the others
		t.Errorf("%d orders are in doubt: %v", doubts, errs)
	}
}

// TestLateCommit: a connection is lost before its COMMIT, and the network brings that when the operation is already
// made again. It comes to nothing: nobody expects it any more.
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
	testkit.Deep(t)
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
			if n := s.commits.made.Load(); n > last+3 { // an operation is not made again for ever
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
	must(t, s.db.QueryRow(`SELECT (SELECT COUNT(*) FROM attempts), COUNT(*),
		COUNT(*) FILTER (WHERE state = 'delivered' AND try_count = 1) FROM events`).Scan(&attempts, &events, &delivered))
	if counts[topup.StateSucceeded] != orders || attempts != orders || events != orders || delivered != orders {
		t.Errorf("%d succeeded with %d attempts and %d events, %d delivered; want %d of each",
			counts[topup.StateSucceeded], attempts, events, delivered, orders)
	}
	if cuts < 10 {
		t.Errorf("only %d cuts", cuts)
	}
}

// wiredStore reaches its database over a wire.
func wiredStore(t *testing.T) (*wire, store) {
	t.Helper()
	s := postgresStore(t)
	line, through := cutter(t, s.url)
	s.Journal = open(t, through, journal.WithArchive(s.folder), journal.WithObserver(s.commits.count))
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
			held := w.hold.Load().(string)
			if held != "" && bytes.Contains(b, []byte(held)) && w.hold.CompareAndSwap(held, "") {
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
