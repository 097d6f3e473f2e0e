package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"recarga/internal/httpclient"
)

const (
	apiKey = "bench-api-key"
	// warmUps are placed before anything is measured: connections, prepared statements, caches.
	warmUps = 300
	// steadyConnections is how many orders may wait for their answer while the API is timed.
	steadyConnections = 256
	// patience bounds the wait for what has been placed.
	patience = 2 * time.Minute
	// soonest is how far ahead the first scheduled order is due: until then all are placed.
	soonest = 2 * time.Second
	// slowLone is how many lone orders a rival gets: each takes it seconds.
	slowLone = 5
)

// load drives one contender and notes what it sees.
type load struct {
	cfg       Config
	world     *world
	contender *contender
	got       readings

	client *http.Client
	placed int
}

// order is what a checkout places.
type order struct {
	ID        string     `json:"distributor_transaction_id"`
	Phone     string     `json:"phone_number"`
	Product   string     `json:"product_id"`
	Amount    int        `json:"amount"`
	Operator  string     `json:"operator"`
	ProcessAt *time.Time `json:"process_at,omitempty"`
}

func (l *load) id() string {
	l.placed++
	return "BENCH-" + l.contender.run + "-" + strconv.Itoa(l.placed)
}

// place places one order.
func (l *load) place(ctx context.Context, id string) error { return l.placeFor(ctx, id, nil) }

// placeFor places one order that is due at a time; nil: now.
func (l *load) placeFor(ctx context.Context, id string, at *time.Time) error {
	body, err := json.Marshal(order{ID: id, Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: 10,
		Operator: "MOVISTAR", ProcessAt: at})
	if err != nil {
		return err
	}
	return post(ctx, l.client, l.contender.url+"/v1/topups", apiKey, body)
}

func newClient() *http.Client {
	return &http.Client{Transport: httpclient.Guard{Base: &http.Transport{MaxIdleConnsPerHost: 2 * steadyConnections}}}
}

func post(ctx context.Context, client *http.Client, url, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && !httpclient.Succeeded(res.StatusCode) {
		err = fmt.Errorf("%s answers %s", url, res.Status)
	}
	return err
}

// burst places n orders on a number of connections, and waits until all have been delivered.
func (l *load) burst(ctx context.Context, n, connections int) (accepted, delivered time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wait := l.expect(n)
	var placing errgroup.Group
	placing.SetLimit(connections)
	start := time.Now()
	for range n {
		id := l.id()
		placing.Go(func() error { return l.place(ctx, id) })
	}
	err = placing.Wait()
	accepted = time.Since(start)
	if err == nil {
		err = wait(ctx)
	}
	return accepted, time.Since(start), err
}

// expect counts the orders that are delivered from now on. What it returns waits for n of them.
func (l *load) expect(n int) (wait func(context.Context) error) {
	var seen atomic.Int64
	all := make(chan struct{})
	delivered := func(string) {
		if seen.Add(1) == int64(n) {
			close(all)
		}
	}
	l.world.delivered.Store(&delivered)
	return func(ctx context.Context) error {
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%d of %d orders were delivered: %w", seen.Load(), n, ctx.Err())
		}
	}
}

func (l *load) warmUp(ctx context.Context) error {
	l.client = newClient()
	_, _, err := l.burst(ctx, warmUps, l.cfg.Connections)
	return err
}

// standard is the standard job.
func (l *load) standard(ctx context.Context) error {
	before := l.contender.cpu()
	accepted, delivered, err := l.burst(ctx, l.cfg.Orders, l.cfg.Connections)
	if err != nil {
		return err
	}
	after := l.contender.cpu()
	per := 10_000 / float64(l.cfg.Orders)
	l.got[Throughput] = float64(l.cfg.Orders) / delivered.Seconds()
	l.got[Accepted] = float64(l.cfg.Orders) / accepted.Seconds()
	l.got.set(CPU, (after.program+after.store-before.program-before.store)*per)
	l.got.set(CPUStore, (after.store-before.store)*per)
	l.got.set(CPULoad, (after.load-before.load)*per)
	_, peak := l.contender.memory()
	l.got.set(Memory, peak)
	return nil
}

// set notes what could be measured; what could not is 0.
func (r readings) set(name string, v float64) {
	if v > 0 {
		r[name] = v
	}
}

// lone places orders one by one, each when the one before has been delivered.
func (l *load) lone(ctx context.Context) error {
	n := l.cfg.Lone
	if l.contender.slow {
		n = min(n, slowLone)
	}
	if n == 0 {
		return nil
	}
	bought, delivered := make(chan time.Time, 8), make(chan time.Time, 8)
	onBought, onDelivered := func(string) { bought <- time.Now() }, func(string) { delivered <- time.Now() }
	l.world.bought.Store(&onBought)
	defer l.world.bought.Store(nil)
	l.world.delivered.Store(&onDelivered)
	var toVendor, toHook []time.Duration
	for range n {
		start := time.Now()
		if err := l.place(ctx, l.id()); err != nil {
			return err
		}
		for _, seen := range []struct {
			by  chan time.Time
			sum *[]time.Duration
		}{{bought, &toVendor}, {delivered, &toHook}} {
			select {
			case at := <-seen.by:
				*seen.sum = append(*seen.sum, at.Sub(start))
			case <-time.After(patience):
				return errors.New("a lone order got lost")
			}
		}
	}
	l.got[VendorP50], l.got[VendorP99] = quantile(toVendor, 0.5), quantile(toVendor, 0.99)
	l.got[DeliveredP50], l.got[DeliveredP99] = quantile(toHook, 0.5), quantile(toHook, 0.99)
	return nil
}

