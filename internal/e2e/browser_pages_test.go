package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"recarga/internal/testkit"
	"recarga/topup"
)

// axe is the program that finds what people with a screen reader, without a mouse or with weak eyes cannot use.
const axe = "axe-core@4.10.3"

// documented are the pages that docs/console.md shows, wide and on a telephone.
var documented = map[string]bool{"order-held-back": true, "bulk-resolve": true, "bulk-action": true, "caller": true,
	"controls": true, "pause": true, "audit": true}

// TestEveryPageInABrowser does what an operator does on the desk, and then opens every page in three looks: axe finds
// no violation, every control can be reached by keyboard, no page is wider than the screen, and the browser logs no
// error.
func TestEveryPageInABrowser(t *testing.T) {
	testkit.Deep(t) // axe comes from npm
	t.Parallel()
	chromium, script := testkit.Chromium(t), axeScript(t)
	w := newWorld(t, nil)
	// unknown orders stay too early to resolve, so that the whole page for it is shown
	w.env["RECARGA_DISTRIBUTOR_TIMEOUT"], w.env["RECARGA_SHUTDOWN_TIMEOUT"] = "2m", "130s"
	w.env["RECARGA_TRACE_URL"] = "https://trace.example/search?id={id}"
	if screenshots+pictures != "" {
		anHour(t, w)
	}
	p := w.start(t, "serve")
	c := p.client()
	for i, phone := range []topup.Phone{"5537686660", "5500000051", "5500000501", "5500000500", "5500000501", "5500000500"} {
		settled(t, c, place(t, c, order(fmt.Sprintf("SHOP-%04d", 1040+i), phone)).ID)
	}
	for i := range 3 {
		r := order(fmt.Sprintf("SHOP-%04d", 1070+i), "5537686663")
		r.ProcessAt, r.Metadata = new(time.Now().Add(time.Hour)), map[string]string{"cart": "62"}
		place(t, c, r)
	}
	const desk = 1440
	b := browse(t, chromium, p.apiURL, desk, 900, false)
	b.name = "1440"
	b.logIn()
	action := b.acts()
	event := get(t, c, "SHOP-1040").Events[0].ID
	pages := []struct{ name, path string }{
		{"overview", ""},
		{"overview-day", "?range=day"},
		{"overview-week", "?range=week"},
		{"orders", "orders"},
		{"orders-unknown", "orders?state=unknown"},
		{"orders-wrong", "orders?metadata=cart%3D62&waits_for=operator"},
		{"order", "orders/SHOP-1040"},
		{"order-unknown", "orders/SHOP-1044"},
		{"order-held-back", "orders/SHOP-1070"},
		{"hold", "orders/SHOP-1071/hold"},
		{"release", "orders/SHOP-1070/release"},
		{"resolve", "orders/SHOP-1044/resolve"},
		{"correct", "orders/SHOP-1041/correct"},
		{"cancel", "orders/SHOP-1071/cancel"},
		{"events", "events"},
		{"event", "events/" + event},
		{"redeliver", "events/" + event + "/redeliver"},
		{"bulk-list", "bulk"},
		{"bulk-action", action},
		{"bulk-resolve", "bulk/resolve?state=unknown"},
		{"bulk-cancel", "bulk/cancel?state=queued"},
		{"bulk-redeliver", "bulk/redeliver?state=delivered"},
		{"callers", "callers"},
		{"caller", "callers/kiosk"},
		{"controls", "controls"},
		{"pause", "controls/pause?" + url.Values{"kind": {"operator"}, "name": {"MOVISTAR"}}.Encode()},
		{"limit", "controls/limit?" + url.Values{"kind": {"rate"}, "value": {"5/s"}}.Encode()},
		{"queue-resume", "queues/topups/resume"},
		{"audit", "audit"},
	}
	looks := []struct {
		name          string
		width, height int64
		dark          bool
	}{
		{"1440", desk, 900, false}, {"1440-dark", desk, 900, true}, {"390", 390, 844, false}, {"390-dark", 390, 844, true},
	}
	for _, look := range looks {
		t.Run(look.name, func(t *testing.T) {
			b := browse(t, chromium, p.apiURL, look.width, look.height, look.dark)
			b.name = look.name
			b.do("login page", chromedp.Navigate(b.url+"/console/"), chromedp.WaitVisible("#key"))
			b.holds("login", script)
			if look == looks[0] {
				b.provesItself(script)
			}
			b.logIn()
			for _, page := range pages {
				b.do(page.name, chromedp.Navigate(b.url+"/console/"+page.path), chromedp.WaitVisible("main h1"))
				b.holds(page.name, script)
				if documented[page.name] && (look.name == "1440" || look.name == "390-dark") {
					b.keepAll(screenshots, page.name+"-"+look.name)
				}
				if look == looks[0] {
					for _, control := range b.unreachable() {
						b.t.Errorf("%s: Tab does not come to %s", page.name, control)
					}
				}
				b.clean()
			}
		})
	}
}

// axeScript is the program itself, to be run in a page.
func axeScript(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	install := exec.CommandContext(t.Context(), testkit.Program(t, "npm", "npm"), "install", "--no-audit", "--no-fund", axe)
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install %s: %v\n%s", axe, err, out)
	}
	script, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

