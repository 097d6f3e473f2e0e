package console_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/console"
	"recarga/internal/journal/search"
	"recarga/internal/queue"
	"recarga/topup"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	s := busy(t)
	s.enter().get("/console/").want(200, "2 unknown", "Money may have moved", "Oldest waiting", "Queue topups", "running",
		"<svg", "half within", "succeeded, all time", "unknown now")
}

var errGone = errors.New("connection refused")

// blind is a book of which parts cannot be read.
type blind struct {
	console.Journal
	orders, balance bool
}

func (b blind) Overview(ctx context.Context, now time.Time, over search.Range) (o search.Overview, err error) {
	if b.orders {
		return o, errGone
	}
	return b.Journal.Overview(ctx, now, over)
}

func (b blind) Balance(ctx context.Context) (s topup.BalanceStanding, err error) {
	if b.balance {
		return s, errGone
	}
	return b.Journal.Balance(ctx)
}

// blindQueue is a Redis that does not answer.
type blindQueue struct{ console.Queue }

func (blindQueue) Glance(context.Context) (map[string]queue.Info, error) { return nil, errGone }

// TestNotKnown: what cannot be read is shown as not known, each part by itself, and never as running or as nothing.
func TestNotKnown(t *testing.T) {
	t.Parallel()
	outage := topup.Restrictions{Outages: map[string]topup.Outage{"TELCEL": {Since: time.Now(), Why: "96"}}}
	for name, tt := range map[string]struct {
		broken    func(*console.Config)
		says, not []string
	}{
		"Redis, during an outage": {
			func(c *console.Config) { c.Queue, c.Purchases = blindQueue{c.Queue}, restricted{outage, errGone} },
			[]string{
				`Purchases <span class="badge plain">not known`, `Queues <span class="badge plain">not known`,
				"Not known: connection refused", "1 unknown", "Redis does not answer",
			},
			[]string{"running", "TELCEL"},
		},
		"orders": {
			func(c *console.Config) {
				c.Journal = blind{c.Journal, true, false}
				c.Purchases = restricted{now: outage}
			},
			[]string{
				"The journal does not answer", "Waiting</dt><dd>not known", "How many orders wait is not known", "TELCEL",
				"Queue topups",
			},
			[]string{"now</span>", "Oldest waiting", "none waits"},
		},
		"balance": {
			func(c *console.Config) { c.Journal = blind{c.Journal, false, true} },
			[]string{"Balance at the distributor</h2>\n<p class=\"quiet unread\">Not known: connection refused", "1 unknown"},
			[]string{"No worker has read it yet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, tt.broken)
			s.held("HELD", ana, time.Now().Add(-time.Minute), time.Second)
			page := s.enter().get("/console/").want(200, tt.says...)
			for _, text := range tt.not {
				if _, main, _ := strings.Cut(page.body, "<main"); strings.Contains(main, text) {
					t.Errorf("it says %q: %s", text, main)
				}
			}
		})
	}
}

// TestFiguresAreUnpacked: whatever the overview shows that is read elsewhere is of the type that can be not known.
func TestFiguresAreUnpacked(t *testing.T) {
	t.Parallel()
	own := []string{"At", "Ranges", "Rate"} // the page's own, and the settings'
	for field := range console.Glance.Fields() {
		if !slices.Contains(own, field.Name) && !strings.HasPrefix(field.Type.String(), "known.Figure[") {
			t.Errorf("%s is a %s: what cannot be read would look like its zero value", field.Name, field.Type)
		}
	}
	if console.Glance.Kind() != reflect.Struct || console.Glance.NumField() < 2*len(own)-1 {
		t.Errorf("%v has no figures", console.Glance)
	}
}

