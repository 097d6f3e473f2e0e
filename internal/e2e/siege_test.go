package e2e

import (
	"context"
	endian "encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
)

// siegeBounds are what a siege must show.
type siegeBounds struct {
	// gone is how long an attacker's connection may last, p99 how long 99 of 100 honest orders may take (0: not judged),
	// probe how long /healthz may, and memory what the process may have, in bytes.
	gone, p99, probe time.Duration
	memory           int64
}

const (
	// siegeMax is RECARGA_HTTP_MAX_CONNECTIONS: the flood is larger.
	siegeMax = 256
	// honestEvery is the time between two honest orders.
	honestEvery = 50 * time.Millisecond
	// attackers come from so many addresses, beginning with 127.0.0.2. Honest orders come from 127.0.0.1.
	attackers = 24
)

// TestSiege: everything that a stranger may do to a listener, all at once, beside honest orders. These are placed at
// once and bought once, memory stays flat, no attacker's connection lasts, and /healthz answers all the while. It is
// short unless RECARGA_SIEGE_DURATION is set, and judges the time of orders only then: make siege.
func TestSiege(t *testing.T) {
	testkit.Deep(t)
	bounds := siegeBounds{gone: 60 * time.Second, probe: 20 * time.Second, memory: 600 << 20}
	during := fromEnv(t, "RECARGA_SIEGE_DURATION", 0, time.ParseDuration)
	if during > 0 {
		bounds = siegeBounds{gone: 30 * time.Second, p99: 100 * time.Millisecond, probe: 5 * time.Second, memory: 300 << 20}
	} else {
		during = 4 * time.Second
	}
	if raced {
		bounds.memory *= 5 // what the race detector takes
	}
	w := newWorld(t, nil)
	w.env["RECARGA_HTTP_MAX_CONNECTIONS"] = strconv.Itoa(siegeMax)
	w.env["RECARGA_HTTP_IDLE_TIMEOUT"] = "15s" // longer, one with its whole answer lasts until its place is needed
	s := &siege{
		t: t, world: w, bounds: bounds, vendorAddr: startSandbox(t), process: w.start(t, "serve"),
		tallies: map[string]*tally{}, placed: map[topup.ID]time.Duration{},
	}
	s.apiAddr, s.metricsAddr = hostOf(t, s.process.apiURL), hostOf(t, s.process.metricsURL)
	attacking, stop := context.WithTimeout(t.Context(), during)
	defer stop()
	watching, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	var all, watchers sync.WaitGroup
	s.sockets.Store(&sockets{})
	watchers.Go(func() { s.watch(watching) })
	watchers.Go(func() { s.weigh(watching) })
	for _, a := range s.attacks() {
		for range a.workers {
			all.Go(func() { s.attack(attacking, a) })
		}
	}
	all.Go(func() { s.guess(attacking) })
	all.Go(func() { s.send(attacking) })
	all.Go(func() { s.honest(attacking) })
	for _, addr := range []string{s.apiAddr, s.metricsAddr} {
		watchers.Go(func() { s.probe(watching, addr) })
	}
	all.Wait() // and until the last attacker's connection has gone
	stopWatching()
	watchers.Wait()
	s.judge()
}

// siege is one run.
type siege struct {
	t                                *testing.T
	world                            *world
	process                          *process
	bounds                           siegeBounds
	apiAddr, metricsAddr, vendorAddr string
	from                             atomic.Int64
	sockets                          atomic.Pointer[sockets]

	mu      sync.Mutex
	tallies map[string]*tally
	placed  map[topup.ID]time.Duration
	// again is how often an honest order was sent again.
	again, probes int
	memory        int64
}

// tally is what came of an attack.
type tally struct {
	connections int
	longest     time.Duration
	statuses    map[int]int
	refused     int // connections that were closed before an answer, or not opened
	why         error
}

func (s *siege) tally(name string, count func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tallies[name] == nil {
		s.tallies[name] = &tally{statuses: map[int]int{}}
	}
	count(s.tallies[name])
}

