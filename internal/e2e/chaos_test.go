package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/tasks"
	"recarga/topup"
	"recarga/webhook"
)

// TestChaos runs Recarga as real processes under load, and for a while kills, pauses, restarts and
// flushes whatever there is, at random, and clicks in the queue's page. Then it lets everything run
// again, settles what is held as an operator would, and asks the distributor's ledger and the checkout.
//
// RECARGA_CHAOS_DURATION is how long (default 20s), RECARGA_CHAOS_SEED repeats a run's choices, and
// RECARGA_CHAOS_RATE is how many orders are placed a second (default 20).
func TestChaos(t *testing.T) {
	testkit.Deep(t)
	duration := fromEnv(t, "RECARGA_CHAOS_DURATION", 20*time.Second, time.ParseDuration)
	seed := fromEnv(t, "RECARGA_CHAOS_SEED", rand.Uint64(),
		func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	rate := fromEnv(t, "RECARGA_CHAOS_RATE", 20, strconv.Atoi)
	for _, cast := range []struct {
		name     string
		postgres bool
		settings map[string]string
		commands []string
	}{
		{"redis+postgres", true, nil, []string{"api", "api", "worker", "worker", "worker"}},
		{"redis+sqlite", false, nil, []string{"serve"}},
		{"impatient operator", true, impatient, []string{"api", "worker", "worker"}},
	} {
		t.Run(cast.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("RECARGA_CHAOS_SEED=%d RECARGA_CHAOS_DURATION=%s RECARGA_CHAOS_RATE=%d", seed, duration, rate)
			c := newChaos(t, seed, cast.postgres, cast.settings, cast.commands)
			placed := c.load(rate)
			c.rage(duration)
			placed()
			c.calm()
			c.placeAgain()
			c.end()
			c.settle()
			c.judge()
		})
	}
}

// impatient are the settings of an operator who waits for nothing: few tries, short deadlines, an outage soon called
// one.
var impatient = map[string]string{
	"RECARGA_DISTRIBUTOR_TIMEOUT": "1s", "RECARGA_BREAKER_SHARE": "20%", "RECARGA_BREAKER_PROBE": "1s",
	"RECARGA_RETRY_MAX_ATTEMPTS": "2", "RECARGA_RETRY_MAX_ELAPSED": "20s", "RECARGA_EXPIRES_AFTER": "40s",
}

// endsWithin is what every order has to end, or to be held, when nothing is disturbed any more.
const endsWithin = 2 * time.Minute

func fromEnv[T any](t *testing.T, name string, otherwise T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return v
}

// chaos is one run: the program's processes, what they need, and the list of what is to happen.
type chaos struct {
	t       *testing.T
	r       *rand.Rand
	world   *world
	redis   *testkit.RedisServer
	pg      *testkit.PostgresCluster // nil: SQLite
	members []*member
	vendor  *front
	hooks   *front
	apis    []string

	inspector *asynq.Inspector
	client    *redis.Client

	// later is what ends each disturbance.
	later []planned
	// busy are the things that are disturbed now: one disturbance of each at a time.
	busy map[string]bool
	done map[string]int

	placing atomic.Int64
	mu      sync.Mutex
	orders  []topup.Request
}

type planned struct {
	at time.Time
	do func()
}

// member is a process that somebody starts again when it ends.
type member struct {
	world   *world
	command string
	process *process
	// down: it is not to be started yet; leaving: it was notified to end.
	down, leaving bool
}

