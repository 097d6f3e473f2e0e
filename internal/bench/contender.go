package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The contenders.
const (
	Plain    = "plain asynq"      // two tasks an order, asynq's defaults, no journal
	Ceiling  = "no store at all"  // neither queue nor journal: what machine and HTTP allow
	Embedded = "embedded"         // recarga serve, as it is without settings
	SQLite   = "sqlite + redis"   // with a redis-server
	Postgres = "postgres + redis" // with both
	Given    = "given"            // with the database and Redis of Config
)

// runner is one contender.
type runner struct {
	name string
	// rival keeps no promise.
	rival bool
	start func(context.Context, Config, *world) (*contender, error)
}

// Validate refuses a contender that there is not.
func (c Config) Validate() error {
	var names []string
	for _, r := range c.all() {
		names = append(names, r.name)
	}
	for _, name := range c.Only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("--only: %q is no contender; must be one of %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

func (c Config) all() []runner {
	all := []runner{
		{Plain, true, startRival("plain")},
		{Ceiling, true, startRival("ceiling")},
	}
	if c.DatabaseURL != "" || c.RedisURL != "" {
		return append(all, runner{Given, false, startGiven})
	}
	return append(all, runner{Embedded, false, startEmbedded}, runner{SQLite, false, startSQLite},
		runner{Postgres, false, startPostgres})
}

// contenders are those that can be measured here, and why the others cannot.
func contenders(cfg Config) (can []runner, cannot map[string]string) {
	all := cfg.all()
	cannot = missing()
	for _, r := range all {
		if _, no := cannot[r.name]; !no && (len(cfg.Only) == 0 || slices.Contains(cfg.Only, r.name)) {
			can = append(can, r)
		}
	}
	maps.DeleteFunc(cannot, func(name string, _ string) bool {
		return !slices.ContainsFunc(all, func(r runner) bool { return r.name == name })
	})
	return can, cannot
}

// contender is one contender at work.
type contender struct {
	run string // distinguishes its orders from all others
	url string
	// slow: a lone order takes it seconds.
	slow bool
	// unscheduled: it buys at once what is due later.
	unscheduled bool

	cmd    *exec.Cmd
	stdin  io.Closer
	stores []store
}

// store is a server or a file that a contender keeps its orders in.
type store interface {
	// pid is 0 for what is no process of ours.
	pid() int
	// sizes are its metrics, in bytes.
	sizes(ctx context.Context) (map[string]float64, error)
	close() error
}

// used is CPU time in seconds; the load's is this process' own.
type used struct{ program, store, load float64 }

func (p *contender) cpu() (u used) {
	u.program = cpuSeconds(p.cmd.Process.Pid)
	for _, s := range p.stores {
		u.store += cpuSeconds(s.pid())
	}
	u.load = ownCPUSeconds()
	return u
}

func (p *contender) memory() (now, peak float64) { return residentMiB(p.cmd.Process.Pid) }

// sizes ends the program first.
func (p *contender) sizes(ctx context.Context) (map[string]float64, error) {
	p.end()
	all := map[string]float64{}
	for _, s := range p.stores {
		sizes, err := s.sizes(ctx)
		if err != nil {
			return all, err
		}
		maps.Copy(all, sizes)
	}
	return all, nil
}

// end ends the program in order; ending twice is no harm.
func (p *contender) end() {
	if p.cmd == nil || p.cmd.ProcessState != nil {
		return
	}
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // however it ended, it has
}

func (p *contender) stop() {
	p.end()
	for _, s := range p.stores {
		_ = s.close() // what it leaves is in the benchmark's own folder
	}
}

// launch starts a program of ours and waits until ready finds in its log where it listens.
func (p *contender) launch(ctx context.Context, cfg Config, env map[string]string,
	ready func(line []byte) (url string), args ...string) error {
	p.run = strings.ToLower(rand.Text()[:8])
	log, err := os.Create(filepath.Join(cfg.Folder, p.run+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(cfg.Program, args...) //nolint:noctx // it is ended in order, when it has been measured
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = cfg.Folder, log, log
	p.cmd.Env = slices.Clone(cfg.Environ)
	for name, value := range env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.SysProcAttr = dieWithParent()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if p.url, err = p.await(ctx, log.Name(), ready); err != nil {
		p.end()
	}
	return err
}

// startTimeout is above what any start takes.
const startTimeout = 30 * time.Second

func (p *contender) await(ctx context.Context, log string, ready func([]byte) string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		said, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
			if url := ready(lines.Bytes()); url != "" {
				return url, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the program does not start: %w\n%s", ctx.Err(), said)
		}
	}
}

// startRival starts a program that does the same work without a journal.
func startRival(kind string) func(context.Context, Config, *world) (*contender, error) {
	return func(ctx context.Context, cfg Config, w *world) (*contender, error) {
		p := &contender{slow: kind == "plain", unscheduled: kind == "ceiling"}
		args := []string{"bench", "rival", kind, "--vendor", w.vendorURL, "--hook", w.hookURL}
		if kind == "plain" {
			redis, err := newRedis()
			if err != nil {
				return nil, err
			}
			p.stores = append(p.stores, redis)
			args = append(args, "--redis", redis.server.Addr())
		}
		err := p.launch(ctx, cfg, nil, func(line []byte) string {
			url, _ := strings.CutPrefix(string(line), rivalReady)
			if url == string(line) {
				return ""
			}
			return url
		}, args...)
		if err != nil {
			p.stop()
		}
		return p, err
	}
}

func startEmbedded(ctx context.Context, cfg Config, w *world) (*contender, error) {
	return startRecarga(ctx, cfg, w, false, newFile(cfg.Folder), nil)
}

func startSQLite(ctx context.Context, cfg Config, w *world) (*contender, error) {
	return startRecarga(ctx, cfg, w, true, newFile(cfg.Folder), nil)
}

func startPostgres(ctx context.Context, cfg Config, w *world) (*contender, error) {
	database, err := newPostgres(ctx)
	if err != nil {
		return nil, err
	}
	return startRecarga(ctx, cfg, w, true, database, nil)
}

func startGiven(ctx context.Context, cfg Config, w *world) (*contender, error) {
	given := map[string]string{}
	if cfg.DatabaseURL != "" {
		given["RECARGA_DATABASE_URL"] = cfg.DatabaseURL
	}
	if cfg.RedisURL != "" {
		given["RECARGA_REDIS_URL"] = cfg.RedisURL
	}
	return startRecarga(ctx, cfg, w, false, newFile(cfg.Folder), given)
}

// database is a store that the journal lives in.
type database interface {
	store
	url() string
}

// startRecarga starts recarga serve with its defaults, but for where things are: withRedis in a redis-server of its
// own. What is given overrides.
func startRecarga(ctx context.Context, cfg Config, w *world, withRedis bool, db database,
	given map[string]string) (*contender, error) {
	p := &contender{stores: []store{db}}
	env := map[string]string{
		"RECARGA_DATABASE_URL":            db.url(),
		"RECARGA_DISTRIBUTOR_URL":         w.vendorURL,
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID": "bench", "RECARGA_DISTRIBUTOR_SECRET_KEY": "bench",
		"RECARGA_HTTP_ADDR": "127.0.0.1:0", "RECARGA_METRICS_ADDR": "127.0.0.1:0",
		"RECARGA_API_KEY": apiKey, "RECARGA_CALLBACK_URL": w.hookURL,
		"RECARGA_WEBHOOK_SECRET":        "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms=",
		"RECARGA_WEBHOOK_ALLOW_PRIVATE": "true",
	}
	if cfg.concurrency > 0 {
		env["RECARGA_DISTRIBUTOR_CONCURRENCY"] = strconv.Itoa(cfg.concurrency)
	}
	if withRedis {
		redis, err := newRedis()
		if err != nil {
			p.stop()
			return nil, err
		}
		p.stores = append(p.stores, redis)
		env["RECARGA_REDIS_URL"] = "redis://" + redis.server.Addr() + "/0"
	}
	maps.Copy(env, given)
	err := p.launch(ctx, cfg, env, listening, "serve")
	if err != nil {
		p.stop()
	}
	return p, err
}

// listening finds where the API listens in Recarga's log.
func listening(line []byte) string {
	var record struct{ Msg, Setting, URL string } // a line of the log
	if json.Unmarshal(line, &record) != nil || record.Msg != "listening" || record.Setting != "RECARGA_HTTP_ADDR" {
		return ""
	}
	return record.URL
}
