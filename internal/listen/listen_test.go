package listen_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"recarga/internal/listen"
	"recarga/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a listener in memory, for the time of testing/synctest. Its connections buffer nothing.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newNetwork() *network { return &network{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.once.Do(func() { close(n.closed) }); return nil }
func (n *network) Addr() net.Addr { return address("server") }

type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }

type addressed struct {
	net.Conn
	from address
}

func (c addressed) RemoteAddr() net.Addr { return c.from }

// client is one end of a connection.
type client struct {
	net.Conn
	in     *bufio.Reader
	opened time.Time
}

func (n *network) dial(from string) *client {
	ours, theirs := net.Pipe()
	n.conns <- addressed{theirs, address(from)}
	return &client{Conn: ours, in: bufio.NewReader(ours), opened: time.Now()}
}

func (c *client) send(text string) error {
	_, err := io.WriteString(c.Conn, text)
	return err
}

// ended waits until the server has closed the connection, and returns how long it lasted. It writes, so that no answer
// has to be read for it.
func (c *client) ended(write string, every time.Duration) time.Duration {
	for {
		if write == "" {
			_, err := c.in.ReadByte()
			if err != nil {
				return time.Since(c.opened)
			}
			continue
		}
		if c.send(write) != nil {
			return time.Since(c.opened)
		}
		time.Sleep(every)
	}
}

func (c *client) get(t *testing.T, path string) *http.Response {
	t.Helper()
	if err := c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatalf("the connection is closed: %v", err)
	}
	return c.answer(t)
}

func (c *client) answer(t *testing.T) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(strings.NewReader(string(text)))
	return res
}

// serve runs a server in the bubble of a synctest, until the test has ended.
func serve(t *testing.T, cfg listen.Config) *network {
	n := newNetwork()
	cfg.Log = slog.New(slog.DiscardHandler)
	s := listen.New(cfg)
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(n); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { _ = s.Close(); done.Wait() })
	return n
}

// pages is a handler of everything that the tests need.
func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusUnauthorized)
	})
	mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%d %v", n, err)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(10 * time.Minute):
			_, _ = io.WriteString(w, "waited")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/lines", func(w http.ResponseWriter, r *http.Request) {
		out := http.NewResponseController(w)
		_ = out.EnableFullDuplex()
		listen.Extend(r.Context(), listen.LongWait)
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			listen.Extend(r.Context(), listen.LongWait)
			_, _ = fmt.Fprintln(w, lines.Text())
			_ = out.Flush()
		}
	})
	mux.HandleFunc("/slow-lines", func(w http.ResponseWriter, r *http.Request) {
		out := http.NewResponseController(w)
		_ = out.EnableFullDuplex()
		listen.Extend(r.Context(), listen.LongWait)
		var answers sync.WaitGroup
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			listen.Extend(r.Context(), listen.LongWait)
			answers.Go(func() {
				time.Sleep(15 * time.Second)
				_, _ = fmt.Fprintln(w, "done")
				_ = out.Flush()
				listen.Extend(r.Context(), listen.LongWait)
			})
		}
		answers.Wait()
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	return mux
}

