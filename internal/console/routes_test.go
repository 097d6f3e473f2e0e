package console_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"recarga/internal/console"
	"recarga/topup"
)

// TestEveryRouteRefusesOtherParameters: on all routes there are, with forms that would otherwise act.
func TestEveryRouteRefusesOtherParameters(t *testing.T) {
	s := busy(t)
	b := s.enter()
	before := s.book()
	event := s.order("GOOD").Events[0].ID
	page, err := console.New(s.config)
	must(t, err)
	for _, route := range page.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		id := "HELD"
		switch {
		case strings.Contains(path, "/cancel"):
			id = "WAITS"
		case strings.Contains(path, "/correct"), strings.Contains(path, "/uphold"):
			id = "GOOD"
		case strings.Contains(path, "/events/"):
			id = event
		}
		path = strings.NewReplacer("{$}", "", "{id}", id, "{queue}", "topups", "{action}", "pause", "{file}",
			"console.css").Replace(path)
		t.Run(route.Pattern, func(t *testing.T) {
			b.tb = t
			form := url.Values{}
			for _, name := range route.Form {
				form.Set(name, sample(name))
			}
			refused := func(query, form url.Values, names string) {
				t.Helper()
				address := path
				if len(query) > 0 {
					address += "?" + query.Encode()
				}
				b.send(method, address, form.Encode()).want(http.StatusUnprocessableEntity, html.EscapeString(names),
					"Nothing was done")
			}
			refused(url.Values{"nonsense": {"1"}}, form, "nonsense")
			refused(url.Values{"state=unknown&caller=shop": {""}}, form, "state=unknown&caller=shop")
			for _, name := range route.Query {
				if !strings.HasSuffix(name, "[]") { // which may be given often
					refused(url.Values{name: {"", ""}}, form, name)
				}
			}
			b.send(method, path+"?%zz", form.Encode()).want(http.StatusUnprocessableEntity, "query")
			for _, text := range notTexts {
				for _, name := range route.Query {
					refused(url.Values{name: {text}}, form, "UTF-8 text without NUL")
				}
				if at := strings.Replace(path, id, url.PathEscape(text), 1); at != path {
					b.send(method, at, form.Encode()).want(http.StatusUnprocessableEntity, "path: ", "UTF-8 text without NUL")
				}
			}
			if method != http.MethodPost {
				return
			}
			refused(nil, with(form, "nonsense", "1"), "nonsense")
			for _, name := range route.Form {
				if !strings.HasSuffix(name, "[]") {
					refused(nil, with(form, name, sample(name), sample(name)), name)
				}
				for _, text := range notTexts {
					refused(nil, with(form, name, text), "UTF-8 text without NUL")
				}
			}
		})
	}
	if diff := cmp.Diff(before, s.book()); diff != "" {
		t.Errorf("a refused request changed the book: %s", diff)
	}
}

// notTexts can stand in no database.
var notTexts = []string{"a\x00b", "\x00", "a\xff", "\xc3\x28", "\xed\xa0\x80"}

// sample is a value that a form would act with.
func sample(field string) string {
	switch field {
	case "outcome":
		return "failed"
	case "was":
		return "succeeded"
	case "force":
		return "yes"
	case "attempt":
		return "1"
	case "key":
		return adminKey
	case "kind":
		return "purchases"
	case "via":
		return "api"
	case "since", "until":
		return "2026-01-31T18:00"
	}
	return "text"
}

func with(form url.Values, name string, values ...string) url.Values {
	more := url.Values{}
	for n, v := range form {
		more[n] = v
	}
	more[name] = values
	return more
}

func TestFormsOfAnotherTypeAreRefused(t *testing.T) {
	s := busy(t)
	b := s.enter()
	body := "--x\r\nContent-Disposition: form-data; name=\"reason\"\r\n\r\nwhy\r\n--x--\r\n"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/console/orders/WAITS/cancel",
		strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := b.client.Do(r)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("status %d", response.StatusCode)
	}
	s.wantState("WAITS", topup.StateQueued)
}

func TestSearchTakesNoFilter(t *testing.T) {
	b := busy(t).enter()
	b.get("/console/orders?q=GOOD&state=unknown").want(http.StatusBadRequest, "one or the other")
	b.get("/console/orders?q=GOOD&state=").to("/console/orders/GOOD")
}

var (
	addressOf = regexp.MustCompile(`(?:href|action|src)="((?:\{\{[^{}]*\}\}|[^"{])*)"`)
	// wholly an action, or one of two.
	whole = regexp.MustCompile(`^(?:\{\{[^{}]*\}\}|\{\{if [^{}]*\}\}\{\{[^{}]*\}\}\{\{else\}\}\{\{[^{}]*\}\}\{\{end\}\})$`)
)

