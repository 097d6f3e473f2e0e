package api_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

// ids are valid ids, and of those at the borders all kinds.
func ids() []string {
	all := []string{
		"...", "....", ".a", "..a", ".-", "..:", "a.", "a..", "-", "--", "-x", "-h", "--help", "_", ":", "::", "a:b",
		"http::x", "cancel",
		"batch", "openapi.json", strings.Repeat(".", 64), strings.Repeat(":", 64), strings.Repeat("Z", 64), "5537686660",
		"null", "0",
	}
	const letters = "...---:::___AZaz09"
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		id := make([]byte, 1+random.IntN(64))
		for i := range id {
			id[i] = letters[random.IntN(len(letters))]
		}
		if _, err := topup.ParseID(string(id)); err == nil {
			all = append(all, string(id))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestEveryIDIsReached: whatever id is accepted, its order answers at its Location and by every call that names it,
// and is found by it.
func TestEveryIDIsReached(t *testing.T) {
	s := whole(t, sqliteIn(t))
	var topups []call
	for _, c := range calls(t) {
		if strings.HasPrefix(c.path, "/v1/topups/{id}") {
			topups = append(topups, c)
		}
	}
	if len(topups) < 5 {
		t.Fatalf("only %d calls name an order", len(topups))
	}
	for _, id := range ids() {
		placed := s.place(id).want(http.StatusAccepted)
		if got := orderIn(t, s.get(shopKey, placed.header.Get("Location")).want(http.StatusOK)); got != id {
			t.Errorf("%q is at %s, where %q is", id, placed.header.Get("Location"), got)
		}
		for _, c := range topups {
			got := s.do(c.method, adminKey, c.at(id), bodies()[c.OperationID])
			switch got.status {
			case http.StatusOK:
				if named := orderIn(t, got); named != id {
					t.Errorf("%s of %q answers of %q", c, id, named)
				}
			case http.StatusConflict: // it is there, and not in the state for that
			default:
				t.Errorf("%s of %q: %d %s", c, id, got.status, got.body)
			}
		}
		found := ordersIn(t, s.get(shopKey, "/v1/search?q="+id).want(http.StatusOK))
		if !slices.Contains(found, id) {
			t.Errorf("%q is not found, but %q", id, found)
		}
	}
}

func ordersIn(t *testing.T, a answer) (ids []string) {
	t.Helper()
	var page struct{ Data []named }
	decode(t, a.body, &page)
	for _, o := range page.Data {
		ids = append(ids, o.ID)
	}
	return ids
}

type named struct {
	ID string `json:"distributor_transaction_id"`
}

func orderIn(t *testing.T, a answer) string {
	t.Helper()
	var o named
	decode(t, a.body, &o)
	return o.ID
}

// TestNoPathLeadsElsewhere: an id that a reader of URLs takes out of a path is refused, and a path that holds one is
// answered where it was sent to: a redirect could lead to a call that acts on more.
func TestNoPathLeadsElsewhere(t *testing.T) {
	s := whole(t, sqliteIn(t))
	for _, id := range []string{".", ".."} {
		p := s.place(id).want(http.StatusUnprocessableEntity).problem()
		if diff := cmp.Diff([]string{"body.distributor_transaction_id"}, p.named()); diff != "" {
			t.Errorf("%q: %s", id, diff)
		}
	}
	for _, c := range calls(t) {
		if !strings.Contains(c.path, "{") {
			continue
		}
		for _, part := range []string{".", "..", "%2e", "%2E%2e", "", "%2e%2e%2ftopups"} {
			if got := s.do(c.method, adminKey, c.at(part), bodies()[c.OperationID]); got.status != http.StatusNotFound {
				t.Errorf("%s at %s: %d %s", c, c.at(part), got.status, got.body)
			}
		}
	}
	for _, path := range []string{"/v1//topups", "/v1/topups/", "/v1/./topups", "/v1/../console",
		"/v1/topups/../events"} {
		for _, method := range []string{"GET", "POST"} {
			s.do(method, adminKey, path, "{}").want(http.StatusNotFound)
		}
	}
}
