package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"recarga/internal/access"
	"recarga/internal/journal/journaltest"
	"recarga/internal/testkit"
	"recarga/producer"
)

// kiosk and nobody are callers: two thirds of a filled book's orders are the kiosk's, and none is nobody's.
var (
	kiosk  = producer.NewCaller{Name: "kiosk", CallbackURL: "http://127.0.0.1:9/"}
	nobody = producer.NewCaller{Name: "nobody", CallbackURL: "http://127.0.0.1:9/"}
)

// lookFor is the longest that a page may take at the server, with a million orders in the book.
const lookFor = 100 * time.Millisecond

// BenchmarkPages opens the pages of the console, and the lists that an operator filters, in a book of a million
// orders: each within 100 ms at the server. The first time, of which nothing is in the caches yet, is a metric.
func BenchmarkPages(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkPages(b, journaltest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchmarkPages(b, journaltest.Postgres(b).URL()) })
}

func benchmarkPages(b *testing.B, database string) {
	journaltest.Fill(b, database, time.Now())
	w := newWorld(b, nil)
	w.env["RECARGA_DATABASE_URL"], w.env["RECARGA_REDIS_URL"] = database, testkit.Redis(b).URL()
	p := w.start(b, "api") // nobody buys, so that the book stays as it is
	for _, caller := range []producer.NewCaller{kiosk, nobody} {
		if _, err := clientOf(p.apiURL, adminKey).AddCaller(b.Context(), caller); err != nil {
			b.Fatal(err)
		}
	}
	s := newSurfer(b, p)
	if status, page := s.login("ana", adminKey); status != http.StatusOK {
		b.Fatal(status, page)
	}
	held := url.Values{"reason": {"the benchmark asks"}}
	if status, page := s.post("/console/orders/ORD-11/hold", held); status != http.StatusOK {
		b.Fatal(status, page)
	}
	_, events := s.get("/console/events")
	event := regexp.MustCompile(`/console/events/([^"/]+)"`).FindStringSubmatch(events)
	if event == nil {
		b.Fatal(events)
	}
	for _, path := range pagesOf(b, event[1]) {
		b.Run(strings.TrimPrefix(path, "/console/"), func(b *testing.B) {
			began, first, n := time.Now(), time.Duration(0), 0
			for b.Loop() {
				if status, page := s.get(path); status != http.StatusOK {
					_, said, _ := strings.Cut(page, `role="alert">`)
					said, _, _ = strings.Cut(said, "<")
					b.Fatalf("%s: %d: %s", path, status, said)
				}
				if n++; n == 1 {
					first = time.Since(began)
				}
			}
			b.ReportMetric(float64(first.Microseconds())/1000, "first-ms")
			if each := b.Elapsed() / time.Duration(b.N); each > lookFor {
				b.Errorf("it takes %s", each)
			}
		})
	}
}

// pagesOf are the addresses of all pages, and of lists with each filter.
func pagesOf(b *testing.B, event string) (all []string) {
	const unknown, waits, held, ended = "ORD-500000", "ORD-21", "ORD-11", "ORD-654321"
	order := map[string]string{"resolve": unknown, "cancel": waits, "hold": waits, "release": held}
	query := map[string]string{"controls/{action}": "?kind=operator&name=MOVISTAR"}
	for _, name := range access.Names() {
		pattern, is := strings.CutPrefix(name, "GET /console/")
		switch {
		case !is, strings.HasPrefix(pattern, "assets"), pattern == "login", pattern == "follow": // it does not end
			continue
		case pattern == "bulk/{id}", strings.HasSuffix(pattern, "/uphold"): // there is none of these
			continue
		case strings.HasPrefix(pattern, "bulk/"): // with a filter, below
			continue
		}
		id := ended
		if at := order[pattern[strings.LastIndex(pattern, "/")+1:]]; at != "" {
			id = at
		}
		if strings.HasPrefix(pattern, "events/") {
			id = event
		}
		path := strings.NewReplacer("{$}", "", "{id}", id, "{name}", kiosk.Name, "{queue}", "topups", "{action}", "pause").
			Replace(pattern)
		all = append(all, "/console/"+path+query[pattern])
	}
	if len(all) < 20 {
		b.Fatalf("the console has only %q", all)
	}
	const last = "since=2h"
	for _, filter := range []string{
		"?range=day", "?range=week", "suggest?q=ORD-65", "suggest?q=654321", "orders?q=ORD-654321", "orders?q=TXN-654321",
		"orders?q=5530065432", "orders?q=nothing-such", "orders?state=unknown", "orders?state=queued", "orders?state=failed",
		"orders?disputed=true", "orders?caller=kiosk", "orders?caller=nobody", "orders?product=MOVISTAR_TAE",
		"orders?product=MOVISTAR_PAQUETE_16", "orders?finished_since=1m",
		"orders?product=MOVISTAR_PAQUETE_16&caller=kiosk", "orders?product=MOVISTAR_PAQUETE_16&state=succeeded&since=7d",
		"orders?state=succeeded&caller=nobody", "orders?code=00&caller=nobody",
		"orders?phone=5530065432", "orders?code=00", "orders?code=51", "orders?reason=expired", "orders?metadata=cart%3D62",
		"orders?waits_for=operator", "orders?waits_for=balance", "orders?" + last, "orders?finished_" + last,
		"orders?state=succeeded&caller=kiosk&code=00&phone=5530065432&since=7d", "orders?state=failed&caller=kiosk&code=51",
		"bulk/resolve?state=unknown&since=1d", "bulk/cancel?state=queued&caller=kiosk", "bulk/redeliver?state=exhausted",
		"events?state=pending", "events?state=exhausted", "events?state=kept", "events?caller=kiosk", "events?caller=nobody",
		"events?type=topup.succeeded", "events?type=topup.failed", "events?state=delivered&caller=nobody&since=7d",
		"audit?by=ana", "audit?on=ORD-11",
	} {
		all = append(all, "/console/"+filter)
	}
	return all
}