// quantile is in milliseconds.
func quantile(times []time.Duration, q float64) float64 {
	slices.Sort(times)
	return float64(times[int(q*float64(len(times)-1))].Microseconds()) / 1000
}

// steady places orders at a fixed rate, whether or not they are answered in time, and measures each from
// the moment at which it was due.
func (l *load) steady(ctx context.Context) error {
	n := int(float64(l.cfg.Rate) * l.cfg.For.Seconds())
	if n == 0 || l.contender.slow {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wait := l.expect(n)
	times := make([]time.Duration, n)
	var placing errgroup.Group
	placing.SetLimit(steadyConnections)
	start := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; i < n; <-tick.C {
		for now := time.Now(); i < n; i++ {
			at := start.Add(time.Duration(i) * time.Second / time.Duration(l.cfg.Rate))
			if at.After(now) {
				break
			}
			id, took := l.id(), &times[i]
			placing.Go(func() error {
				err := l.place(ctx, id)
				*took = time.Since(at)
				return err
			})
		}
	}
	if err := placing.Wait(); err != nil {
		return err
	}
	took := time.Since(start)
	l.got[PlaceP50], l.got[PlaceP99] = quantile(times, 0.5), quantile(times, 0.99)
	l.got[PlaceRate] = float64(n) / took.Seconds()
	return wait(ctx)
}

// scheduled places orders that are due at moments spread over a while, and measures how late each comes to the vendor.
func (l *load) scheduled(ctx context.Context) error {
	n := l.cfg.Scheduled
	if n == 0 || l.contender.unscheduled {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wait := l.expect(n)
	var mu sync.Mutex
	due, late := make(map[string]time.Time, n), make([]time.Duration, 0, n)
	onBought := func(id string) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		late = append(late, max(0, now.Sub(due[id])))
	}
	l.world.bought.Store(&onBought)
	defer l.world.bought.Store(nil)
	var placing errgroup.Group
	placing.SetLimit(l.cfg.Connections)
	first := time.Now().Add(soonest)
	for i := range n {
		id, at := l.id(), first.Add(l.cfg.Within*time.Duration(i)/time.Duration(n))
		mu.Lock()
		due[id] = at
		mu.Unlock()
		placing.Go(func() error { return l.placeFor(ctx, id, &at) })
	}
	if err := errors.Join(placing.Wait(), wait(ctx)); err != nil {
		return err
	}
	l.got[LateP50], l.got[LateP99] = quantile(late, 0.5), quantile(late, 0.99)
	return nil
}

// inFlight has as many purchases under way as there may be, four times over, at a vendor that takes its time. It
// counts those in the middle: before them the line fills, and behind them it empties.
func (l *load) inFlight(ctx context.Context) error {
	n := l.cfg.InFlight
	before, _ := l.contender.memory()
	l.world.slow.Store(int64(l.cfg.Slow))
	var bought atomic.Int64
	var from, to time.Time
	var full float64
	over := make(chan struct{})
	onBought := func(string) {
		switch bought.Add(1) {
		case int64(n):
			from = time.Now()
		case int64(2 * n):
			full, _ = l.contender.memory()
		case int64(3 * n):
			to = time.Now()
			close(over)
		}
	}
	l.world.bought.Store(&onBought)
	defer l.world.bought.Store(nil)
	if _, _, err := l.burst(ctx, 4*n, l.cfg.Connections); err != nil {
		return err
	}
	<-over
	l.got[InFlightRate] = 100 * 2 * l.cfg.Slow.Seconds() / to.Sub(from).Seconds()
	l.got.set(InFlightKiB, (full-before)*1024/float64(n))
	return nil
}

// idle watches the program while nothing comes.
func (l *load) idle(ctx context.Context) error {
	if l.cfg.Idle == 0 {
		return nil
	}
	settle := min(l.cfg.Idle, time.Second)
	for _, d := range []time.Duration{settle, l.cfg.Idle} {
		before := l.contender.cpu()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
		l.got[IdleCPU] = (l.contender.cpu().program - before.program) / d.Seconds() * 100
	}
	return nil
}

// sizes is what is left of the orders. It ends the program, whose database is whole only then.
func (l *load) sizes(ctx context.Context) error {
	l.client.CloseIdleConnections()
	sizes, err := l.contender.sizes(ctx)
	for name, bytes := range sizes {
		l.got[name] = bytes / float64(l.placed)
	}
	return err
}
