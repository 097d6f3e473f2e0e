package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/producer"
)

// BenchmarkEndpoints is the delay from an order's acceptance to its webhook for 18 endpoints out of 20, at
// 200 orders a second, b.N seconds long (-benchtime 10x). With bad ones, the other two do harm: one hangs, one
// always fails. Two programs, one without orders of the bad ones, are measured in turn, second by second;
// "ratio" is the good endpoints' delay with the bad ones beside it without them.
func BenchmarkEndpoints(b *testing.B) {
	quiet, disturbed := newMall(b, badShops), newMall(b, 0)
	for b.Loop() {
		quiet.second(b)
		disturbed.second(b)
	}
	for _, q := range []float64{0.5, 0.99} {
		without, with := quantile(quiet.delays, q), quantile(disturbed.delays, q)
		name := strconv.Itoa(int(q * 100))
		b.ReportMetric(float64(without.Microseconds())/1000, "without-p"+name+"-ms")
		b.ReportMetric(float64(with.Microseconds())/1000, "with-p"+name+"-ms")
		b.ReportMetric(float64(with)/float64(without), "ratio-p"+name)
	}
}

func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}

const (
	shopsInMall = 20
	badShops    = 2
	perSecond   = 200
)

// mall is twenty shops with an endpoint each.
type mall struct {
	url  string
	keys []string
	// first is the first shop that places orders.
	first int

	mu       sync.Mutex
	accepted map[string]time.Time
	notified map[string]time.Time
	delays   []time.Duration
	left     sync.WaitGroup // good orders that were not notified yet
}

func newMall(b *testing.B, first int) *mall {
	w := newWorld(b, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(b).URL()
	w.env["RECARGA_LOG_LEVEL"] = "error"
	w.env["RECARGA_HTTP_ADDR"] = fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(b))
	m := &mall{url: "http://" + w.env["RECARGA_HTTP_ADDR"], first: first, accepted: map[string]time.Time{},
		notified: map[string]time.Time{}}
	w.launch(b, "serve")
	testkit.Eventually(b, patience, func() bool {
		status, _, _ := try(b.Context(), pool, http.MethodGet, m.url+"/openapi.json", "")
		return status == http.StatusOK
	}, "recarga answers")
	admin := clientOf(m.url, adminKey)
	for i := range shopsInMall {
		hook := httptest.NewServer(m.hook(i))
		b.Cleanup(func() { hook.CloseClientConnections(); hook.Close() })
		shop, err := admin.AddCaller(b.Context(), producer.NewCaller{Name: fmt.Sprintf("shop-%d", i), CallbackURL: hook.URL})
		if err != nil {
			b.Fatal(err)
		}
		m.keys = append(m.keys, shop.APIKey)
	}
	return m
}

// hook is a shop's endpoint: the first one hangs, the second one always fails.
func (m *mall) hook(shop int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
		case shop == 0:
			<-r.Context().Done()
		case shop == 1:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, id, _ := strings.Cut(string(body), `"distributor_transaction_id":"`)
			id, _, _ = strings.Cut(id, `"`)
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.notified[id].IsZero() {
				m.notified[id] = time.Now()
				m.left.Done()
			}
		}
	}
}

// second places 200 orders evenly over a second and waits until the good shops are notified.
func (m *mall) second(b *testing.B) {
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var ids []string
	var placing sync.WaitGroup
	for i := range perSecond {
		shop := m.first + i%(shopsInMall-m.first)
		id := "M-" + strconv.FormatInt(sequence.Add(1), 10)
		if shop >= badShops {
			ids = append(ids, id)
			m.left.Add(1)
		}
		<-tick.C
		placing.Go(func() {
			began := time.Now()
			body := fmt.Sprintf(`{"distributor_transaction_id":"%s","phone_number":"5537686660","product_id":"MOVISTAR_TAE","amount":10}`, id)
			if status, _, err := try(b.Context(), pool, http.MethodPost, m.url+"/v1/topups", body, "Content-Type",
				"application/json", "Authorization", "Bearer "+m.keys[shop]); err != nil || status >= 300 {
				b.Error(status, err)
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.accepted[id] = began
		})
	}
	placing.Wait()
	m.left.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.delays = append(m.delays, m.notified[id].Sub(m.accepted[id]))
	}
}

var (
	pool     = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
	sequence atomic.Int64
)