func newChaos(t *testing.T, seed uint64, postgres bool, settings map[string]string, commands []string) *chaos {
	t.Helper()
	c := &chaos{
		t: t, r: rand.New(rand.NewPCG(seed, uint64(len(commands)))), busy: map[string]bool{}, done: map[string]int{},
		world: newWorld(t, func(cfg *sandbox.Config) {
			cfg.LatencyMinMS, cfg.LatencyMaxMS, cfg.OneSession = 5, 400, true
			cfg.InitialBalance.Decimal = decimal.NewFromInt(1_000_000_000)
		}),
		redis: testkit.Redis(t, "--appendonly", "no"),
	}
	c.vendor = newFront(t, c.world.vendor)
	secret := c.world.env["RECARGA_WEBHOOK_SECRET"]
	c.hooks = newFront(t, webhook.Handler(secret, c.world.hooks.receive))
	maps.Copy(c.world.env, map[string]string{
		"RECARGA_REDIS_URL":       c.redis.URL(),
		"RECARGA_DISTRIBUTOR_URL": c.vendor.url + "/api/distributor", "RECARGA_CALLBACK_URL": c.hooks.url,
		"RECARGA_DISTRIBUTOR_TIMEOUT": "3s", "RECARGA_RETRY_MAX_ATTEMPTS": "6",
		"RECARGA_WEBHOOK_TIMEOUT": "3s", "RECARGA_WEBHOOK_SCHEDULE": strings.TrimSuffix(strings.Repeat("1s,", 200), ","),
	})
	maps.Copy(c.world.env, settings)
	if postgres {
		c.pg = testkit.PostgresOwn(t)
		c.world.env["RECARGA_DATABASE_URL"] = c.pg.URL()
	}
	c.client = redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	c.inspector = asynq.NewInspectorFromRedisClient(c.client)
	t.Cleanup(func() { _ = c.client.Close() })
	for _, command := range commands {
		c.members = append(c.members, c.join(command))
	}
	return c
}

// join starts a member of the cast, an API at an address that it keeps.
func (c *chaos) join(command string) *member {
	w := *c.world
	w.env = maps.Clone(w.env)
	if command != "worker" {
		w.env["RECARGA_HTTP_ADDR"] = fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(c.t))
		c.apis = append(c.apis, "http://"+w.env["RECARGA_HTTP_ADDR"])
	}
	return &member{world: &w, command: command, process: w.start(c.t, command)}
}

// front is another server, which can be away for a while. What it has begun goes on behind it, as it
// does behind a network that fails.
type front struct {
	t       *testing.T
	handler http.Handler
	addr    string
	url     string
	server  *http.Server
}

func newFront(t *testing.T, handler http.Handler) *front {
	f := &front{t: t, handler: handler, addr: "127.0.0.1:0"}
	f.open()
	t.Cleanup(func() { _ = f.server.Close() })
	return f
}

func (f *front) open() {
	f.t.Helper()
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = listener.Addr().String()
	f.url = "http://" + f.addr
	f.server = &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.handler.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
		}),
	}
	go func(s *http.Server) { _ = s.Serve(listener) }(f.server)
}

func (f *front) close() { _ = f.server.Close() }

// fates are the orders' phone numbers: mostly ordinary ones, and each of the distributor's tricks.
func fate(r *rand.Rand, i int64) topup.Phone {
	tricks := []topup.Phone{
		"5500000051", "5500000091", "5500000005", "5500001091", "5500001096", "5500000500", "5500000501", "5500000502",
		"5500000503", "5500000200", "5500000599", "5500000429", "5500000504",
	}
	if r.IntN(4) == 0 {
		return tricks[r.IntN(len(tricks))]
	}
	return phoneOf(int(i % 100000))
}

// checkouts place orders side by side: those whose server is away wait.
const checkouts = 64

// load places orders until the returned function is called, which waits for those under way.
func (c *chaos) load(rate int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var placing sync.WaitGroup
	for i := range checkouts {
		r := rand.New(rand.NewPCG(c.r.Uint64(), uint64(i)))
		placing.Go(func() {
			tick := time.NewTicker(checkouts * time.Second / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					c.place(ctx, r)
				}
			}
		})
	}
	return func() { cancel(); placing.Wait() }
}