// TestOutages: all are listed with since when, of what, and how many wait; one that recovers hides no other.
func TestOutages(t *testing.T) {
	t.Parallel()
	ago := time.Now().Add(-90 * time.Minute)
	now := topup.Restrictions{PausedUntil: time.Now().Add(time.Minute), Outages: map[string]topup.Outage{
		"MOVISTAR": {Since: ago, Why: "80 % or more failed", Causes: map[string]int{"code 96": 41, "HTTP 502": 9}},
		"ATT":      {Since: ago, RecoveringSince: time.Now(), Why: "80 % or more failed"},
		"UNEFON":   {Since: ago.Add(time.Hour), Why: "no answer at all"},
	}}
	s := open(t, func(c *console.Config) { c.Purchases = restricted{now: now} })
	for i := range 2 {
		r := topup.Request{ID: topup.ID(name(i)), Caller: "shop", Phone: ana, Product: "MOVISTAR_TAE", Amount: topup.Pesos(50)}
		_, _, err := s.journal.Accept(t.Context(), r, time.Now())
		must(t, err)
		must(t, s.journal.Defer(t.Context(), r.ID, 0, topup.WaitOutage, time.Now()))
	}
	s.enter().get("/console/").want(200, `<span class="badge bad">deferred`, "asks for fewer requests (429)",
		"<strong>MOVISTAR is out</strong> since", "for 1 h 30 min", "Mostly <strong>code 96</strong>: 41 of the last 50 failures",
		"2 orders wait", "<strong>ATT recovers</strong>", "<strong>UNEFON is out</strong>", "no answer at all", "0 orders wait")
}

func TestOverviewShowsWhatWaits(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *console.Config) { c.Rate = "200 a minute" })
	r := topup.Request{ID: "BULK", Caller: "default", Phone: ana, Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
		Priority: topup.PriorityBulk}
	_, _, err := s.journal.Accept(t.Context(), r, time.Now())
	must(t, err)
	b := s.enter()
	b.get("/console/").want(200, "Limit</dt><dd>200 a minute", "Waiting, bulk</dt><dd>1<", "Waiting, high</dt><dd>0<")
	b.get("/console/orders/BULK").want(200, "Priority</dt><dd>bulk", "waits: bulk orders share what the others leave")
}

// TestOverviewShowsTheBalance: the newest reading, what drifted, and how long it lasts at the pace of a day: a deposit
// is not set against what was spent.
func TestOverviewShowsTheBalance(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.enter().get("/console/").want(200, "No worker has read it yet")
	var r topup.BalanceReading
	for i, pesos := range []int64{1000, 800, 5000, 4800} {
		at := time.Now().Add(time.Duration(i-4) * time.Hour)
		r = topup.BalanceReading{Amount: topup.Pesos(pesos), Currency: "USD", From: at, At: at}
		must(t, s.journal.RecordBalance(t.Context(), r))
	}
	s.url = s.listen(s.config) // whose overview is not the former one, kept for a moment
	s.enter().get("/console/?range=day").want(200, "4\u202f800.00 <small>USD", "read 1 h 0 min ago",
		"Spent in 24 hours</dt><dd>400.00", "Lasts, at that pace</dt><dd>36 h 0 min", "Drift in 24 hours</dt><dd>0.00",
		"<polyline points=\"0.0,100.0 200.0,104.0 400.0,20.0 600.0,24.0 ")
	_, _, err := s.journal.SetBalanceLow(t.Context(), r, topup.Pesos(20_000), false, time.Now())
	must(t, err)
	s.url = s.listen(s.config)
	s.enter().get("/console/").want(200, "The balance is low", "4\u202f800.00 USD are left")
}

// TestRanges: each has its chart, rates in which a doubt is no success, and links that lead to what they are of.
func TestRanges(t *testing.T) {
	t.Parallel()
	s := busy(t) // two bought, two held: one of them for two hours
	b := s.enter()
	b.get("/console/?range=month").want(http.StatusUnprocessableEntity, "hour, day or week")
	for over, share := range map[string]string{"hour": "66.7 %", "day": "50.0 %", "week": "50.0 %"} {
		page := b.get("/console/?range="+over).want(200, "last "+over, share, "2 succeeded")
		for _, found := range regexp.MustCompile(`href="(/console[^"]*)"`).FindAllStringSubmatch(page.body, -1) {
			link := html.UnescapeString(found[1])
			list := b.get(link).want(200)
			switch {
			case strings.Contains(link, "state=succeeded&") || strings.HasPrefix(link, "/console/orders?finished_since"):
			case strings.Contains(link, "finished_since") && strings.Contains(link, "state=succeeded"):
				list.want(200, ">GOOD<", ">DENIED<")
			case strings.Contains(link, "since=") && strings.Contains(link, "state=unknown"):
				list.want(200, ">EARLY<")
			}
		}
	}
}
