package journal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// testPagesInParts: whoever looks for a page among a few orders or events only comes, page by page and both ways, to
// the same as who looks among all.
func testPagesInParts(t *testing.T, s store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	for i := range 60 {
		request := request(fmt.Sprint("A-", i))
		request.Caller, request.Product = one("", "shop"), one("MOVISTAR_TAE", "MOVISTAR_TAE", "MOVISTAR_PAQUETE_16")
		o, _, err := s.Accept(t.Context(), request, noon.Add(time.Duration(r.IntN(30))*time.Second))
		must(t, err)
		if r.IntN(3) > 0 {
			s.finish(t, settlement(s.begin(t, o), pickState(r)))
		}
	}
	for range 40 {
		f := search.Filter{Limit: 1 + r.IntN(5), Caller: one("", "", "shop"), Product: one("", "MOVISTAR_PAQUETE_16"),
			State: topup.State(one("", "", "succeeded", "failed")), Code: topup.Code(one("", "00"))}
		if r.IntN(3) == 0 {
			f.Since, f.Until = noon.Add(10*time.Second), noon.Add(20*time.Second)
		}
		all, end := s.walk(t, f)
		f.MostRead = 1 + r.IntN(12)
		parts, last := s.walk(t, f)
		if diff := cmp.Diff(all, parts); diff != "" || end.Older != "" || last.Older != "" {
			t.Fatalf("all orders of %+v (-), and %d at a time (+):\n%s", f, f.MostRead, diff)
		}
		var back []topup.ID
		f.Cursor = last.Newer
		for seen := idsOn(last); ; {
			back = slices.Concat(seen, back)
			if f.Cursor == "" {
				break
			}
			page, err := s.PageBefore(t.Context(), f)
			must(t, err)
			// The first page is whole, and has what was seen of it already.
			seen = slices.DeleteFunc(idsOn(page), func(id topup.ID) bool { return slices.Contains(back, id) })
			if f.Cursor = page.Older; f.Cursor != "" {
				older, _ := s.walk(t, f)
				if diff := cmp.Diff(slices.Concat(seen, back), slices.Concat(idsOn(page), older)); diff != "" {
					t.Fatalf("what follows a page of %+v (-), and where Older leads (+):\n%s", f, diff)
				}
			}
			f.Cursor = page.Newer
		}
		if diff := cmp.Diff(all, back); diff != "" {
			t.Fatalf("all orders of %+v (-), and from the last page back (+):\n%s", f, diff)
		}
		s.eventsInParts(t, topup.EventFilter{Limit: 1 + r.IntN(5), Caller: one("", "shop"),
			State: topup.EventState(one("", "pending", "delivered")), Type: topup.EventType(one("", "topup.failed"))}, 1+r.IntN(12))
	}
}

// pickState is one that a purchase comes to.
func pickState(r *rand.Rand) topup.State {
	return []topup.State{topup.StateSucceeded, topup.StateSucceeded, topup.StateFailed, topup.StateUnknown}[r.IntN(4)]
}

// walk goes through all pages of a filter, to the last.
func (s store) walk(t *testing.T, f search.Filter) (ids []topup.ID, page search.Page) {
	t.Helper()
	for {
		var err error
		page, err = s.Page(t.Context(), f)
		must(t, err)
		ids = append(ids, idsOn(page)...)
		if f.Cursor = page.Older; f.Cursor == "" {
			return ids, page
		}
	}
}

func idsOn(p search.Page) (ids []topup.ID) {
	for _, o := range p.Orders {
		ids = append(ids, o.ID)
	}
	return ids
}

func (s store) eventsInParts(t *testing.T, f topup.EventFilter, most int) {
	t.Helper()
	var lists [2][]string
	for i, most := range []int{0, most} {
		for f.MostRead, f.Cursor = most, ""; ; {
			events, next, err := s.Events(t.Context(), f)
			must(t, err)
			for _, ev := range events {
				lists[i] = append(lists[i], ev.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
	}
	if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
		t.Fatalf("all events of %+v (-), and %d at a time (+):\n%s", f, most, diff)
	}
}