// place is what a checkout does: it repeats an order until it is answered, sometimes twice, sometimes
// at two servers, and sometimes changes its mind.
func (c *chaos) place(ctx context.Context, r *rand.Rand) {
	n := c.placing.Add(1)
	request := order(fmt.Sprintf("CHAOS-%06d", n), fate(r, n))
	c.mu.Lock()
	c.orders = append(c.orders, request)
	c.mu.Unlock()
	for range 1 + r.IntN(8)/7 {
		_, _, _ = c.api(r).Place(ctx, request) // it is placed again at the end
	}
	if r.IntN(20) == 0 {
		_, _ = c.api(r).Cancel(ctx, request.ID)
	}
}

func (c *chaos) api(r *rand.Rand) *producer.Client {
	return producer.NewClient(c.apis[r.IntN(len(c.apis))], apiKey)
}

// disturbance is one thing that can happen to one part.
type disturbance struct {
	name string
	// part is what it happens to.
	part string
	// weight is how often, beside the others.
	weight int
	do     func()
}

// rage disturbs for a while, one thing after another.
func (c *chaos) rage(duration time.Duration) {
	c.t.Helper()
	end := time.Now().Add(duration)
	next := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		if now.After(end) {
			return
		}
		c.run(now)
		c.supervise()
		if now.After(next) {
			c.disturb(end)
			next = now.Add(time.Duration(100+c.r.IntN(900)) * time.Millisecond)
		}
	}
}

// run does what is planned by now.
func (c *chaos) run(now time.Time) {
	due := slices.DeleteFunc(slices.Clone(c.later), func(p planned) bool { return p.at.After(now) })
	c.later = slices.DeleteFunc(c.later, func(p planned) bool { return !p.at.After(now) })
	for _, p := range due {
		p.do()
	}
}

// supervise starts a member again that has ended by itself, as it may when it finds no database.
func (c *chaos) supervise() {
	for _, m := range c.members {
		select {
		case <-m.process.done:
			if !m.down {
				_ = m.process.cmd.Wait()
				m.process, m.leaving = m.world.launch(c.t, m.command), false
				c.done["started again by its supervisor"]++
			}
		default:
		}
	}
}

func (c *chaos) disturb(end time.Time) {
	all := c.disturbances(end)
	total := 0
	for _, d := range all {
		total += d.weight
	}
	n := c.r.IntN(total)
	for _, d := range all {
		if n -= d.weight; n >= 0 {
			continue
		}
		if !c.busy[d.part] {
			c.done[d.name]++
			d.do()
		}
		return
	}
}

// until keeps a part disturbed for a time, and then ends the disturbance.
func (c *chaos) until(part string, wait time.Duration, undo func()) {
	c.busy[part] = true
	c.later = append(c.later, planned{time.Now().Add(wait), func() { undo(); c.busy[part] = false }})
}

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.r.Int64N(int64(most-least)))
}

func (c *chaos) disturbances(end time.Time) []disturbance {
	m := c.members[c.r.IntN(len(c.members))]
	part := fmt.Sprintf("%p", m)
	// A pause outlives the attempt's deadline (5 s) in a short run, and asynq's leases in a long one.
	// Most are short: what is paused places no orders.
	pause := c.between(6*time.Second, 10*time.Second)
	if c.r.IntN(8) == 0 {
		pause = c.between(6*time.Second, max(7*time.Second, min(100*time.Second, time.Until(end)/4+7*time.Second)))
	}
	all := []disturbance{
		{"kill -9 of " + m.command, part, 6, func() {
			m.down = true
			m.process.kill()
			c.until(part, c.between(0, 2*time.Second),
				func() { m.process, m.down, m.leaving = m.world.launch(c.t, m.command), false, false })
		}},
		{"SIGTERM of " + m.command, part, 2, func() {
			m.leaving = true
			_ = m.process.cmd.Process.Signal(syscall.SIGTERM)
		}},
		{"SIGSTOP of " + m.command, part, 2, func() {
			p := m.process
			_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			c.until(part, pause, func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) })
		}},
		{"Redis killed, nothing kept", "redis", 2, func() {
			c.redis.Kill()
			c.until("redis", c.between(0, 3*time.Second), c.redis.Start)
		}},
		{"Redis paused", "redis", 1, func() {
			c.redis.Pause()
			c.until("redis", c.between(time.Second, 4*time.Second), c.redis.Resume)
		}},
		{"FLUSHALL", "redis", 3, func() { c.onRedis(func(ctx context.Context) { c.client.FlushAll(ctx) }) }},
		{"click in the queue's page", "redis", 12, func() { c.onRedis(c.click) }},
		{"distributor away", "vendor", 2, func() {
			c.vendor.close()
			c.until("vendor", c.between(0, 5*time.Second), c.vendor.open)
		}},
		{"checkout away", "hooks", 2, func() {
			c.hooks.close()
			c.until("hooks", c.between(0, 5*time.Second), c.hooks.open)
		}},
	}
	if c.pg != nil {
		all = append(all,
			disturbance{"PostgreSQL killed", "postgres", 1, func() {
				c.pg.Kill()
				c.until("postgres", c.between(0, 3*time.Second), c.pg.Start)
			}},
			disturbance{"PostgreSQL restarted", "postgres", 1, func() {
				c.pg.Stop()
				c.until("postgres", c.between(0, time.Second), c.pg.Start)
			}})
	}
	return all
}

