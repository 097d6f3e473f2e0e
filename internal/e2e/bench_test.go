package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"recarga/internal/sandbox"
	"recarga/internal/testkit"
)

// The standard job: an order comes in over HTTP, is bought at an instant vendor, and is told to an
// instant receiver. BenchmarkOrders/plain-asynq is the same job done by an asynq worker that keeps no
// journal: two tasks an order, asynq's defaults. Read the others beside it, in the same run:
//
//	make bench BENCH=Orders

// job is one way to do the standard job.
type job struct {
	url string
	// told is called with every webhook that arrives.
	told *atomic.Pointer[func(id string)]
	// seen is called with every purchase that arrives at the vendor.
	seen *atomic.Pointer[func(id string)]
	pid  int
}

// spy passes the order's id in a request's body to whoever listens, then lets the request through.
func spy(listener *atomic.Pointer[func(string)], field string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if f := listener.Load(); f != nil && bytes.Contains(body, []byte(field)) {
			_, id, _ := strings.Cut(string(body), `"distributor_transaction_id":"`)
			id, _, _ = strings.Cut(id, `"`)
			(*f)(id)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// surroundings are a vendor and a receiver that answer at once.
func surroundings(b *testing.B) (j job, vendorURL, hookURL string) {
	j = job{told: new(atomic.Pointer[func(string)]), seen: new(atomic.Pointer[func(string)])}
	vendor := sandbox.New(sandbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	vendorServer := httptest.NewServer(spy(j.seen, "phone_number", vendor))
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	hookServer := httptest.NewServer(spy(j.told, "distributor_transaction_id", ok))
	b.Cleanup(func() { vendor.Close(); vendorServer.Close(); hookServer.Close() })
	return j, vendorServer.URL + "/api/distributor", hookServer.URL
}

func recargaJob(set func(testing.TB, map[string]string)) func(*testing.B) job {
	return func(b *testing.B) job {
		j, vendor, hook := surroundings(b)
		w := newWorld(b, nil)
		set(b, w.env)
		w.env["RECARGA_DISTRIBUTOR_URL"], w.env["RECARGA_CALLBACK_URL"] = vendor, hook
		// Quiet, so that the benchmark does not measure how fast it reads a log; then the log does not
		// say either where the program listens.
		w.env["RECARGA_LOG_LEVEL"] = "warn"
		w.env["RECARGA_HTTP_ADDR"] = fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(b))
		j.url = "http://" + w.env["RECARGA_HTTP_ADDR"]
		p := w.launch(b, "serve")
		testkit.Eventually(b, patience, func() bool { return answers(j.url + "/openapi.json") }, "recarga answers")
		j.pid = p.cmd.Process.Pid
		return j
	}
}

func answers(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// plainJob is an asynq worker as its documentation shows it, without a journal.
func plainJob(b *testing.B) job {
	j, vendor, hook := surroundings(b)
	opt := asynq.RedisClientOpt{Addr: testkit.Redis(b).Addr()}
	client := asynq.NewClient(opt)
	token := login(b, vendor)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = client.Enqueue(asynq.NewTask("topup", body))
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	worker := asynq.NewServer(opt, asynq.Config{Concurrency: 64, LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc("topup", func(_ context.Context, task *asynq.Task) error {
		if err := post(vendor+"/product_purchase", token, task.Payload()); err != nil {
			return err
		}
		_, err := client.Enqueue(asynq.NewTask("webhook", task.Payload()))
		return err
	})
	mux.HandleFunc("webhook", func(_ context.Context, task *asynq.Task) error { return post(hook, "", task.Payload()) })
	if err := worker.Start(mux); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { worker.Shutdown(); _ = client.Close(); api.Close() })
	j.url = api.URL
	return j
}

var pool = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

func post(url, token string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := pool.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return err
}

func login(b *testing.B, vendor string) string {
	res, err := http.Post(vendor+"/login", "application/json", strings.NewReader(`{"customer_id":"demo","secret_key":"demo"}`))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		b.Fatal("no token", err)
	}
	return answer.AccessToken
}

var jobs = []struct {
	name  string
	start func(*testing.B) job
}{
	{"plain-asynq", plainJob},
	{"embedded", recargaJob(stacks[0].set)},
	{"redis+sqlite", recargaJob(stacks[1].set)},
	{"redis+postgres", recargaJob(stacks[2].set)},
}

var sequence atomic.Int64

func (j job) place(b *testing.B, id string) {
	body := fmt.Sprintf(`{"distributor_transaction_id":"%s","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10,"operator":"MOVISTAR"}`, id)
	if err := post(j.url+"/v1/topups", apiKey, []byte(body)); err != nil {
		b.Error(err)
	}
}

// BenchmarkOrders is orders per second end to end: from 32 connections that place them to the last
// webhook. b.N is the number of orders; give it with -benchtime 10000x.
func BenchmarkOrders(b *testing.B) {
	for _, way := range jobs {
		b.Run(way.name, func(b *testing.B) {
			j := way.start(b)
			var arrived atomic.Int64
			all := make(chan struct{})
			want := int64(b.N)
			told := func(string) {
				if arrived.Add(1) == want {
					close(all)
				}
			}
			j.told.Store(&told)
			before := cpuOf(j.pid)
			b.ResetTimer()
			var wg sync.WaitGroup
			ids := make(chan string)
			for range 32 {
				wg.Go(func() {
					for id := range ids {
						j.place(b, id)
					}
				})
			}
			for range b.N {
				ids <- "B-" + strconv.FormatInt(sequence.Add(1), 10)
			}
			close(ids)
			wg.Wait()
			accepted := b.Elapsed()
			<-all
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
			if j.pid != 0 {
				b.ReportMetric((cpuOf(j.pid)-before).Seconds()/float64(b.N)*10_000, "recarga-cpu-s/10k")
			}
		})
	}
}

// BenchmarkLoneOrder is the time from a lone order's acceptance to the vendor, and to the webhook.
func BenchmarkLoneOrder(b *testing.B) {
	for _, way := range jobs {
		b.Run(way.name, func(b *testing.B) {
			j := way.start(b)
			seen, told := make(chan time.Time, 4), make(chan time.Time, 4)
			onSeen, onTold := func(string) { seen <- time.Now() }, func(string) { told <- time.Now() }
			j.seen.Store(&onSeen)
			j.told.Store(&onTold)
			var toVendor, toHook []time.Duration
			for b.Loop() {
				id := "L-" + strconv.FormatInt(sequence.Add(1), 10)
				start := time.Now()
				j.place(b, id)
				toVendor = append(toVendor, (<-seen).Sub(start))
				toHook = append(toHook, (<-told).Sub(start))
			}
			report(b, toVendor, "vendor")
			report(b, toHook, "webhook")
		})
	}
}

func report(b *testing.B, times []time.Duration, what string) {
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.5), what+"-p50-ms")
	b.ReportMetric(at(0.99), what+"-p99-ms")
}

// BenchmarkIdle is the share of one core that a waiting program takes.
func BenchmarkIdle(b *testing.B) {
	for _, way := range jobs[1:] {
		b.Run(way.name, func(b *testing.B) {
			j := way.start(b)
			before, start := cpuOf(j.pid), time.Now()
			for b.Loop() {
				<-time.After(time.Second)
			}
			b.ReportMetric(float64(cpuOf(j.pid)-before)/float64(time.Since(start))*100, "%core")
		})
	}
}

// cpuOf is the CPU time that a process has used, by Linux's accounting; 0 elsewhere.
func cpuOf(pid int) time.Duration {
	if pid == 0 || runtime.GOOS != "linux" {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const ticksPerSecond = 100 // USER_HZ
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond
}