// startSandbox runs a sandbox that is attacked, and from which nothing is bought.
func startSandbox(t *testing.T) (addr string) {
	t.Helper()
	cmd := exec.Command(binary, "sandbox", "--addr", "127.0.0.1:0")
	cmd.Env = environ(nil)
	said, listening := "", make(chan struct{})
	p := begin(t, cmd, func(line []byte) {
		if _, found, ok := strings.Cut(string(line), "RECARGA_DISTRIBUTOR_URL="); ok {
			said = found
			close(listening)
		}
	})
	p.await(listening)
	return hostOf(t, said)
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// attack is a way to hold a connection.
type attack struct {
	name, addr string
	workers    int
	// send is written at once, and then drip every now and then, until the connection has gone.
	send, drip string
	every      time.Duration
	// deaf attackers read nothing.
	deaf bool
	// pause is the time between the beginnings of two connections, at least.
	pause time.Duration
}

func (s *siege) attacks() []attack {
	form := "Content-Type: application/x-www-form-urlencoded\r\n"
	key := "Authorization: Bearer " + apiKey + "\r\nContent-Type: application/json\r\n"
	lines := "Authorization: Bearer " + apiKey + "\r\nContent-Type: application/x-ndjson\r\n"
	post := func(path, header string) string { return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n" }
	get := func(path string, times int) string {
		return strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", times)
	}
	const length, chunked, chunk = "Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"
	const last = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n" +
		"Connection: close\r\n\r\n"
	const large = "Content-Length: 100000000\r\n"
	header := strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 200)
	slow := func(name, send, drip string, every time.Duration) attack {
		return attack{name: name, addr: s.apiAddr, workers: 8, send: send, drip: drip, every: every}
	}
	block := strings.Repeat("x", 64<<10)
	all := []attack{
		{name: "flood", addr: s.apiAddr, workers: 2 * siegeMax, pause: 2 * time.Second},
		{name: "a request, then silence", addr: s.apiAddr, workers: 8, send: get("/healthz", 1)},
		{name: "large header", addr: s.apiAddr, workers: 4, send: "GET / HTTP/1.1\r\n" + header},
		{name: "no body, no key", addr: s.apiAddr, workers: 8, send: post("/v1/topups", length)},
		{name: "no body, a key", addr: s.apiAddr, workers: 8, send: post("/v1/topups", key+length)},
		{name: "no body, login", addr: s.apiAddr, workers: 8, send: post("/console/login", form+length)},
		slow("slow body, no key", post("/v1/topups", length), "x", time.Second),
		slow("slow body, login", post("/console/login", form+length), "x", 5*time.Second),
		slow("slow chunks, no key", post("/v1/topups/batch", chunked), chunk, time.Second),
		slow("slow chunks, login", post("/console/login", form+chunked), chunk, time.Second),
		slow("large body, no key", post("/v1/topups", large), block, 100*time.Millisecond),
		slow("large body, login", post("/console/login", form+large), block, 100*time.Millisecond),
		{name: "deaf, documents", addr: s.apiAddr, workers: 30, send: get("/openapi.json", 100), deaf: true},
		{name: "deaf, scripts", addr: s.apiAddr, workers: 30, send: get("/docs/swagger-ui-bundle.js", 50), deaf: true},
		{name: "deaf, one script", addr: s.apiAddr, workers: 8, send: last, deaf: true},
		{name: "deaf, sandbox", addr: s.vendorAddr, workers: 8, send: get("/", 3000), deaf: true},
		{name: "deaf, metrics", addr: s.metricsAddr, workers: 4, send: get("/metrics", 100), deaf: true},
		{name: "no body, sandbox", addr: s.vendorAddr, workers: 8, send: post("/api/distributor/login", length)},
	}
	if s.bounds.p99 > 0 { // it lasts for longer than a short siege
		all = append(all, slow("slow chunks, a batch", post("/v1/topups/batch", lines+chunked), chunk, time.Second))
	}
	for name, addr := range map[string]string{"api": s.apiAddr, "metrics": s.metricsAddr, "sandbox": s.vendorAddr} {
		all = append(all,
			attack{name: "silent, " + name, addr: addr, workers: 8},
			attack{
				name: "slow header, " + name, addr: addr, workers: 8, send: "GET / HTTP/1.1\r\n", drip: "X: y\r\n",
				every: time.Second,
			})
	}
	return all
}

func (s *siege) dial(ctx context.Context, addr string) (net.Conn, error) {
	from := net.IPv4(127, 0, 0, byte(2+s.from.Add(1)%attackers))
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}).DialContext(ctx, "tcp", addr)
}