// TestNobodyHoldsOn: whatever a client does or leaves out, its connection is closed in a bounded time.
func TestNobodyHoldsOn(t *testing.T) {
	const post = "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
	for _, c := range []struct {
		name, send string
		// then is written again and again; empty: nothing is, and what comes is read.
		then  string
		every time.Duration
		// deaf clients read nothing.
		deaf bool
		most time.Duration
	}{
		{name: "not a byte", most: 8 * time.Second},
		{name: "half a header", send: "GET / HTTP/1.1\r\nHost", most: 8 * time.Second},
		{
			name: "a header without end", send: "GET / HTTP/1.1\r\n", then: "X: y\r\n", every: time.Second,
			most: 9 * time.Second,
		},
		{name: "a request, then nothing", send: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", most: 15 * time.Second},
		{name: "a request, then half of one", send: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /h", most: 8 * time.Second},
		{name: "no body, refused", send: fmt.Sprintf(post, "/refuse", "Content-Length: 1000"), most: 3 * time.Second},
		{name: "no body, ignored", send: fmt.Sprintf(post, "/silent", "Content-Length: 1000"), most: 3 * time.Second},
		{
			name: "no large body, refused", send: fmt.Sprintf(post, "/refuse", "Content-Length: 100000000"),
			most: 3 * time.Second,
		},
		{name: "no body, read", send: fmt.Sprintf(post, "/read", "Content-Length: 1000"), most: 13 * time.Second},
		{name: "no chunk, read", send: fmt.Sprintf(post, "/read", "Transfer-Encoding: chunked"), most: 13 * time.Second},
		{
			name: "a byte now and then, refused", send: fmt.Sprintf(post, "/refuse", "Content-Length: 1000"),
			then: "x", every: time.Second, most: 4 * time.Second,
		},
		{
			name: "a byte now and then, read", send: fmt.Sprintf(post, "/read", "Content-Length: 1000"),
			then: "x", every: 9 * time.Second, most: 28 * time.Second,
		},
		{
			name: "a chunk now and then, read", send: fmt.Sprintf(post, "/read", "Transfer-Encoding: chunked"),
			then: "1\r\nx\r\n", every: time.Second, most: 13 * time.Second,
		},
		{
			name: "chunks without end, refused", send: fmt.Sprintf(post, "/refuse", "Transfer-Encoding: chunked"),
			then: "5\r\nhello\r\n", every: time.Millisecond, most: 4 * time.Second,
		},
		{name: "reads nothing", send: "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", deaf: true, most: 11 * time.Second},
		{
			name: "reads nothing, and asks again and again", deaf: true, most: 11 * time.Second,
			send: strings.Repeat("GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 100),
		},
		{
			name: "lines, then nothing", most: 28 * time.Second,
			send: fmt.Sprintf(post, "/lines", "Transfer-Encoding: chunked") + "2\r\na\n\r\n",
		},
		{
			name: "half a line, byte by byte", send: fmt.Sprintf(post, "/lines", "Transfer-Encoding: chunked"),
			then: "1\r\nx\r\n", every: time.Second, most: 29 * time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				n := serve(t, listen.Config{Handler: pages()})
				conn := n.dial("192.0.2.1:1")
				defer func() { _ = conn.Close() }()
				go func() { _ = conn.send(c.send) }() // the server may have read enough of it
				synctest.Wait()
				if c.then != "" && !c.deaf {
					go func() { _, _ = io.Copy(io.Discard, conn.in) }()
				}
				if c.deaf {
					// A pipe holds no byte, so a read that begins later finds what is still being written.
					time.Sleep(c.most)
					if err := conn.send("GET / HTTP/1.1\r\n\r\n"); err == nil {
						t.Fatal("the connection is still there")
					}
					return
				}
				if lasted := conn.ended(c.then, c.every); lasted > c.most {
					t.Errorf("the connection lasted %s", lasted)
				}
			})
		})
	}
}

