package journal_test

import (
	"bytes"
	"context"
	"errors"
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

// TestLostCommitAnswer: the commit happens, and its answer never arrives.
func TestLostCommitAnswer(t *testing.T) {
	line, through := cutter(t, testkit.Postgres(t).URL())
	j := open(t, through)
	ctx := t.Context()

	line.cuts.Store(1)
	if _, _, err := j.Accept(ctx, request("A"), noon); !errors.Is(err, journal.ErrInDoubt) {
		t.Errorf("accept: %v", err)
	}
	o, replayed, err := j.Accept(ctx, request("A"), noon)
	if err != nil || !replayed {
		t.Errorf("accept, repeated: replayed %v, %v", replayed, err)
	}

	line.cuts.Store(1)
	o, err = j.Begin(ctx, o.ID, 0, workerName, noon.Add(time.Minute), noon)
	if err != nil || o.AttemptCount != 1 {
		t.Fatalf("begin does not recognise its own attempt: %+v, %v", o, err)
	}
	if _, err := j.Begin(ctx, o.ID, 0, workerName, noon.Add(time.Minute), noon); !errors.Is(err, topup.ErrLost) {
		t.Errorf("another begin of the same worker: %v", err)
	}

	line.cuts.Store(1)
	if _, _, err := j.Finish(ctx, settlement(o, topup.StateRetrying), noon); !errors.Is(err, journal.ErrInDoubt) {
		t.Errorf("finish: %v", err)
	}
	if _, _, err := j.Finish(ctx, settlement(o, topup.StateRetrying), noon); !errors.Is(err, topup.ErrLost) {
		t.Errorf("finish, repeated: %v", err)
	}

	line.cuts.Store(100)
	_, err = j.Begin(ctx, o.ID, 1, workerName, noon.Add(time.Minute), noon)
	if !errors.Is(err, journal.ErrInDoubt) {
		t.Errorf("begin that is never answered: %v", err)
	}
	line.cuts.Store(0)
	d, err := j.Details(ctx, o.ID)
	must(t, err)
	if d.State != topup.StateSubmitting || len(d.Attempts) != 2 {
		t.Errorf("%s with %d attempts, want submitting with 2", d.State, len(d.Attempts))
	}
}

// wire stands between a client and PostgreSQL and can swallow the answer to a COMMIT.
type wire struct {
	target string
	cuts   atomic.Int64 // how many answers to swallow
}

// cutter puts a wire before the database, and returns the database's URL through it.
func cutter(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	ctx, end := context.WithCancel(context.Background())
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{target: u.Host}
	u.Host = ln.Addr().String()
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
	t.Cleanup(func() {
		must(t, ln.Close())
		end()
		all.Wait()
	})
	return w, u.String()
}

// join carries bytes both ways until either side ends, or an answer is to be swallowed.
func (w *wire) join(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", w.target)
	if err != nil {
		_ = client.Close()
		return
	}
	hangUp := sync.OnceFunc(func() { _, _ = client.Close(), server.Close() })
	defer context.AfterFunc(ctx, hangUp)()
	go func() {
		_, _ = io.Copy(server, client)
		hangUp()
	}()
	defer hangUp()
	for buf := make([]byte, 64<<10); ; {
		n, err := server.Read(buf)
		if err != nil || bytes.Contains(buf[:n], []byte("COMMIT\x00")) && w.cuts.Add(-1) >= 0 {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