// TestAddressesAreWholeAttributes: html/template escapes a value once more that stands within an address. Only what
// is the whole of it is written as it is.
func TestAddressesAreWholeAttributes(t *testing.T) {
	found := 0
	must(t, fs.WalkDir(console.Templates, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		source, err := fs.ReadFile(console.Templates, path)
		for _, m := range addressOf.FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(m[1], "{{") {
				continue
			}
			found++
			if !whole.MatchString(m[1]) {
				t.Errorf("%s: %s mixes text with values; make the address with page or filtered", path, m[1])
			}
		}
		return err
	}))
	if found < 20 {
		t.Errorf("only %d addresses found", found)
	}
}

// TestLinksKeepTheirFilter follows every link of the pages, from lists with awkward filters on. A link with a filter
// must land on a page that shows this filter, and one to a bulk action must have its page's own.
func TestLinksKeepTheirFilter(t *testing.T) {
	s := busy(t)
	now := time.Now()
	awkward := []string{"a&b=c", "50%25 ñ+/?#", `"><i>`}
	for i, caller := range awkward {
		s.heldFor(s.placedBy(caller, fmt.Sprintf("HELD-%d", i), luis, now), now.Add(-time.Hour), time.Minute)
		s.placedBy(caller, fmt.Sprintf("WAITS-%d", i), luis, now)
	}
	for i := range 60 { // more than a page
		s.held(name(i), luis, now.Add(-time.Hour), time.Minute)
	}
	b := s.enter()
	var visit []string
	for _, caller := range append(awkward, "shop") {
		for _, state := range []string{"", "unknown", "queued", "succeeded", "delivered", "pending"} {
			q := url.Values{"caller": {caller}, "since": {"2020-01-31T18:00"}, "until": {"2099-01-31T18:00"}}
			if state != "" {
				q.Set("state", state)
			}
			if state == "delivered" || state == "pending" {
				visit = append(visit, "/console/events?"+q.Encode())
				continue
			}
			q.Set("product", "MOVISTAR_TAE")
			visit = append(visit, "/console/orders?"+q.Encode())
		}
	}
	visit = append(visit, "/console/", "/console/callers")
	seen := map[string]bool{}
	bulk := 0
	for len(visit) > 0 {
		at := visit[0]
		visit = visit[1:]
		if seen[at] || !strings.HasPrefix(at, "/console") {
			continue
		}
		seen[at] = true
		page := b.get(at).want(http.StatusOK)
		u, err := url.Parse(at)
		must(t, err)
		if strings.HasPrefix(at, "/console/assets/") || u.Path == "/console/audit.csv" {
			continue
		}
		wantShown(t, at, u, page.body)
		for _, link := range linksOf(t, page.body) {
			to, err := url.Parse(link)
			must(t, err)
			if strings.HasPrefix(to.Path, "/console/bulk/") {
				bulk++
				if diff := cmp.Diff(filterIn(u), filterIn(to)); diff != "" {
					t.Errorf("%s leads to %s, another filter: %s", at, link, diff)
				}
			}
			visit = append(visit, link)
		}
	}
	if bulk < 8 || len(seen) < 100 {
		t.Errorf("%d pages with %d links to bulk actions were found", len(seen), bulk)
	}
}

// filterIn is what of an address chooses things.
func filterIn(u *url.URL) url.Values {
	q := u.Query()
	q.Del("cursor")
	q.Del("range") // of the overview, which chooses no orders
	q.Del("newer")
	return q
}

// wantShown compares the filter in the address of a page with the one that the page shows.
func wantShown(t *testing.T, at string, u *url.URL, body string) {
	t.Helper()
	shown := url.Values{}
	for node := range parse(t, body).Descendants() {
		name, value := attr(node, "name"), attr(node, "value")
		switch {
		case node.Data == "input" && slices.Contains([]string{"state", "disputed", "caller", "phone", "since", "until",
			"finished_since", "finished_until", "act", "by", "action", "on"}, name) && value != "":
			shown.Set(name, value)
		case node.Data == "option" && has(node, "selected") && node.FirstChild != nil && node.FirstChild.Data != "any":
			shown.Set(attr(node.Parent, "name"), node.FirstChild.Data)
		case node.Data == "dd" && attr(node.Parent, "class") == "chosen" && text(node.PrevSibling) != "any":
			shown.Set(text(node.PrevSibling), text(node))
		}
	}
	if diff := cmp.Diff(filterIn(u), shown); diff != "" {
		t.Errorf("%s shows another filter than it was asked for: %s", at, diff)
	}
}

func parse(t *testing.T, body string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	must(t, err)
	return doc
}

func linksOf(t *testing.T, body string) (links []string) {
	t.Helper()
	for node := range parse(t, body).Descendants() {
		if link := attr(node, "href"); node.Data == "a" && link != "" && !strings.HasPrefix(link, "#") {
			links = append(links, link)
		}
	}
	return links
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
