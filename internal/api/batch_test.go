package api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/api"
	"recarga/topup"
)

func (s *server) batch(key, body string) answer {
	s.tb.Helper()
	return s.send("POST", "/v1/topups/batch", body, "Authorization", "Bearer "+key, "Content-Type", typeND)
}

type line struct {
	Line   int
	ID     *string `json:"distributor_transaction_id"`
	Status int
	Topup  *topup.Order
	Error  *problem
}

func lines(tb testing.TB, a answer) []line {
	tb.Helper()
	if a.want(http.StatusOK); a.header.Get("Content-Type") != typeND {
		tb.Fatalf("Content-Type %q", a.header.Get("Content-Type"))
	}
	var all []line
	for text := range bytes.Lines(a.body) {
		var l line
		decode(tb, text, &l)
		if (l.Topup == nil) == (l.Error == nil) || l.Error != nil && l.Error.Status != l.Status {
			tb.Errorf("line %s", text)
		}
		all = append(all, l)
	}
	return all
}

// summary is line, status, id.
func summary(all []line) []string {
	var short []string
	for _, l := range all {
		id := "-"
		if l.ID != nil {
			id = *l.ID
		}
		short = append(short, fmt.Sprintf("%d %d %s", l.Line, l.Status, id))
	}
	return short
}

// TestBatch: no wrong line stops the others, whatever is wrong with it.
func TestBatch(t *testing.T) {
	s := serve(t)
	s.place("OLD").want(http.StatusAccepted)
	s.post(otherKey, "/v1/topups", order("OTHER")).want(http.StatusAccepted)
	body := strings.Join([]string{
		order("A"),
		"",
		"not json",
		"  ",
		order("A"),
		order("A", `"operator":"TELCEL"`),
		order("a b"),
		strings.Replace(order("B"), `"amount":10`, `"amount":9.999`, 1),
		order("LONG", `"metadata":{"a":"`+strings.Repeat("x", 70<<10)+`"}`),
		order("OLD") + "\r",
		order("OTHER"),
		order("E", `"expires_at":"2020-01-01T00:00:00Z"`),
		order("Z"),
	}, "\n")
	got := lines(t, s.batch(shopKey, body))
	want := []string{"1 202 A", "3 400 -", "5 200 A", "6 409 A", "7 422 -", "8 422 B", "9 413 -", "10 200 OLD",
		"11 409 OTHER", "12 422 E", "13 202 Z"}
	if diff := cmp.Diff(want, summary(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"body.amount"}, got[5].Error.named()); diff != "" {
		t.Error(diff)
	}
	s.get(shopKey, "/v1/topups/Z").want(http.StatusOK)
}

func TestBatchOfNothing(t *testing.T) {
	s := serve(t)
	for _, body := range []string{"", "\n", " \n\n"} {
		if got := lines(t, s.batch(shopKey, body)); len(got) != 0 {
			t.Errorf("%q is answered with %v", body, got)
		}
	}
}

func TestBatchKeepsTheOrder(t *testing.T) {
	s := serve(t)
	var body strings.Builder
	var want []string
	for i := 1; i <= 600; i++ {
		fmt.Fprintln(&body, order(fmt.Sprintf("ORD-%d", i)))
		want = append(want, fmt.Sprintf("%d 202 ORD-%d", i, i))
	}
	if diff := cmp.Diff(want, summary(lines(t, s.batch(shopKey, body.String())))); diff != "" {
		t.Error(diff)
	}
	again := lines(t, s.batch(shopKey, body.String()))
	for _, l := range again {
		if l.Status != http.StatusOK {
			t.Fatalf("the batch again: line %d is %d", l.Line, l.Status)
		}
	}
}

// placed notes the amounts of each order, as they are placed.
type placed struct {
	api.Orders
	mu      sync.Mutex
	amounts map[topup.ID][]topup.Amount
}

func (p *placed) Place(_ context.Context, r topup.Request) (topup.Order, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.amounts[r.ID] = append(p.amounts[r.ID], r.Amount)
	return r.Order(time.Now()), false, nil
}

