package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// rollingDelay is RECARGA_SHUTDOWN_DELAY: several of the balancer's polls, for a machine that has other work to do.
const rollingDelay = 5 * time.Second

// TestRollingRestart: every process is replaced, one after the other, behind a balancer that asks each second who is
// ready, keeps its connections and repeats nothing. No request is refused or cut off, and every order is bought once.
// Three of three are replaced, three times.
func TestRollingRestart(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	const size, replaced, rate = 3, 9, 60
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DATABASE_URL"] = testkit.Redis(t).URL(), testkit.Postgres(t).URL()
	w.env["RECARGA_SHUTDOWN_DELAY"] = rollingDelay.String()
	b := newBalancer(t, w, size)
	load := b.load(rate)
	for i := range replaced {
		b.replace(w, b.backends[i%size])
	}
	placed := load()
	c := clientOf(b.url, apiKey)
	charged := w.charges()
	for _, id := range placed {
		d := settled(t, c, id)
		judge(t, d, w.charges()[id])
		if d.State != topup.StateSucceeded {
			t.Errorf("%s is %s: %s", id, d.State, d.Reason)
		}
		w.notified(t, d)
		delete(charged, id)
	}
	if len(charged) > 0 {
		t.Errorf("charged, and never placed: %v", charged)
	}
	if b.kept.Load() == 0 || len(placed) == 0 {
		t.Errorf("%d orders, %d requests on kept connections", len(placed), b.kept.Load())
	}
	testkit.Proven(t, "%d processes replaced under %d orders and %d requests, none of them refused, cut off or lost",
		replaced, len(placed), b.served.Load())
}

// balancer is as simple as one can be. Each request of its clients is one request of its own: what goes wrong with it,
// its client sees.
type balancer struct {
	t            *testing.T
	url          string
	backends     []*backend
	next         atomic.Int64
	served, kept atomic.Int64
}

// backend is a place behind the balancer.
type backend struct {
	mu      sync.Mutex
	process *process
	ready   bool      // by the last poll
	readyAt time.Time // the last time
	served  int       // by this process
}

func newBalancer(t *testing.T, w *world, size int) *balancer {
	b := &balancer{t: t}
	for range size {
		b.backends = append(b.backends, &backend{process: w.start(t, "serve")})
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {}, // see RoundTrip
		Transport: once{b, transport},
		ErrorHandler: func(out http.ResponseWriter, r *http.Request, err error) {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			out.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	b.url = serve(t, proxy)
	t.Cleanup(transport.CloseIdleConnections)
	ctx, stop := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	for _, one := range b.backends {
		polling.Go(func() { one.poll(ctx) })
	}
	t.Cleanup(func() { stop(); polling.Wait() })
	b.await("all are ready", func(one *backend) bool { return one.ready }, b.backends...)
	return b
}

// poll asks each second whether the process is ready.
func (one *backend) poll(ctx context.Context) {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		one.mu.Lock()
		p := one.process
		one.mu.Unlock()
		status, _, err := try(ctx, client, http.MethodGet, p.metricsURL+"/readyz", "")
		one.mu.Lock()
		if one.ready = one.process == p && err == nil && status == http.StatusOK; one.ready {
			one.readyAt = time.Now()
		}
		one.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// choose returns the next of those that are ready, or, if none is, as on a machine that is too busy to answer a poll in
// time, the one that was ready last.
func (b *balancer) choose() (*url.URL, error) {
	first := int(b.next.Add(1))
	var chosen *backend
	var latest time.Time
	for i := range b.backends {
		one := b.backends[(first+i)%len(b.backends)]
		one.mu.Lock()
		ready, at := one.ready, one.readyAt
		one.mu.Unlock()
		if ready {
			chosen = one
			break
		}
		if at.After(latest) {
			chosen, latest = one, at
		}
	}
	chosen.mu.Lock()
	defer chosen.mu.Unlock()
	chosen.served++
	return url.Parse(chosen.process.apiURL)
}

// once sends a request to one process, on one connection: what http.Transport would repeat by itself is an error.
type once struct {
	*balancer
	transport *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := o.choose()
	if err != nil {
		return nil, err
	}
	conns := 0
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		conns++
		if c.Reused {
			o.kept.Add(1)
		}
	}}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
	r.URL.Scheme, r.URL.Host, r.GetBody = to.Scheme, to.Host, nil
	res, err := o.transport.RoundTrip(r)
	if err == nil && conns > 1 {
		o.t.Errorf("%s %s was cut off on a kept connection, and repeated", r.Method, r.URL.Path)
	}
	o.served.Add(1)
	return res, err
}

// await waits until something holds of these backends.
func (b *balancer) await(what string, is func(*backend) bool, of ...*backend) {
	b.t.Helper()
	testkit.Eventually(b.t, patience, func() bool {
		for _, one := range of {
			one.mu.Lock()
			ok := is(one)
			one.mu.Unlock()
			if !ok {
				return false
			}
		}
		return true
	}, "%s", what)
}

// replace ends a process as a deployment does, and starts another one in its place, until that serves.
func (b *balancer) replace(w *world, one *backend) {
	b.t.Helper()
	if status := one.process.terminate(); status != 0 {
		b.t.Errorf("exit status %d:\n%s", status, one.process.log())
	}
	p := w.start(b.t, "serve")
	one.mu.Lock()
	one.process, one.ready, one.readyAt, one.served = p, false, time.Time{}, 0
	one.mu.Unlock()
	b.await("the new process serves", func(one *backend) bool { return one.served > 5 }, one)
}

// load places orders and looks at them, so many requests a second, until the returned function is called, which
// returns them. A request that does not succeed at once is an error.
func (b *balancer) load(rate int) (stop func() []topup.ID) {
	const checkouts = 4
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	placed := make([][]topup.ID, checkouts)
	for i := range checkouts {
		c := clientOf(b.url, apiKey, producer.WithRetryNotify(func(err error, _ time.Duration) {
			b.t.Errorf("placed again: %v", err)
		}))
		running.Go(func() {
			tick := time.NewTicker(2 * checkouts * time.Second / time.Duration(rate))
			defer tick.Stop()
			for ctx.Err() == nil {
				id := fmt.Sprintf("ROLL-%d-%04d", i, len(placed[i]))
				o, _, err := c.Place(context.WithoutCancel(ctx), order(id, phoneOf(len(placed[i]))))
				if err == nil {
					_, err = c.Get(context.WithoutCancel(ctx), o.ID)
				}
				if err != nil {
					b.t.Errorf("%s: %v", id, err)
				}
				placed[i] = append(placed[i], topup.ID(id))
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return func() (all []topup.ID) {
		cancel()
		running.Wait()
		for _, ids := range placed {
			all = append(all, ids...)
		}
		return all
	}
}