func (c *chaos) onRedis(do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	do(ctx)
}

// click does one of the things that somebody may do on the queue's page. Most fail: the task is gone.
func (c *chaos) click(ctx context.Context) {
	queue := []string{tasks.QueueTopups, tasks.QueueWebhooks}[c.r.IntN(2)]
	var found []*asynq.TaskInfo
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		c.inspector.ListPendingTasks, c.inspector.ListActiveTasks, c.inspector.ListScheduledTasks,
		c.inspector.ListRetryTasks, c.inspector.ListArchivedTasks,
	} {
		some, _ := list(queue, asynq.PageSize(5)) // no such queue, after a flush
		found = append(found, some...)
	}
	clicks := []func(){
		func() {
			if c.inspector.PauseQueue(queue) == nil {
				c.until("pause of "+queue, c.between(0, 3*time.Second), func() { _ = c.inspector.UnpauseQueue(queue) })
			}
		},
		func() { _, _ = c.inspector.ArchiveAllPendingTasks(queue) },
		func() { _, _ = c.inspector.DeleteAllRetryTasks(queue) },
		func() { _, _ = c.inspector.RunAllRetryTasks(queue) },
		func() { _, _ = c.inspector.RunAllArchivedTasks(queue) },
		func() { _ = c.inspector.DeleteQueue(queue, true) },
	}
	for _, task := range found {
		clicks = append(clicks,
			func() { _ = c.inspector.DeleteTask(queue, task.ID) },
			func() { _ = c.inspector.RunTask(queue, task.ID) },
			func() { _ = c.inspector.ArchiveTask(queue, task.ID) },
			func() { _ = c.inspector.CancelProcessing(task.ID) },
			func() { c.client.Del(ctx, "asynq:{"+queue+"}:t:"+task.ID) },
		)
	}
	clicks[c.r.IntN(len(clicks))]()
}

// calm ends all disturbances.
func (c *chaos) calm() {
	c.t.Helper()
	c.run(time.Now().Add(time.Hour))
	for _, m := range c.members {
		if m.leaving {
			m.process.ended()
		}
	}
	c.supervise()
	for _, m := range c.members {
		select {
		case <-m.process.ready:
		case <-m.process.done:
			m.process = m.world.start(c.t, m.command)
		case <-testkit.Hung():
			c.t.Fatalf("recarga %s is not ready:\n%s", m.command, m.process.log())
		}
	}
	for _, queue := range []string{tasks.QueueTopups, tasks.QueueWebhooks} {
		_ = c.inspector.UnpauseQueue(queue) // of a click whose end was lost
	}
}

