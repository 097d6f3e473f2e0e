package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/queue"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestTLS: a Redis that speaks TLS alone, with a certificate that an authority of the operator's own has signed.
func TestTLS(t *testing.T) {
	t.Parallel()
	files := testkit.NewAuthority(t).Files()
	server := testkit.RedisTLS(t, files, "--requirepass", "secret")
	secured := "rediss://:secret@" + server.Addr() + "/0"
	worksAt(t, secured+"?ca="+files.CA, "TLS-1")
	refused(t, secured, "certificate")
	refused(t, "redis://:secret@"+server.Addr()+"/0", "does not answer")
	another := testkit.NewAuthority(t).Files()
	refused(t, secured+"?ca="+another.CA, "certificate")
}

// TestTLSAsksForACertificate: a Redis that lets only those in who have a certificate themselves.
func TestTLSAsksForACertificate(t *testing.T) {
	t.Parallel()
	files := testkit.NewAuthority(t).Files()
	server := testkit.RedisTLS(t, files, "--tls-auth-clients", "yes")
	secured := "rediss://" + server.Addr() + "/0?ca=" + files.CA
	worksAt(t, secured+"&cert="+files.Cert+"&key="+files.Key, "TLS-1")
	refused(t, secured, "certificate required")
}

// TestGuardedSentinel: TLS everywhere, a user of the servers, and one of the Sentinel's own, both with the least rights.
func TestGuardedSentinel(t *testing.T) {
	t.Parallel()
	group := testkit.GuardedSentinel(t, testkit.NewAuthority(t), queue.RightsRules(false), queue.SentinelRules())
	worksAt(t, group.URL, "GS-1")
	for _, secret := range []string{"sentinel_password=sentinel-secret", "sentinel_user=watcher"} {
		refused(t, strings.Replace(group.URL, secret, secret+"x", 1), "redis at")
	}
	group.Servers[0].Kill()
	testkit.Eventually(t, testkit.Patience, func() bool {
		return group.Client(t).Set(t.Context(), "recarga:test", 1, 0).Err() == nil
	}, "the replica takes over")
	worksAt(t, group.URL, "GS-2")
}

// TestSilentSentinelMaster: what is asked of a master that speaks TLS and answers no more, ends, also without a deadline
// of its own, and the replica is asked next.
func TestSilentSentinelMaster(t *testing.T) {
	t.Parallel()
	group := testkit.GuardedSentinel(t, testkit.NewAuthority(t), queue.RightsRules(false), queue.SentinelRules())
	q := open(t, group.URL)
	group.Servers[0].Pause()
	const atOnce = 8 // so that most of them need a connection first
	var asking sync.WaitGroup
	for range atOnce {
		asking.Go(func() { _ = q.Redis().Get(context.Background(), "recarga:test").Err() })
	}
	ended := make(chan struct{})
	go func() { asking.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-testkit.Hung():
		t.Fatal("a question hangs")
	}
	persist(t, func() error { return q.Redis().Set(t.Context(), "recarga:test", 1, 0).Err() })
}

// worksAt enqueues an order at a Redis, and has it served.
func worksAt(t *testing.T, url string, id topup.ID) {
	t.Helper()
	t.Run(string(id), func(t *testing.T) {
		q := open(t, url)
		calls, handler := recorded(done)
		serve(t, q, handler)
		persist(t, func() error { return q.EnqueueOrder(t.Context(), request(id), time.Time{}) })
		if got := next(t, calls); got.id != string(id) {
			t.Fatalf("served %q, want %q", got.id, id)
		}
	})
}

// refused fails unless Open refuses a URL, and says why without showing a secret.
func refused(t *testing.T, url, why string) {
	t.Helper()
	q, err := queue.Open(t.Context(), url, quiet)
	if err == nil {
		_ = q.Close()
		t.Fatalf("opened %s", url)
	}
	if strings.Contains(why, "certificate") && queue.Unavailable(err) {
		t.Errorf("open %s: %v counts as one that passes by itself", url, err)
	}
	if !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "secret") {
		t.Errorf("open %s: %v, want %q and no secret", url, err, why)
	}
}
