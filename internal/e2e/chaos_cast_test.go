package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/producer"
)

// cast is who plays in one run.
type cast struct {
	name string
	// group starts several Redis servers that stand in for each other; nil is one, which keeps nothing.
	group func(testing.TB) *testkit.RedisGroup
	// postgres, or SQLite; with a synchronous standby.
	postgres, standby bool
	settings          map[string]string
	// commands are the processes; former is a worker of the former release.
	commands []string
}

// former is a worker of the former release, as it runs beside new ones during an upgrade.
const former = "former worker"

var casts = []cast{
	{name: "redis+postgres", postgres: true, commands: []string{"api", "api", "worker", "worker", "worker"}},
	{name: "redis+sqlite", commands: []string{"serve"}},
	{name: "cluster+former release", group: testkit.Cluster, postgres: true,
		commands: []string{former, "api", "worker", "worker"}},
	{name: "sentinel+standby+impatient operator", group: testkit.Sentinel, postgres: true, standby: true,
		settings: impatient, commands: []string{"api", "worker", "worker"}},
}

// impatient are the settings of an operator who waits for nothing: few tries, short deadlines, an outage soon called
// one.
var impatient = map[string]string{
	"RECARGA_DISTRIBUTOR_TIMEOUT": "1s", "RECARGA_BREAKER_SHARE": "20%", "RECARGA_BREAKER_PROBE": "1s",
	"RECARGA_RETRY_MAX_ATTEMPTS": "2", "RECARGA_RETRY_MAX_ELAPSED": "20s", "RECARGA_EXPIRES_AFTER": "40s",
}

func newChaos(t *testing.T, r *rand.Rand, p cast) *chaos {
	t.Helper()
	c := &chaos{
		t: t, r: r, busy: map[string]bool{}, done: map[string]int{}, links: map[string][]*testkit.Link{},
		world: newWorld(t, func(cfg *sandbox.Config) {
			cfg.LatencyMinMS, cfg.LatencyMaxMS, cfg.OneSession = 5, 400, true
			cfg.InitialBalance.Decimal = decimal.NewFromInt(1_000_000_000)
			cfg.SlowAnswerMS = 8_000
		}),
	}
	vendor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.silent.Load() && strings.HasSuffix(r.URL.Path, "/get_balance") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		c.world.vendor.ServeHTTP(w, r)
	})
	maps.Copy(c.world.env, map[string]string{
		"RECARGA_DISTRIBUTOR_URL":     "http://" + c.link("vendor", serve(t, unhurried(vendor))) + "/api/distributor",
		"RECARGA_CALLBACK_URL":        "http://" + c.link("receiver", serve(t, unhurried(c.world.receiver))),
		"RECARGA_DISTRIBUTOR_TIMEOUT": "3s", "RECARGA_RETRY_MAX_ATTEMPTS": "6",
		// So many numbers fail by themselves that half of the purchases do, now and then: that is no outage.
		"RECARGA_BREAKER_SHARE": "80%", "RECARGA_BREAKER_PROBE": "1s",
		"RECARGA_WEBHOOK_TIMEOUT": "3s", "RECARGA_WEBHOOK_SCHEDULE": strings.TrimSuffix(strings.Repeat("1s,", 200), ","),
	})
	maps.Copy(c.world.env, p.settings)
	c.keep(p)
	c.queue(p)
	for _, command := range p.commands {
		if m := c.join(command); m != nil {
			c.members = append(c.members, m)
		}
	}
	return c
}

// unhurried finishes what it has begun when the client is gone, as servers do behind a network that fails.
func unhurried(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
	})
}

// link makes a network that leads to a server, host:port or a URL of it, and returns its address.
func (c *chaos) link(to, server string) string {
	l := testkit.NewLink(c.t, strings.TrimPrefix(server, "http://"))
	c.links[to] = append(c.links[to], l)
	return l.Addr()
}

// keep starts the book of record, on a disk that can be filled where that is possible.
func (c *chaos) keep(p cast) {
	if !p.postgres {
		folder := c.t.TempDir()
		c.disk = newDisk(c.t, folder)
		c.world.env["RECARGA_DATABASE_URL"] = "sqlite:" + filepath.Join(folder, "recarga.db")
		return
	}
	c.pg = testkit.PostgresOwn(c.t)
	if p.standby {
		c.standby = c.pg.Standby(c.link("standby", c.pg.Addr()))
		return
	}
	c.disk = tablesApart(c.t, c.pg)
}

