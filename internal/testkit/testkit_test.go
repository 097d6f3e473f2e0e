//go:build unix

package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// abandon, in the environment, makes the test binary start servers and wait to be killed.
const abandon = "TESTKIT_ABANDON"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRedisKeepsItsData(t *testing.T) {
	tests := []struct {
		name string
		end  func(*RedisServer)
		args []string
	}{
		{"killed", func(r *RedisServer) { r.Kill() }, []string{"--appendfsync", "always"}},
		{"stopped", func(r *RedisServer) { r.Stop() }, nil},
		{"stopped while paused", func(r *RedisServer) { r.Pause(); r.Stop() }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := Redis(t, test.args...)
			addr := server.Addr()
			client := redisClient(t, server)
			if err := client.Set(t.Context(), "order", "ORD-1", 0).Err(); err != nil {
				t.Fatal(err)
			}
			test.end(server)
			if conn, err := net.Dial("tcp", addr); err == nil {
				_ = conn.Close()
				t.Fatal("something still listens after the end")
			}
			server.Start()
			if got, err := client.Get(t.Context(), "order").Result(); err != nil || got != "ORD-1" {
				t.Errorf("after the restart: %q, %v", got, err)
			}
			if server.Addr() != addr {
				t.Errorf("moved from %s to %s", addr, server.Addr())
			}
		})
	}
}

func TestRedisSettings(t *testing.T) {
	client := redisClient(t, Redis(t, "--appendfsync", "always"))
	for name, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction",
	} {
		got, err := client.ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s = %q, %v; want %q", name, got[name], err, want)
		}
	}
}

func TestRedisPause(t *testing.T) {
	server := Redis(t)
	client := redisClient(t, server)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("answers while it is paused")
	}
	server.Resume()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestRedisRefusesToStartTwice(t *testing.T) {
	server := Redis(t)
	if err := server.StartAgain(); err == nil {
		t.Error("started a second time while it runs")
	}
}

func TestRedisSeesThatItsPortIsTaken(t *testing.T) {
	server := Redis(t)
	server.Stop()
	other, err := net.Listen("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := server.StartOnce(); err == nil || !strings.Contains(err.Error(), "bind") {
		t.Errorf("started on a port that another program listens on: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	server.Start()
}

func TestRedisThatCannotStartShowsItsLog(t *testing.T) {
	got := outcome(t, func(tb testing.TB) { Redis(tb, "--no-such-setting", "1") })
	if !strings.Contains(got, "fatal") || !strings.Contains(got, "no-such-setting") {
		t.Errorf("got %q", got)
	}
}

func TestPostgresDatabasesAreApart(t *testing.T) {
	var url string
	t.Run("one", func(t *testing.T) {
		one, two := Postgres(t), Postgres(t)
		url = one.URL()
		execute(t, url, "CREATE TABLE orders (id text)")
		execute(t, two.URL(), "CREATE TABLE orders (id text)")
	})
	conn, err := pgx.Connect(t.Context(), url)
	if err == nil {
		_ = conn.Close(t.Context())
		t.Error("the database outlived its test")
	}
}

func TestPostgresOwnKeepsItsData(t *testing.T) {
	cluster := PostgresOwn(t)
	execute(t, cluster.URL(), "CREATE TABLE orders (id text)")
	for _, end := range []func(){cluster.Kill, cluster.Stop} {
		execute(t, cluster.URL(), "INSERT INTO orders VALUES ('ORD-1')")
		end()
		cluster.Start()
	}
	execute(t, cluster.URL(), "DO $$ BEGIN ASSERT (SELECT count(*) FROM orders) = 2; END $$")
}

// TestServersEndWithTheBinary kills a test binary, as a time limit or a person does.
func TestServersEndWithTheBinary(t *testing.T) {
	if os.Getenv(abandon) != "" {
		PostgresOwn(t)
		folders := filepath.Dir(Redis(t).Folder())
		Postgres(t)
		fmt.Println("folder", folders)
		select {}
	}
	needPostgres(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), abandon+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var folder string
	lines := bufio.NewScanner(out)
	for folder == "" && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "folder %s", &folder)
	}
	var pids []int
	files, _ := filepath.Glob(filepath.Join(folder, "*", "pid")) // the pattern is well formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if len(pids) != 3 {
		t.Fatalf("the binary started the servers %v in %q", pids, folder)
	}
	Eventually(t, Patience, func() bool {
		_, err := os.Stat(folder)
		return errors.Is(err, os.ErrNotExist)
	}, "%s is still there", folder)
	for _, pid := range pids {
		Eventually(t, Patience, func() bool { return syscall.Kill(pid, 0) != nil }, "server %d has not ended", pid)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, start := range []struct {
		name string
		run  func(testing.TB)
	}{
		{"redis-server", func(tb testing.TB) { Redis(tb) }},
		{"chromium", func(tb testing.TB) { Chromium(tb) }},
	} {
		for required, want := range map[string]string{"": "skip", "1": "fatal"} {
			t.Run(start.name+" "+want, func(t *testing.T) {
				t.Setenv("RECARGA_TEST_REQUIRE", required)
				got := outcome(t, start.run)
				if !strings.HasPrefix(got, want+": "+start.name+" not found: apt-get install ") || strings.Contains(got, "\n") {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

func TestEventually(t *testing.T) {
	asked := 0
	Eventually(t, time.Minute, func() bool { asked++; return asked == 3 }, "never")
	got := outcome(t, func(tb testing.TB) {
		Eventually(tb, time.Millisecond, func() bool { return false }, "%s is queued", "ORD-1")
	})
	if got != "fatal: after 1ms: ORD-1 is queued" {
		t.Errorf("got %q", got)
	}
}

// recorder is a test that only notes how it ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Skip(args ...any)                  { r.end("skip", args...) }
func (r *recorder) Fatal(args ...any)                 { r.end("fatal", args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.end("fatal", fmt.Sprintf(format, args...)) }

func (r *recorder) end(how string, args ...any) {
	r.ended = how + ": " + fmt.Sprint(args...)
	panic(r)
}

// outcome is how a test that does only this would end.
func outcome(t *testing.T, run func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		run(r)
	}()
	return r.ended
}

func redisClient(t *testing.T, server *RedisServer) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	options.ReadTimeout = 200 * time.Millisecond
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestFreePort: the system gives the port to nobody else by itself, neither to an outgoing connection nor to a listener
// on port 0. Between the search and the server's start it would.
func TestFreePort(t *testing.T) {
	const setting = "/proc/sys/net/ipv4/ip_local_port_range"
	written, err := os.ReadFile(setting)
	if err != nil {
		t.Skipf("%s: %v", setting, err)
	}
	var first, last int
	if _, err := fmt.Sscan(string(written), &first, &last); err != nil {
		t.Fatal(err)
	}
	if first != 32768 {
		t.Skipf("%s is %q here, not the default", setting, written)
	}
	for range 200 {
		if port := FreePort(t); port >= first && port <= last {
			t.Fatalf("port %d is among those that the system gives to others", port)
		}
	}
}
