package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"recarga/internal/journal"
	"recarga/internal/testkit"
	"recarga/topup"
)

// screenshots is where the browser tests leave the pictures that the documents show, and pictures where those of every
// page go; empty: nowhere. docs/console.md has the commands.
var screenshots, pictures = os.Getenv("RECARGA_SCREENSHOTS"), os.Getenv("RECARGA_PICTURES")

// TestConsoleInABrowser walks from the login to a resolved order in Chromium, on a desk and on a telephone, in
// light and dark. No page may break its content security policy, log an error, or be wider than the screen.
func TestConsoleInABrowser(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	chromium := testkit.Chromium(t)
	w := newWorld(t, nil)
	// it stays too early to resolve
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "2m", "130s"
	if screenshots != "" {
		anHour(t, w)
	}
	p := w.start(t, "serve")
	c := p.client()
	for i, phone := range []topup.Phone{"5537686660", "5551234567", "5548127790", "3312345678", "5500001091",
		"5500000051", "5500000083", "5537686661", "8187654321"} {
		settled(t, c, place(t, c, order(fmt.Sprintf("SHOP-%04d", 1040+i), phone)).ID)
	}
	for i, phone := range []topup.Phone{"5500000501", "5500000500"} {
		settled(t, c, place(t, c, order(fmt.Sprintf("SHOP-%04d", 1060+i), phone)).ID)
	}
	for i := range 3 {
		r := order(fmt.Sprintf("SHOP-%04d", 1070+i), "5537686663")
		r.ProcessAt = new(time.Now().Add(time.Hour))
		place(t, c, r)
	}
	for _, look := range []struct {
		name          string
		width, height int64
		dark          bool
		held          string
	}{
		{"desk", 1120, 760, false, "SHOP-1060"},
		{"telephone", 390, 844, true, "SHOP-1061"},
	} {
		t.Run(look.name, func(t *testing.T) {
			b := browse(t, chromium, p.apiURL, look.width, look.height, look.dark)
			b.name = look.name
			b.do("login", chromedp.Navigate(b.url+"/console/"), chromedp.WaitVisible("#key"),
				chromedp.SendKeys("#name", "Ana"), chromedp.SendKeys("#key", adminKey+kb.Enter), chromedp.WaitVisible(".tiles"))
			b.sees(" unknown", "Orders by when they ended", "Queue topups")
			b.do("balance", chromedp.WaitVisible(".big")) // comes by itself: the page is live
			b.picture("overview")
			b.do("list", chromedp.Navigate(b.url+"/console/orders"), chromedp.WaitVisible("table"))
			b.foldedFilter(look.name == "telephone")
			b.picture("search")
			b.do("slash", input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"),
				chromedp.Poll(`document.activeElement.id === "q"`, nil))
			b.do("search by keyboard", chromedp.KeyEvent(look.held+kb.Enter), chromedp.WaitVisible(".life"))
			b.sees("Money may have moved", "Attempt 1", "unknown")
			b.picture("order")
			b.do("resolve", chromedp.Click("a.primary"), chromedp.WaitVisible("#reason"),
				chromedp.Click(`input[value="failed"]`), chromedp.SendKeys("#reason", "not in the statement of 23 November"))
			b.picture("resolve")
			b.do("too early", chromedp.Click("main button.primary"), chromedp.WaitVisible(`input[name="force"]`))
			b.do("forced", chromedp.Click(`input[name="force"]`), chromedp.Click("main button.primary"),
				chromedp.WaitVisible(".alert.done"))
			b.sees("Resolved.", "by Ana: not in the statement of 23 November")
			for _, path := range []string{"/console/events", "/console/callers", "/console/queues/topups/pause"} {
				b.do(path, chromedp.Navigate(b.url+path), chromedp.WaitVisible("main h1"))
				b.fits(path)
			}
			b.clean() // what follows is asynq's page, not ours
			b.do("queues", chromedp.Navigate(b.url+"/queues/"), chromedp.WaitVisible("#root"))
			b.sees("topups")
		})
	}
}

// foldedFilter: on a telephone the filter of a list is folded, so that an amount is in the first screen, and opens by
// keyboard; on a desk it is always open.
func (b *browser) foldedFilter(telephone bool) {
	b.t.Helper()
	shown := func() (filter, money bool) {
		b.do("look", chromedp.Evaluate(`document.querySelector("input[name=phone]").checkVisibility({ contentVisibilityAuto: true,
			visibilityProperty: true }) && document.querySelector("input[name=phone]").getBoundingClientRect().height > 0`, &filter),
			chromedp.Evaluate(`document.querySelector("td.money").getBoundingClientRect().bottom < innerHeight`, &money))
		return filter, money
	}
	if filter, money := shown(); filter == telephone || !money {
		b.t.Errorf("the filter is open: %v; an amount is in the first screen: %v", filter, money)
	}
	if !telephone {
		return
	}
	b.do("unfold", press(".folded > summary"))
	if filter, _ := shown(); !filter {
		b.t.Error("the filter stays folded")
	}
	b.do("fold", press(".folded > summary"))
}

