package api_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"recarga/internal/api"
	"recarga/internal/journal"
	"recarga/internal/journal/search"
	"recarga/topup"
)

type fed struct {
	Data []struct {
		ID      string
		Payload struct {
			Data struct {
				ID topup.ID `json:"distributor_transaction_id"`
			}
		}
	}
	NextCursor *string `json:"next_cursor"`
	NextAfter  string  `json:"next_after"`
}

func (s *server) feed(key, query string) (f fed) {
	s.tb.Helper()
	decode(s.tb, s.get(key, "/v1/events?"+query).want(http.StatusOK).body, &f)
	return f
}

func (f fed) orders() (ids []topup.ID) {
	for _, ev := range f.Data {
		ids = append(ids, ev.Payload.Data.ID)
	}
	return ids
}

// TestFeed: a caller reads its events one after the other, each once, as their webhooks say it, and nobody else's.
func TestFeed(t *testing.T) {
	s := serve(t)
	start := s.feed(shopKey, "after=")
	if len(start.Data) != 0 || start.NextAfter == "" || start.NextCursor != nil {
		t.Errorf("an empty feed: %+v", start)
	}
	var want []topup.ID
	for i := range 5 {
		s.canceled(shopKey, fmt.Sprint("SHOP-", i))
		s.canceled(otherKey, fmt.Sprint("OTHER-", i))
		want = append(want, topup.ID(fmt.Sprint("SHOP-", i)))
	}
	var got []topup.ID
	for after := ""; ; {
		page := s.feed(shopKey, "limit=2&after="+url.QueryEscape(after))
		if len(page.Data) > 2 || page.NextAfter == "" {
			t.Fatalf("a page: %+v", page)
		}
		if after = page.NextAfter; len(page.Data) == 0 {
			break
		}
		got = append(got, page.orders()...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the feed has %v", got)
	}
	if again := s.feed(shopKey, "after="+url.QueryEscape(start.NextAfter)).orders(); !slices.Equal(again, want) {
		t.Errorf("from the start it has %v", again)
	}
	if seen := s.feed(adminKey, "after=&caller=shop").orders(); !slices.Equal(seen, want) {
		t.Errorf("the operator reads %v", seen)
	}
	raw := s.get(shopKey, "/v1/events?after=").want(http.StatusOK).body
	for _, ev := range s.feed(shopKey, "after=").Data {
		kept, err := s.journal.Event(t.Context(), ev.ID)
		if err != nil || !bytes.Contains(raw, append([]byte(`"payload":`), kept.Body...)) {
			t.Errorf("the payload of %s is not %s: %v", ev.ID, kept.Body, err)
		}
	}
}

// TestFeedRefuses what would leave out events, or show somebody else's.
func TestFeedRefuses(t *testing.T) {
	s := serve(t)
	s.canceled(otherKey, "OTHER")
	theirs := url.QueryEscape(s.feed(otherKey, "after=").NextAfter)
	list := url.QueryEscape(*s.listCursor())
	for query, field := range map[string]string{
		"after=" + theirs: "after", "after=" + list: "after", "after=x": "after", "after=&state=pending": "state",
		"after=&type=topup.failed": "type", "after=&cursor=" + theirs: "cursor", "after=&since=2026-01-01T00:00:00Z": "since",
		"wait=1s": "wait", "after=&wait=61s": "wait", "after=&limit=0": "limit",
	} {
		got := s.get(shopKey, "/v1/events?"+query).want(http.StatusUnprocessableEntity).problem().named()
		if !slices.Equal(got, []string{"query." + field}) {
			t.Errorf("%s: %v", query, got)
		}
	}
	s.get(shopKey, "/v1/events?after=&caller=other").want(http.StatusForbidden)
	got := s.get(adminKey, "/v1/events?after=").want(http.StatusUnprocessableEntity).problem().named()
	if !slices.Equal(got, []string{"query.caller"}) {
		t.Errorf("an operator who names no caller: %v", got)
	}
}

// listCursor is a cursor of a list of events.
func (s *server) listCursor() *string {
	s.tb.Helper()
	s.canceled(shopKey, "ONE")
	s.canceled(shopKey, "TWO")
	return s.events(shopKey, "?limit=1").NextCursor
}

// TestFeedIsGone: whoever comes back after what it has not read has left gets 410.
func TestFeedIsGone(t *testing.T) {
	s := serve(t, func(c *api.Config) { c.Book = forgetful{c.Book.(*journal.Journal)} })
	s.get(shopKey, "/v1/events?after=").want(http.StatusGone)
}

// forgetful is a book whose events have left.
type forgetful struct{ *journal.Journal }

func (forgetful) Feed(_ context.Context, _ string, after search.FeedPlace, _ int) ([]topup.Event, search.FeedPlace, error) {
	return nil, after, fmt.Errorf("feed: %w", search.ErrFeedGone)
}

// TestFeedWaits: a request that waits is answered with the first event, announced or found; and at the end with none.
func TestFeedWaits(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaf %t", deaf), func(t *testing.T) {
			t.Parallel()
			w := serveWaiting(t, deaf)
			answers := w.started(1, shopKey, "/v1/events?after=&wait=60s")
			bystander := w.started(2, otherKey, "/v1/events?after=&wait=60s")
			w.canceled(shopKey, "A")
			var page fed
			decode(t, received(t, answers).want(http.StatusOK).body, &page)
			if !slices.Equal(page.orders(), []topup.ID{"A"}) {
				t.Errorf("answered with %+v", page)
			}
			w.waits(1)
			if rest := w.feed(shopKey, "wait=1ms&after="+url.QueryEscape(page.NextAfter)); len(rest.Data) > 0 ||
				rest.NextAfter == "" {
				t.Errorf("at the end of the wait: %+v", rest)
			}
			w.hub.End()
			decode(t, received(t, bystander).want(http.StatusOK).body, &page)
			if len(page.Data) != 0 {
				t.Errorf("a bystander sees %+v", page)
			}
		})
	}
}
