package console_test

import (
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/topup"
)

// TestEveryIDHasItsPages: whatever id is accepted, the list leads to its order's page, a search finds it, and the
// pages that it leads to are this order's.
func TestEveryIDHasItsPages(t *testing.T) {
	s := open(t)
	b := s.enter()
	ids := []string{"...", ".a", "..a", "a.", "-", "--", "-h", "_", ":", "a:b", "cancel", strings.Repeat(".", 64),
		strings.Repeat(":", 64)}
	const letters = "...---:::___AZaz09"
	random := rand.New(rand.NewPCG(3, 4))
	for len(ids) < 40 {
		id := make([]byte, 3+random.IntN(62))
		for i := range id {
			id[i] = letters[random.IntN(len(letters))]
		}
		ids = append(ids, string(id))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for i, id := range ids {
		if _, err := topup.ParseID(id); err != nil {
			t.Fatal(err)
		}
		s.held(id, "5537686660", time.Now().Add(-time.Duration(i+1)*time.Hour), time.Minute)
	}
	list := b.get("/console/orders").want(http.StatusOK).body
	for _, id := range ids {
		page := "/console/orders/" + url.PathEscape(id)
		if !strings.Contains(list, `"`+html.EscapeString(page)+`"`) {
			t.Errorf("the list does not lead to %q", id)
		}
		b.get("/console/orders?q=" + url.QueryEscape(id)).to(page)
		shown := b.get(page).want(http.StatusOK, html.EscapeString(id)).body
		forms := 0
		for _, found := range addressOf.FindAllStringSubmatch(shown, -1) {
			address := html.UnescapeString(found[1])
			if !strings.HasPrefix(address, page+"/") {
				continue
			}
			forms++
			b.get(address).want(http.StatusOK, html.EscapeString(id))
		}
		if forms == 0 {
			t.Errorf("the page of %q leads to no form:\n%s", id, shown)
		}
		b.send(http.MethodPost, page+"/resolve", url.Values{"outcome": {"succeeded"}, "reason": {"why"},
			"attempt": {"1"}}.Encode())
		s.wantState(id, topup.StateSucceeded)
	}
}