// TestBatchFirstLineIsTheOrder: lines with one id are placed one after the other, in their order.
func TestBatchFirstLineIsTheOrder(t *testing.T) {
	p := &placed{amounts: map[topup.ID][]topup.Amount{}}
	s := serve(t, func(c *api.Config) { c.Orders = p })
	var body strings.Builder
	for i := range 300 {
		for _, amount := range []string{"10", "20", "30"} {
			fmt.Fprintln(&body, strings.Replace(order(fmt.Sprint("ORD-", i)), `"amount":10`, `"amount":`+amount, 1))
		}
	}
	lines(t, s.batch(shopKey, body.String()))
	for id, got := range p.amounts {
		if want := []topup.Amount{topup.Pesos(10), topup.Pesos(20), topup.Pesos(30)}; !slices.Equal(got, want) {
			t.Fatalf("%s is placed for %v", id, got)
		}
	}
	if len(p.amounts) != 300 {
		t.Errorf("%d orders were placed", len(p.amounts))
	}
}

// TestBatchLineOfTheLimit: 64 KiB are allowed, one byte more is not; line breaks do not count.
func TestBatchLineOfTheLimit(t *testing.T) {
	s := serve(t)
	padded := func(id string, size int) string {
		o := order(id)
		return o[:len(o)-1] + strings.Repeat(" ", size-len(o)) + "}"
	}
	body := padded("A", 64<<10) + "\r\n" + padded("B", 64<<10+1) + "\r\n" + padded("C", 64<<10+3) + "\n" +
		padded("D", 64<<10)
	want := []string{"1 202 A", "2 413 -", "3 413 -", "4 202 D"}
	if diff := cmp.Diff(want, summary(lines(t, s.batch(shopKey, body)))); diff != "" {
		t.Error(diff)
	}
}

// TestBatchStreams: each line is answered while the request is still open.
func TestBatchStreams(t *testing.T) {
	s := serve(t)
	body, w := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/topups/batch", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+shopKey)
	r.Header.Set("Content-Type", "application/ndjson; charset=utf-8")
	go func() { _, _ = fmt.Fprintln(w, order("ORD-1")) }()
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answers := bufio.NewScanner(response.Body)
	for i := 1; i <= 3; i++ {
		if !answers.Scan() {
			t.Fatalf("no answer to line %d: %v", i, answers.Err())
		}
		var l line
		decode(t, answers.Bytes(), &l)
		if l.Line != i || l.Status != http.StatusAccepted {
			t.Errorf("line %+v", l)
		}
		if _, err := fmt.Fprintln(w, order(fmt.Sprintf("ORD-%d", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !answers.Scan() || answers.Scan() || answers.Err() != nil {
		t.Errorf("the answer does not end with line 4: %v", answers.Err())
	}
}

// TestBatchCutOff: an answer to half a request does not look like a whole answer.
func TestBatchCutOff(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	text := order("ORD-1") + "\n" + order("ORD-2")[:40]
	head := "POST /v1/topups/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + shopKey + "\r\nContent-Type: " +
		typeND + "\r\nContent-Length: 100000\r\n\r\n"
	if _, err := conn.Write([]byte(head + text)); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasSuffix(got, []byte("0\r\n\r\n")) {
		t.Errorf("the answer ends as if it were whole: %s", got)
	}
	s.get(shopKey, "/v1/topups/ORD-2").want(http.StatusNotFound)
}

func BenchmarkBatch(b *testing.B) {
	s := serve(b, func(c *api.Config) { c.Orders = instantOrders{} })
	const size = 1000
	var body strings.Builder
	for i := range size {
		fmt.Fprintln(&body, order(fmt.Sprintf("ORD-%d", i)))
	}
	for b.Loop() {
		s.batch(shopKey, body.String()).want(http.StatusOK)
	}
	b.ReportMetric(float64(b.N)*size/b.Elapsed().Seconds(), "orders/s")
}
