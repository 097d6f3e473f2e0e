package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"recarga/internal/testkit"
)

// program is one that runs beside the test. It ends with the test, and with the test binary however that dies.
type program struct {
	t   testing.TB
	cmd *exec.Cmd
	// output is the reading end of what it writes.
	output io.Closer
	// done closes when it writes no more.
	done chan struct{}

	mu    sync.Mutex
	wrote []byte
}

// begin starts a program. hear gets each line that it writes.
func begin(t testing.TB, cmd *exec.Cmd, hear func(line []byte)) *program {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: cmd, output: pipe, done: make(chan struct{})}
	go p.read(pipe, hear)
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.log(), "WARNING: DATA RACE") {
			t.Error("the race detector found something")
		}
		if t.Failed() {
			t.Logf("%v wrote:\n%s", cmd.Args[1:], p.log())
		}
	})
	return p
}

func (p *program) read(pipe io.Reader, hear func(line []byte)) {
	defer close(p.done)
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.wrote = append(append(p.wrote, lines.Bytes()...), '\n')
		p.mu.Unlock()
		hear(lines.Bytes())
	}
}

// log is what it wrote.
func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.wrote)
}

// says waits until it has written a text.
func (p *program) says(t testing.TB, text string) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool { return strings.Contains(p.log(), text) }, "it says %q", text)
}

// await waits for a signal of a program that must not end before.
func (p *program) await(signal <-chan struct{}) {
	p.t.Helper()
	select {
	case <-signal:
	case <-p.done:
		p.t.Fatalf("%v ended:\n%s", p.cmd.Args[1:], p.log())
	case <-testkit.Hung():
		p.t.Fatalf("%v hangs:\n%s", p.cmd.Args[1:], p.log())
	}
}

// ended waits for its end.
func (p *program) ended() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-testkit.Hung():
		p.t.Fatalf("%v does not end:\n%s", p.cmd.Args[1:], p.log())
	}
}

// kill is kill -9.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
	_ = p.cmd.Wait()
}

// serve makes a server of a handler, for as long as the test runs.
func serve(t testing.TB, h http.Handler) (url string) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// door is a server whose handler may change.
type door struct{ to atomic.Pointer[http.Handler] }

// leads makes h answer from now on.
func (d *door) leads(h http.Handler) { d.to.Store(&h) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*d.to.Load()).ServeHTTP(w, r) }

// answering is a handler that only has a status.
func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// ask sends a request with these header fields, name and value in turn, and returns the whole answer.
func ask(t testing.TB, method, url, body string, header ...string) (status int, answer string) {
	t.Helper()
	status, answer, err := try(t.Context(), http.DefaultClient, method, url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// try is ask where no answer is an answer, too.
func try(ctx context.Context, client *http.Client, method, url, body string, header ...string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}