// TestSlowIsNotStill: who moves is served, however long it takes, and who waits for us loses nothing by it.
func TestSlowIsNotStill(t *testing.T) {
	t.Run("a body at the least rate", func(t *testing.T) {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			const chunks = 60
			go func() {
				_ = conn.send(fmt.Sprintf("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", chunks<<13))
				for range chunks {
					time.Sleep(time.Second)
					_ = conn.send(strings.Repeat("x", 8<<10))
				}
			}()
			body, _ := io.ReadAll(conn.answer(t).Body)
			if want := fmt.Sprintf("%d <nil>", chunks<<13); string(body) != want {
				t.Errorf("got %q, want %q", body, want)
			}
			if res := conn.get(t, "/healthz"); res.StatusCode != http.StatusOK {
				t.Errorf("the next request: %s", res.Status)
			}
		})
	})
	t.Run("an answer at the least rate", func(t *testing.T) {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			if err := conn.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			read := 0
			for read < 1<<20 {
				n, err := io.CopyN(io.Discard, conn.in, 16<<10)
				if read += int(n); err != nil {
					t.Fatalf("after %d bytes: %v", read, err)
				}
				time.Sleep(time.Second)
			}
		})
	})
	t.Run("a long wait for us", func(t *testing.T) {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			if err := conn.send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(conn.answer(t).Body)
			if string(body) != "waited" {
				t.Errorf("got %q", body)
			}
		})
	})
	t.Run("lines that wait for the answer to the last one", func(t *testing.T) {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			if err := conn.send("POST /slow-lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if err := conn.send("2\r\nx\n\r\n"); err != nil {
					t.Fatalf("line %d: %v", i, err)
				}
				for {
					line, err := conn.in.ReadString('\n')
					if err != nil {
						t.Fatalf("line %d: %v", i, err)
					}
					if line == "done\n" {
						break
					}
				}
				time.Sleep(15 * time.Second)
			}
		})
	})
	t.Run("a line every 15 seconds", func(t *testing.T) {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			go func() {
				_ = conn.send("POST /lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
				for range 50 {
					time.Sleep(15 * time.Second)
					_ = conn.send("2\r\nx\n\r\n")
				}
				_ = conn.send("0\r\n\r\n")
			}()
			body, _ := io.ReadAll(conn.answer(t).Body)
			if string(body) != strings.Repeat("x\n", 50) {
				t.Errorf("got %q", body)
			}
		})
	})
}

// TestRefusedBody: the answer to a request whose body is refused comes at once, and says that the connection ends.
func TestRefusedBody(t *testing.T) {
	for _, length := range []string{"Content-Length: 1000", "Content-Length: 100000000", "Transfer-Encoding: chunked"} {
		testkit.Bubble(t, func(t *testing.T) {
			conn := serve(t, listen.Config{Handler: pages()}).dial("192.0.2.1:1")
			defer func() { _ = conn.Close() }()
			if err := conn.send("POST /refuse HTTP/1.1\r\nHost: x\r\n" + length + "\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res := conn.answer(t)
			if res.StatusCode != http.StatusUnauthorized || !res.Close || time.Since(conn.opened) != 0 {
				t.Errorf("%s: %s after %s, closes %t", length, res.Status, time.Since(conn.opened), res.Close)
			}
		})
	}
}

// TestLeave: a server that leaves closes no connection by itself, but with the next answer; also one that lets nothing
// else in.
func TestLeave(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		n := newNetwork()
		s := listen.New(listen.Config{Handler: pages(), Log: slog.New(slog.DiscardHandler)})
		var done sync.WaitGroup
		done.Go(func() { _ = s.Serve(n) })
		defer func() { _ = s.Close(); done.Wait() }()
		kept, streaming := n.dial("192.0.2.1:1"), n.dial("192.0.2.1:2")
		defer func() { _ = kept.Close(); _ = streaming.Close() }()
		if res := kept.get(t, "/healthz"); res.Close {
			t.Error("a server that stays closes a connection")
		}
		s.Leave()
		synctest.Wait()
		fresh := n.dial("192.0.2.1:3")
		defer func() { _ = fresh.Close() }()
		for name, c := range map[string]*client{"kept": kept, "fresh": fresh} {
			if res := c.get(t, "/healthz"); res.StatusCode != http.StatusOK || !res.Close {
				t.Errorf("%s: %s, closes %t", name, res.Status, res.Close)
			}
		}
		if err := streaming.send("POST /lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() { _ = streaming.send("2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n") }()
		res := streaming.answer(t)
		if text, _ := io.ReadAll(res.Body); string(text) != "a\nb\n" || !res.Close {
			t.Errorf("%q, closes %t", text, res.Close)
		}
	})
}