func (b *browser) logIn() {
	b.t.Helper()
	b.do("login", chromedp.Navigate(b.url+"/console/"), chromedp.WaitVisible("#key"), chromedp.SendKeys("#name", "Ana"),
		chromedp.SendKeys("#key", adminKey+kb.Enter), chromedp.WaitVisible(".tiles"))
}

// acts does one of each on the desk, by keyboard, and returns the page of the bulk action.
func (b *browser) acts() (bulkAction string) {
	b.t.Helper()
	because := func(what, why string) {
		b.t.Helper()
		b.do(what, chromedp.WaitVisible("#reason"), chromedp.SendKeys("#reason", why), press("main form button.primary"))
	}
	open := func(path string) {
		b.t.Helper()
		b.do(path, chromedp.Navigate(b.url+"/console/"+path), chromedp.WaitVisible("main h1"))
	}
	open("orders/SHOP-1070")
	b.do("hold", press(`main a[href$="/hold"]`))
	because("hold", "the customer called: a wrong number")
	b.sees("Held back: it is not bought", "an operator holds it back")
	b.do("release", press(`main a[href$="/release"]`))
	because("release", "the number is right after all")
	b.sees("Hold back…")
	open("orders/SHOP-1070/hold")
	because("hold again", "the customer called: a wrong number")
	b.sees("Held back: it is not bought")

	open("controls")
	b.do("pause", press(`form[action$="/pause"] button.danger`))
	because("pause", "the distributor asked for it")
	b.sees("Orders that wait", "the distributor asked for it")

	open("orders?state=unknown")
	b.do("choose", press(`input[value="SHOP-1042"]`, " "), press(`input[value="SHOP-1043"]`, " "),
		press(`main form[action="/console/bulk/resolve"] button`), chromedp.WaitVisible("#reason"))
	b.sees("2 orders of")
	b.do("decide", press(`input[value="failed"]`, " "), press(`input[name="force"]`, " "),
		press(`input[type="checkbox"][required]`, " "))
	because("resolve both", "not in the statement of 23 November")
	b.sees("of 2 done", "Resolve as failed")
	b.do("where", chromedp.Location(&bulkAction))
	_, bulkAction, _ = strings.Cut(bulkAction, "/console/")

	open("callers")
	b.do("add a caller", chromedp.SendKeys("#name", "kiosk"),
		chromedp.SendKeys("#callback_url", "http://kiosk.example/hook"), press("main form button.primary"))
	b.sees("it is not shown again", "whsec_")
	b.fits("secret")
	b.clean()
	return bulkAction
}

// press gives an element the focus and a key: Enter, if it is not said.
func press(element string, key ...string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.WaitVisible(element), chromedp.Focus(element), chromedp.KeyEvent(strings.Join(append(key, kb.Enter)[:1], "")),
	}
}

// provesItself fails unless a control that no reader can name, and no key comes to, is found.
func (b *browser) provesItself(script string) {
	b.t.Helper()
	b.do("break it", chromedp.Evaluate(`document.querySelector("main form").insertAdjacentHTML("beforeend",
		'<button type="button" tabindex="-1" class="broken"></button>'), 0`, nil))
	if v := strings.Join(b.violations(script), "; "); !strings.Contains(v, "button-name") {
		b.t.Errorf("axe finds %q", v)
	}
	if m := b.unreachable(); len(m) != 1 || !strings.Contains(m[0], "broken") {
		b.t.Errorf("Tab does not come to %q", m)
	}
}

// holds keeps a picture of a page, and fails where it is too wide or axe finds what not all can use.
func (b *browser) holds(what, script string) {
	b.t.Helper()
	b.fits(what)
	b.keepAll(pictures, what+"-"+b.name)
	for _, v := range b.violations(script) {
		b.t.Errorf("%s: axe: %s", what, v)
	}
}

// violations are what axe finds on a page.
func (b *browser) violations(script string) (all []string) {
	b.t.Helper()
	awaited := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	var found string
	b.do("axe", chromedp.Evaluate(script, nil), chromedp.Evaluate(`axe.run({ resultTypes: ["violations"] }).then((r) =>
		JSON.stringify(r.violations.map((v) => [v.id, v.help, ...v.nodes.map((n) => n.html)].join(" "))))`, &found, awaited))
	if err := json.Unmarshal([]byte(found), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// unreachable are the controls of a page that the Tab key does not come to.
func (b *browser) unreachable() (missed []string) {
	b.t.Helper()
	var all int
	b.do("controls", chromedp.Evaluate(`(() => {
		const shown = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((e) =>
			e.checkVisibility() && e.type !== "hidden" && !e.disabled);
		const groups = new Set(shown.filter((e) => e.type === "radio").map((e) => e.form.action + e.name));
		window.reached = new Set();
		document.addEventListener("focusin", (event) => window.reached.add(event.target));
		document.activeElement.blur();
		window.wanted = shown.filter((e) => e.type !== "radio");
		return window.wanted.length + groups.size + 10;
	})()`, &all))
	keys := make([]chromedp.Action, 0, all)
	for range all {
		keys = append(keys, chromedp.KeyEvent(kb.Tab))
	}
	b.do("tab", keys...)
	b.do("reached", chromedp.Evaluate(`window.wanted.filter((e) => !window.reached.has(e) && e.isConnected).map((e) =>
		e.outerHTML)`, &missed))
	return missed
}