// queue starts Redis.
func (c *chaos) queue(p cast) {
	if p.group == nil {
		c.redis = []*testkit.RedisServer{testkit.Redis(c.t, "--appendonly", "no")}
		c.client = redis.NewClient(&redis.Options{Addr: c.redis[0].Addr()})
		c.t.Cleanup(func() { _ = c.client.Close() })
	} else {
		g := p.group(c.t)
		c.redis, c.client = g.Servers, g.Client(c.t)
		c.world.env["RECARGA_REDIS_URL"] = g.URL
	}
	c.inspector = asynq.NewInspectorFromRedisClient(c.client)
}

// member is a process that somebody starts again when it ends.
type member struct {
	world   *world
	command string
	process *process
	// url is its API's, api the checkouts' client of it; empty without one.
	url string
	api *producer.Client
	// postgres and redis are its networks; nil without.
	postgres, redis *testkit.Link
	// down: it is not to be started yet; leaving: it was notified to end; broken: it stays as it is, for ever.
	down, leaving, broken bool
}

// join starts a member of the cast, with networks of its own, and an API at an address that it keeps.
func (c *chaos) join(command string) *member {
	w := *c.world
	w.env = maps.Clone(w.env)
	m := &member{world: &w, command: command}
	own := func(to, setting, url, addr string) *testkit.Link {
		w.env[setting] = strings.Replace(url, addr, c.link(to, addr), 1)
		return c.links[to][len(c.links[to])-1]
	}
	if c.pg != nil {
		m.postgres = own("PostgreSQL", "RECARGA_DATABASE_URL", c.pg.URL(), c.pg.Addr())
	}
	if len(c.redis) == 1 {
		m.redis = own("Redis", "RECARGA_REDIS_URL", c.redis[0].URL(), c.redis[0].Addr())
	}
	switch command {
	case former:
		m.command = "worker"
		var err error
		if w.binary, err = formerRelease(); err != nil {
			c.t.Logf("no worker of the former release plays: %v", err)
			return nil
		}
	case "api", "serve":
		w.env["RECARGA_HTTP_ADDR"] = fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(c.t))
		m.url = "http://" + w.env["RECARGA_HTTP_ADDR"]
		m.api = clientOf(m.url, apiKey)
	}
	m.process = w.start(c.t, m.command)
	return m
}

// start starts it again.
func (c *chaos) start(m *member) {
	m.process, m.down, m.leaving = m.world.launch(c.t, m.command), false, false
}

// supervise starts a member again that has ended by itself, as it may when it finds no database.
func (c *chaos) supervise() {
	for _, m := range c.members {
		select {
		case <-m.process.done:
			if m.down || m.broken {
				continue
			}
			_ = m.process.cmd.Wait()
			if m.world.binary != "" && strings.Contains(m.process.log(), "run the newer recarga") {
				m.down = true // as docs/operations.md says
				c.done["former release refused a newer book"]++
				continue
			}
			c.start(m)
			c.done["started again by its supervisor"]++
		default:
		}
	}
}

// serving are the members with an API that is not broken.
func (c *chaos) serving() []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return m.url == "" || m.broken })
}

func (c *chaos) api(r *rand.Rand) *producer.Client {
	serving := c.serving()
	return serving[r.IntN(len(serving))].api
}

func (c *chaos) operator() *producer.Client { return clientOf(c.serving()[0].url, adminKey) }

// formerCommit is the release before this one: whatever it wrote, and wherever it still runs, must be understood.
const formerCommit = "ce25172"

// formerRelease is the program of the former release: RECARGA_CHAOS_FORMER, or built once from the repository's history.
var formerRelease = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("RECARGA_CHAOS_FORMER"); path != "" {
		return path, nil
	}
	program, err := filepath.Abs("../../bin/former/recarga-" + formerCommit)
	if _, missing := os.Stat(program); err != nil || missing == nil {
		return program, err
	}
	folder := filepath.Join(filepath.Dir(binary), "former")
	for _, step := range [][]string{
		{"git", "-C", "../..", "cat-file", "-e", formerCommit + "^{commit}"},
		{"mkdir", "-p", folder, filepath.Dir(program)},
		{"git", "-C", "../..", "archive", "--output", folder + ".tar", formerCommit},
		{"tar", "-x", "-C", folder, "-f", folder + ".tar"},
		{"go", "build", "-C", folder, "-buildvcs=false", "-o", "recarga", "./cmd/recarga"},
		{"mv", filepath.Join(folder, "recarga"), program},
	} {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(step, " "), err, out)
		}
	}
	return program, nil
})

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}