// anHour is what a picture needs: an hour of orders, in a book that nobody has open yet.
func anHour(t *testing.T, w *world) {
	t.Helper()
	j, err := journal.Open(t.Context(), w.env["RECARGA_DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-time.Hour)
	for i := range 274 {
		at := start.Add(time.Duration(i)*13*time.Second + time.Duration(i*i%17)*time.Second)
		if i%7 < 2 && i > 90 && i < 170 { // a quiet time
			continue
		}
		if err := history(t.Context(), j, i, at); err != nil {
			t.Fatal(err)
		}
		left := 100_000 + 47*(274-i)
		if i < 150 { // then somebody pays in
			left -= 9_000
		}
		reading := topup.BalanceReading{Amount: topup.Pesos(int64(left)), Currency: "USD", From: at, At: at}
		if err := j.RecordBalance(t.Context(), reading); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	endedThen(t, strings.TrimPrefix(w.env["RECARGA_DATABASE_URL"], "sqlite:"))
}

// endedThen has the orders of a book counted at the times of their ends: the book itself counts them when they are
// written.
func endedThen(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `DELETE FROM ended;
		INSERT INTO ended SELECT span, finished_at / 1000000 / span * span, state, 0, COUNT(*)
		FROM orders, (SELECT 60 AS span UNION SELECT 3600) WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3`); err != nil {
		t.Fatal(err)
	}
}

// history is one order of the hour, bought or declined, and notified.
func history(ctx context.Context, j *journal.Journal, i int, at time.Time) error {
	products := topup.DefaultCatalog().Products()
	product := products[i*i%len(products)]
	phone := topup.Phone(fmt.Sprintf("55%08d", 10_000_019*(i+1)%100_000_000))
	o, _, err := j.Accept(ctx, topup.Request{ID: topup.ID(fmt.Sprintf("SHOP-%04d", 600+i)), Caller: topup.DefaultCaller,
		Phone: phone, Product: product.ID, Amount: product.Min}, at)
	if err != nil {
		return err
	}
	if o, err = j.Begin(ctx, o.ID, 0, "worker-1", at.Add(time.Minute), at); err != nil {
		return err
	}
	end := at.Add(time.Duration(900+i*i%2300) * time.Millisecond)
	s := topup.Settlement{ID: o.ID, Number: 1, State: topup.StateSucceeded, Result: topup.Result{
		Outcome: topup.OutcomeApproved, HTTPStatus: 200, Code: "00", Message: "Aprobado",
		TransactionID: fmt.Sprintf("TXN-%d", end.UnixMilli()), Reference: fmt.Sprintf("RRN-%012d",
			88_000_000+i), AuthCode: fmt.Sprintf("A%05d", i),
	}}
	if i%23 == 5 {
		s.State, s.Reason = topup.StateFailed, topup.ReasonDeclined
		s.Result = topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 400, Code: "83", Message: "DN invalido"}
	}
	_, ev, err := j.Finish(ctx, s, end)
	if err != nil {
		return err
	}
	status := 204
	return j.RecordTry(ctx, *ev, topup.Try{At: end, Status: &status, DurationMS: 21}, topup.EventDelivered, time.Time{})
}

// browser is a window of Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string
	// name is what its pictures are called after.
	name string

	mu         sync.Mutex
	complaints []string
}

func browse(t *testing.T, chromium, url string, width, height int64, dark bool) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: url}
	chromedp.ListenTarget(ctx, b.listen)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	if err := chromedp.Run(ctx); err != nil { // it lives as long as the context that it is started with
		t.Fatal(err)
	}
	b.do("start", chromedp.EmulateViewport(width, height), log.Enable(),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
	return b
}

// listen collects what the browser complains of.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// The page asked for a refusal with 409, which Chromium logs as an error.
		if e.Entry.Level == log.LevelError && !strings.Contains(e.Entry.Text, "409") {
			b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Error())
	}
}

func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complaints {
		b.t.Errorf("the browser complains: %s", text)
	}
}

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// sees waits until the page shows all these texts.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	var body string
	testkit.Eventually(b.t, patience, func() bool {
		b.do("read", chromedp.Evaluate(`document.body?.innerText ?? ""`, &body))
		for _, text := range texts {
			if !strings.Contains(body, text) {
				return false
			}
		}
		return true
	}, "the page shows %q", texts)
}

// fits fails when the page is wider than the window.
func (b *browser) fits(what string) {
	b.t.Helper()
	var extra int
	b.do("measure", chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`,
		&extra))
	if extra > 0 {
		b.t.Errorf("%s is %d pixels wider than the screen", what, extra)
	}
}

// picture keeps what the window shows, where pictures are wanted: each page on a desk, the overview on a telephone too.
func (b *browser) picture(what string) {
	b.t.Helper()
	b.fits(what)
	switch {
	case b.name != "desk" && what != "overview":
	case what == "overview" && b.name == "desk":
		b.keepAll(screenshots, what+"-"+b.name)
	default:
		b.keep(screenshots, what+"-"+b.name, chromedp.CaptureScreenshot)
	}
}

// keepAll writes a picture of the whole page, below the window's edge too.
func (b *browser) keepAll(folder, name string) {
	b.t.Helper()
	b.keep(folder, name, func(png *[]byte) chromedp.Action { return chromedp.FullScreenshot(png, 100) })
}

// keep writes a picture, if there is a folder for it.
func (b *browser) keep(folder, name string, shoot func(png *[]byte) chromedp.Action) {
	b.t.Helper()
	if folder == "" {
		return
	}
	var png []byte
	b.do("picture", shoot(&png))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