// placeAgain places every order once more, as a checkout does that was not answered.
func (c *chaos) placeAgain() {
	c.t.Helper()
	c.each(func(r topup.Request) {
		if _, _, err := c.api(rand.New(rand.NewPCG(1, 1))).Place(c.t.Context(), r); err != nil {
			c.t.Errorf("place %s: %v", r.ID, err)
		}
	})
}

// end waits until every order has ended or is held.
func (c *chaos) end() {
	c.t.Helper()
	operator := producer.NewClient(c.apis[0], adminKey)
	testkit.Eventually(c.t, endsWithin, func() bool {
		for _, state := range []topup.State{topup.StateQueued, topup.StateRetrying, topup.StateSubmitting} {
			open, _, err := operator.List(c.t.Context(), url.Values{"state": {string(state)}, "limit": {"1"}})
			if err != nil || len(open) > 0 {
				return false
			}
		}
		return true
	}, "every order has ended or is held")
}

// settle settles the orders that are held, by the ledger, until none is left.
func (c *chaos) settle() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	operator, clean := producer.NewClient(c.apis[0], adminKey), 0
	testkit.Eventually(c.t, 10*time.Minute, func() bool {
		if clean++; !c.settled(ctx, operator) {
			clean = 0
		}
		return clean == 2 // an order may move from one list to another while they are read
	}, "every order is settled")
}

// settled reports whether all orders are final, and does an operator's work on those that are held.
func (c *chaos) settled(ctx context.Context, operator *producer.Client) bool {
	open := 0
	for _, state := range []topup.State{topup.StateUnknown, topup.StateQueued, topup.StateRetrying,
		topup.StateSubmitting} {
		orders, _, err := operator.List(ctx, url.Values{"state": {string(state)}, "limit": {"100"}})
		if err != nil {
			return false
		}
		if open += len(orders); state == topup.StateUnknown {
			c.resolve(ctx, operator, orders)
		}
	}
	return open == 0
}

func (c *chaos) resolve(ctx context.Context, operator *producer.Client, held []topup.Order) {
	charges := c.world.charges()
	for _, o := range held {
		r := topup.Resolution{Outcome: topup.ResolvedFailed, Reason: "not in the statement", By: "chaos"}
		if charges[o.ID] > 0 {
			r.Outcome = topup.ResolvedSucceeded
		}
		if _, err := operator.Resolve(ctx, o.ID, r); err == nil {
			c.done["held orders settled"]++
		}
	}
}

// each does something for every order, some at a time.
func (c *chaos) each(do func(topup.Request)) {
	work := make(chan topup.Request)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for r := range work {
				do(r)
			}
		})
	}
	for _, r := range c.orders {
		work <- r
	}
	close(work)
	working.Wait()
}

// judge holds every order against the distributor's ledger and the checkout's belief.
func (c *chaos) judge() {
	c.t.Helper()
	charges, client := c.world.charges(), c.api(c.r)
	var states sync.Map
	c.each(func(r topup.Request) {
		o, err := client.Get(c.t.Context(), r.ID)
		if err != nil {
			c.t.Errorf("lost: %v", err)
			return
		}
		judge(c.t, o, charges[o.ID])
		if !o.State.Final() {
			c.t.Errorf("%s is %s", o.ID, o.State)
		}
		c.world.notified(c.t, o)
		n, _ := states.LoadOrStore(o.State, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	})
	for id, n := range charges {
		if n > 1 {
			c.t.Errorf("%s was charged %d times", id, n)
		}
	}
	c.report(&states, len(charges))
}

func (c *chaos) report(states *sync.Map, charged int) {
	c.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%d orders, %d of them charged, %d webhooks\n", len(c.orders), charged, c.world.hooks.count())
	for _, f := range topup.StateTable() {
		if n, ok := states.Load(f.State); ok {
			fmt.Fprintf(&b, "  %-12s %d\n", f.State, n.(*atomic.Int64).Load())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.done)) {
		fmt.Fprintf(&b, "  %-40s %d\n", name, c.done[name])
	}
	c.t.Log(b.String())
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}