// TestBound: what happens to connection after connection when there are too many.
func TestBound(t *testing.T) {
	at := func(host, port int) string { return fmt.Sprintf("192.0.2.%d:%d", host, port) }
	const hold = "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	const noBody = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
	fill := func(t *testing.T, n *network, count int, request string, from func(i int) string) (all []*client) {
		t.Helper()
		for i := range count {
			c := n.dial(from(i))
			t.Cleanup(func() { _ = c.Close() })
			if request != "" {
				if err := c.send(request); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait() // so that they are in this order
			all = append(all, c)
		}
		return all
	}
	refused := func(t *testing.T, c *client) {
		t.Helper()
		res := c.get(t, "/silent")
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !res.Close {
			t.Errorf("%s, Retry-After %q, closes %t", res.Status, res.Header.Get("Retry-After"), res.Close)
		}
	}
	served := func(t *testing.T, c *client, path string) {
		t.Helper()
		if res := c.get(t, path); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	gone := func(c *client) bool {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := c.in.ReadByte()
		return errors.Is(err, io.EOF)
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, n *network)
	}{
		{"all at work", func(t *testing.T, n *network) {
			fill(t, n, 10, hold, func(i int) string { return at(i, 1) })
			refused(t, n.dial(at(100, 1)))
			served(t, n.dial(at(100, 2)), listen.HealthPath)
		}},
		{"one address at work", func(t *testing.T, n *network) {
			fill(t, n, 5, hold, func(i int) string { return at(1, i) })
			refused(t, n.dial(at(1, 100)))
			served(t, n.dial(at(1, 101)), listen.HealthPath)
			served(t, n.dial(at(2, 1)), "/silent")
		}},
		{"one /64 at work", func(t *testing.T, n *network) {
			fill(t, n, 5, hold, func(i int) string { return fmt.Sprintf("[2001:db8::%d]:1", i) })
			refused(t, n.dial("[2001:db8::ffff:1]:1"))
			served(t, n.dial("[2001:db8:0:1::1]:1"), "/silent")
		}},
		{"a proxy", func(t *testing.T, n *network) {
			fill(t, n, 9, hold, func(i int) string { return at(7, i) })
			served(t, n.dial(at(7, 100)), "/silent")
		}},
		{"idle ones go first, the oldest of them", func(t *testing.T, n *network) {
			idle := fill(t, n, 5, "", func(i int) string { return at(i, 1) })
			fill(t, n, 5, hold, func(i int) string { return at(i, 2) })
			served(t, n.dial(at(100, 1)), "/silent")
			if !gone(idle[0]) || gone(idle[1]) {
				t.Error("another than the oldest idle one was closed")
			}
		}},
		{"kept ones are idle, since their last request", func(t *testing.T, n *network) {
			kept := fill(t, n, 2, "", func(i int) string { return at(i, 1) })
			served(t, kept[0], "/silent") // now the younger one
			fill(t, n, 8, hold, func(i int) string { return at(i, 2) })
			served(t, n.dial(at(100, 1)), "/silent")
			if !gone(kept[1]) || gone(kept[0]) {
				t.Error("another than the oldest idle one was closed")
			}
		}},
		{"idle ones of the heaviest address go before older ones", func(t *testing.T, n *network) {
			oldest := fill(t, n, 1, "", func(int) string { return at(1, 1) })
			heavy := fill(t, n, 3, "", func(i int) string { return at(2, i) })
			fill(t, n, 6, hold, func(i int) string { return at(i+3, i) })
			served(t, n.dial(at(100, 1)), "/silent")
			if !gone(heavy[0]) || gone(oldest[0]) || gone(heavy[1]) {
				t.Error("another than the oldest idle one of the heaviest address was closed")
			}
		}},
		{"a connection that has just come is not idle yet", func(t *testing.T, n *network) {
			oldest := fill(t, n, 1, "", func(int) string { return at(1, 1) })
			fill(t, n, 6, hold, func(i int) string { return at(i+3, i) })
			time.Sleep(time.Second)
			heavy := fill(t, n, 3, "", func(i int) string { return at(2, i) })
			served(t, n.dial(at(100, 1)), "/silent")
			if !gone(oldest[0]) || gone(heavy[0]) {
				t.Error("a connection whose request was on its way was closed")
			}
		}},
		{"of an address over its share its own goes", func(t *testing.T, n *network) {
			other := fill(t, n, 1, "", func(int) string { return at(2, 1) })
			own := fill(t, n, 5, "", func(i int) string { return at(1, i) })
			served(t, n.dial(at(1, 100)), "/silent")
			if !gone(own[0]) || gone(other[0]) {
				t.Error("the connection of another address was closed")
			}
		}},
		{"of the heaviest address one that stands still", func(t *testing.T, n *network) {
			heavy := fill(t, n, 5, noBody, func(i int) string { return at(1, i) })
			fill(t, n, 5, noBody, func(i int) string { return at(i+2, i) })
			refused(t, n.dial(at(100, 1))) // for a moment, a body may be on its way
			time.Sleep(2 * time.Second)
			served(t, n.dial(at(100, 2)), "/silent")
			for i, c := range heavy {
				if gone(c) != (i == 0) {
					t.Errorf("connection %d: gone is %t", i, i != 0)
				}
			}
		}},
		{"not one that we work for", func(t *testing.T, n *network) {
			busy := fill(t, n, 5, hold, func(i int) string { return at(1, i) })
			fill(t, n, 5, hold, func(i int) string { return at(2, i) })
			time.Sleep(2 * time.Second)
			refused(t, n.dial(at(100, 1)))
			if gone(busy[0]) {
				t.Error("a request under way was cut off")
			}
		}},
		{"a flood of silent ones", func(t *testing.T, n *network) {
			fill(t, n, 10, hold, func(i int) string { return at(i, 1) })
			fill(t, n, 500, "", func(i int) string { return at(i%200, 2) })
			served(t, n.dial(at(100, 1)), listen.HealthPath)
		}},
		{"afterwards all is as before", func(t *testing.T, n *network) {
			for _, c := range fill(t, n, 10, hold, func(i int) string { return at(i, 1) }) {
				_ = c.Close()
			}
			synctest.Wait()
			for i := range 5 {
				served(t, n.dial(at(1, i)), "/silent")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Bubble(t, func(t *testing.T) {
				c.do(t, serve(t, listen.Config{Handler: pages(), MaxConnections: 10, Trusted: proxies}))
			})
		})
	}
}

// TestHealth: Config.Health answers instead of the handler.
func TestHealth(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		var asked atomic.Int32
		health := func(http.ResponseWriter, *http.Request) { asked.Add(1) }
		n := serve(t, listen.Config{Handler: http.NotFoundHandler(), Health: http.HandlerFunc(health)})
		c := n.dial("192.0.2.1:1")
		defer func() { _ = c.Close() }()
		if res := c.get(t, listen.HealthPath); res.StatusCode != http.StatusOK || asked.Load() != 1 {
			t.Errorf("%s, asked %d times", res.Status, asked.Load())
		}
	})
}

// TestController: handlers reach what http.ResponseController offers, and net/http's own copying.
func TestController(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		n := serve(t, listen.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("no io.ReaderFrom")
			}
			if _, ok := w.(http.Flusher); !ok {
				t.Error("no http.Flusher")
			}
			_, _ = io.Copy(w, strings.NewReader("copied"))
			out := http.NewResponseController(w)
			soon := time.Now().Add(time.Second)
			if err := errors.Join(out.Flush(), out.SetWriteDeadline(soon), out.SetReadDeadline(time.Time{})); err != nil {
				t.Error(err)
			}
			<-time.After(2 * time.Second)
			if _, err := w.Write(make([]byte, 1<<20)); err == nil {
				t.Error("the handler's own deadline did not count")
			}
		})})
		c := n.dial("192.0.2.1:1")
		defer func() { _ = c.Close() }()
		if err := c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(c.in); err != nil || !strings.Contains(string(text), "copied") {
			t.Errorf("got %q, %v", text, err)
		}
	})
}