// attack opens one connection after the other until ctx ends, and holds each for as long as it can.
func (s *siege) attack(ctx context.Context, a attack) {
	every := max(a.pause, 200*time.Millisecond)
	pause := time.NewTicker(rand.N(every) + 1) // not all at the same moment
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return
	case <-pause.C:
		pause.Reset(every)
	}
	for ctx.Err() == nil {
		if conn, err := s.dial(ctx, a.addr); err == nil {
			lasted := s.hold(conn, a)
			s.tally(a.name, func(t *tally) { t.connections++; t.longest = max(t.longest, lasted) })
		} else if ctx.Err() == nil {
			s.tally(a.name, func(t *tally) { t.refused++; t.why = err }) // the kernel's queue is full
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// hold returns how long the connection lasted: how long the kernel had it of the attacked process.
func (s *siege) hold(conn net.Conn, a attack) time.Duration {
	opened, most := time.Now(), 2*s.bounds.gone
	var ends sync.WaitGroup
	defer ends.Wait()
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(opened.Add(most))
	ends.Go(func() { _, _ = io.WriteString(conn, a.send) }) // of what is not read, the end is not written
	if !a.deaf {
		ends.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for next := opened.Add(a.every); time.Since(opened) < most; <-look.C {
		if now := s.sockets.Load(); now.at.After(opened) && !now.has[socketOf(conn.RemoteAddr(), conn.LocalAddr())] {
			break
		}
		if a.drip != "" && time.Now().After(next) {
			next = next.Add(a.every)
			if _, err := io.WriteString(conn, a.drip); err != nil {
				break
			}
		}
	}
	return time.Since(opened)
}

// sockets are those that have something to send or to receive at a time, by socketOf.
type sockets struct {
	at  time.Time
	has map[string]bool
}

// watch looks at the kernel's sockets. An attacker could not see that its connection has gone without reading.
func (s *siege) watch(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		now := &sockets{at: time.Now(), has: map[string]bool{}}
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			s.t.Error(err)
		}
		for line := range strings.Lines(string(table)) {
			const established, finWait1, closeWait, lastAck, closing = "01", "04", "08", "09", "0B"
			f := strings.Fields(line)
			if slices.Contains([]string{established, finWait1, closeWait, lastAck, closing}, f[3]) {
				now.has[f[1]+" "+f[2]] = true
			}
		}
		s.sockets.Store(now)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// socketOf is how /proc/net/tcp names a socket.
func socketOf(local, remote net.Addr) string {
	name := func(addr net.Addr) string {
		tcp := addr.(*net.TCPAddr)
		return fmt.Sprintf("%08X:%04X", endian.NativeEndian.Uint32(tcp.IP.To4()), tcp.Port)
	}
	return name(local) + " " + name(remote)
}

// client is an attacker's who sends whole requests, each on a new connection.
func (s *siege) client() *http.Client {
	dial := func(ctx context.Context, _, addr string) (net.Conn, error) { return s.dial(ctx, addr) }
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guess tries keys everywhere.
func (s *siege) guess(ctx context.Context) {
	client := s.client()
	for i := 0; ctx.Err() == nil; i++ {
		wrong := fmt.Sprintf("wrong-key-%d", i)
		s.request(ctx, client, "guesses, API", http.MethodGet, "/v1/topups", "", "Authorization", "Bearer "+wrong)
		s.request(ctx, client, "guesses, /queues", http.MethodGet, "/queues/", "", "Authorization", "Bearer "+wrong)
		s.request(ctx, client, "guesses, console", http.MethodPost, "/console/login", "name=x&key="+wrong,
			"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
}

// send sends hostile bodies.
func (s *siege) send(ctx context.Context) {
	client := s.client()
	var fields, form strings.Builder
	for i := 0; fields.Len() < 58<<10; i++ {
		fmt.Fprintf(&fields, `"k%d":1,"k%d":2,`, i, i)
		fmt.Fprintf(&form, "k%d=1&k%d=2&", i, i)
	}
	bodies := []string{
		"{" + fields.String() + `"x":1}`,
		`{"metadata":{` + fields.String() + `"x":1}}`,
		`{"metadata":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
		`{"amount":1` + strings.Repeat("0", 58<<10) + "}",
	}
	for i := 0; ctx.Err() == nil; i++ {
		s.request(ctx, client, "hostile bodies", http.MethodPost, "/v1/topups", bodies[i%len(bodies)],
			"Content-Type", "application/json", "Authorization", "Bearer "+apiKey)
		s.request(ctx, client, "hostile forms", http.MethodPost, "/console/login", form.String(),
			"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
}

// request counts the answer. One that is refused where there are too many connections, or is cut off, is no wonder.
func (s *siege) request(ctx context.Context, client *http.Client, name, method, path, body string, header ...string) {
	began := time.Now()
	status, answer, err := try(ctx, client, method, "http://"+s.apiAddr+path, body, header...)
	if status == 0 {
		s.tally(name, func(t *tally) { t.connections++; t.refused++; t.why = err })
		return
	}
	const mostAnswered = 32 << 10
	if status < 400 || len(answer) > mostAnswered {
		s.t.Errorf("%s: status %d, answered with %d bytes", name, status, len(answer))
	}
	s.tally(name, func(t *tally) {
		t.connections++
		t.statuses[status]++
		t.longest = max(t.longest, time.Since(began))
	})
}

// honest places orders as a shop does: whatever is not answered is sent again.
func (s *siege) honest(ctx context.Context) {
	client := s.process.client()
	var placing sync.WaitGroup
	tick := time.NewTicker(honestEvery)
	defer tick.Stop()
	defer placing.Wait()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			placing.Go(func() { s.place(client, order(fmt.Sprintf("HONEST-%05d", i), "5537686660")) })
		}
	}
}

func (s *siege) place(client *producer.Client, r topup.Request) {
	began := time.Now()
	for {
		_, _, err := client.Place(s.t.Context(), r)
		s.mu.Lock()
		if err == nil {
			s.placed[r.ID] = time.Since(began)
		} else {
			s.again++
		}
		s.mu.Unlock()
		switch {
		case err == nil:
			return
		case time.Since(began) > patience:
			s.t.Errorf("%s: %v", r.ID, err)
			return
		}
	}
}

// probe asks /healthz on a new connection each time.
func (s *siege) probe(ctx context.Context, addr string) {
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}} // no attacker's, and no shop's
	client := &http.Client{
		Timeout: s.bounds.probe, Transport: &http.Transport{DisableKeepAlives: true, DialContext: from.DialContext},
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		status, _, err := try(ctx, client, http.MethodGet, "http://"+addr+"/healthz", "")
		switch {
		case errors.Is(err, context.Canceled):
			return
		case err != nil || status != http.StatusOK:
			s.t.Errorf("/healthz: %d, %v", status, err)
		}
		s.mu.Lock()
		s.probes++
		s.mu.Unlock()
	}
}

// weigh notes the most memory that the process has at a time.
func (s *siege) weigh(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.memory = max(s.memory, residentOf(s.t, s.process.cmd.Process.Pid))
		}
	}
}

// residentOf is a process's memory, in bytes.
func residentOf(t *testing.T, pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Error(err)
	}
	return pages * int64(os.Getpagesize())
}

func (s *siege) judge() {
	t := s.t
	for _, name := range slices.Sorted(maps.Keys(s.tallies)) {
		a := s.tallies[name]
		t.Logf("%-24s %5d connections, the longest %5.1f s, answers %v, %d without one (%v)",
			name, a.connections, a.longest.Seconds(), a.statuses, a.refused, a.why)
		if a.longest > s.bounds.gone {
			t.Errorf("%s: a connection lasted %s; must be %s at most", name, a.longest, s.bounds.gone)
		}
	}
	if len(s.placed) == 0 || s.probes == 0 {
		t.Fatalf("%d orders placed, %d probes", len(s.placed), s.probes)
	}
	client := s.process.client()
	for id := range s.placed {
		if o := settled(t, client, id); o.State != topup.StateSucceeded {
			t.Errorf("%s is %s", id, o.State)
		}
	}
	charged := s.world.charges()
	for id := range s.placed {
		if charged[id] != 1 {
			t.Errorf("%s was bought %d times", id, charged[id])
		}
	}
	if len(charged) != len(s.placed) {
		t.Errorf("%d orders were placed, and %d bought", len(s.placed), len(charged))
	}
	waits := slices.Sorted(maps.Values(s.placed))
	p99 := waits[len(waits)*99/100]
	t.Logf("%d honest orders, %d sent again; placed in %s (median), %s (p99), %s (most); memory %d MiB; %d probes",
		len(waits), s.again, waits[len(waits)/2], p99, waits[len(waits)-1], s.memory>>20, s.probes)
	if s.bounds.p99 > 0 && p99 > s.bounds.p99 {
		t.Errorf("the p99 of honest orders is %s; must be %s at most", p99, s.bounds.p99)
	}
	if s.memory > s.bounds.memory {
		t.Errorf("the process had %d MiB; must be %d at most", s.memory>>20, s.bounds.memory>>20)
	}
}
