package journal_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/journal/search"
	"recarga/topup"
)

// lostCharge is a charge of what request asks for.
func lostCharge(id topup.ID) topup.LostCharge {
	r := request(string(id))
	return topup.LostCharge{
		ID: id, Phone: r.Phone, Amount: r.Amount, From: noon.Add(-time.Minute), Until: noon, TransactionID: "TXN-1",
		Reference: "RRN-1", AuthCode: "A1", Evidence: "november.csv, line 7: charged", By: "ana",
	}
}

func (s store) restored(tb testing.TB, id string) topup.Order {
	tb.Helper()
	o, err := s.Restore(tb.Context(), lostCharge(topup.ID(id)), noon)
	must(tb, err)
	return o
}

// testRestore: a charge that the book does not know becomes an order that is sold, never sent, and nobody's until it is
// placed.
func testRestore(t *testing.T, s store) {
	bystander := s.inState(t, "BYSTANDER", topup.StateQueued)
	o := s.restored(t, "A")
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	if o.State != topup.StateSucceeded || o.Caller != "" || !o.Unclaimed || !o.FinishedAt.Equal(noon) ||
		!cmp.Equal(d.Order, o) || len(d.Events) != 0 || len(d.Attempts) != 1 ||
		d.Attempts[0].Outcome != topup.OutcomeUnknown || len(d.Resolutions) != 1 ||
		d.Resolutions[0].Outcome != topup.ResolvedRestored || d.Resolutions[0].By != "ana" {
		t.Errorf("%+v", d)
	}
	standings, err := s.Standings(t.Context(), []topup.ID{"A"})
	must(t, err)
	if is := standings[0]; is.Approved || is.Attempts != 1 || !is.From.Equal(noon.Add(-time.Minute)) ||
		!is.Until.Equal(noon) || is.TransactionID != "TXN-1" {
		t.Errorf("standing %+v", is)
	}
	for n := range 2 {
		if _, err := s.Begin(t.Context(), "A", n, workerName, noon, noon); kind(err) != "lost" {
			t.Errorf("begun after %d attempts: %v", n, err)
		}
	}
	if _, err := s.BeginFirst(t.Context(), "A", workerName, noon, noon); kind(err) != "lost" {
		t.Errorf("begun: %v", err)
	}
	other := lostCharge("A")
	other.Evidence = "another statement"
	taken := lostCharge(bystander.ID)
	for name, c := range map[string]struct {
		charge topup.LostCharge
		err    string
	}{"again": {lostCharge("A"), "ok"}, "once more": {other, "conflict"}, "of a known order": {taken, "conflict"}} {
		if _, err := s.Restore(t.Context(), c.charge, noon); kind(err) != c.err {
			t.Errorf("restored %s: %v, want %s", name, err, c.err)
		}
	}
	if _, err := s.Restore(t.Context(), topup.LostCharge{ID: "B"}, noon); len(topup.FieldErrors(err)) != 4 {
		t.Errorf("without anything: %v", err)
	}
	same, err := s.Order(t.Context(), bystander.ID)
	if err != nil || !cmp.Equal(same, bystander) {
		t.Errorf("the bystander: %s, %v", cmp.Diff(bystander, same), err)
	}
	if counts, err := s.CountByState(t.Context()); err != nil || counts[topup.StateSucceeded] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
}

// testClaim: whoever places a restored order completes it and is notified, if the order can be that; from then on it is
// an order like any other.
func testClaim(t *testing.T, s store) {
	s.restored(t, "A")
	r := request("A")
	r.Metadata, r.ExpiresAt = map[string]string{"till": "7"}, new(noon.Add(-time.Hour)) // expired, as a repeat may be
	changed := func(change func(*topup.Request)) topup.Request {
		other := r
		change(&other)
		return other
	}
	later := noon.Add(time.Minute)
	for _, c := range []struct {
		name    string
		request topup.Request
		err     string
	}{
		{"another amount", changed(func(r *topup.Request) { r.Amount++ }), "conflict"},
		{"another phone", changed(func(r *topup.Request) { r.Phone = "5537686661" }), "conflict"},
		{"its own", r, "ok"},
		{"repeated", r, "ok"},
		{"other metadata", changed(func(r *topup.Request) { r.Metadata = nil }), "conflict"},
		{"another product", changed(func(r *topup.Request) { r.Product = "TELCEL_TAE" }), "conflict"},
		{"another caller", changed(func(r *topup.Request) { r.Caller = "kiosk" }), "conflict"},
	} {
		o, replayed, err := s.Accept(t.Context(), c.request, later)
		if kind(err) != c.err || err == nil && (!replayed || o.State != topup.StateSucceeded || o.Unclaimed ||
			o.Caller != "shop" || o.TransactionID != "TXN-1" || o.Metadata["till"] != "7" || o.Product != r.Product) {
			t.Errorf("%s: replayed %v, %+v, %v", c.name, replayed, o, err)
		}
	}
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	if len(d.Events) != 1 || d.Events[0].Type != topup.EventTypeOf(topup.StateSucceeded) || d.Events[0].Sequence != topup.LostEvents+1 ||
		!d.Events[0].DueAt.Equal(later) ||
		d.Events[0].Caller != "shop" {
		t.Errorf("events %+v", d.Events)
	}
}

// testClaimCorrected: nobody can be notified of the correction of an order that nobody has. Whoever claims it is.
func testClaimCorrected(t *testing.T, s store) {
	s.restored(t, "A")
	c := topup.Correction{Outcome: topup.ResolvedFailed, Reason: "the distributor has refunded it", By: "ana"}
	_, _, err := s.Correct(t.Context(), "A", c, noon)
	must(t, err)
	later := noon.Add(time.Minute)
	o, _, err := s.Accept(t.Context(), request("A"), later)
	must(t, err)
	d, err := s.Details(t.Context(), "A")
	must(t, err)
	if len(d.Events) != 2 || o.State != topup.StateFailed {
		t.Fatalf("%+v, events %+v", o, d.Events)
	}
	event := d.Events[1]
	if event.Type != topup.EventCorrected || event.Sequence != topup.LostEvents+2 || event.Caller != "shop" ||
		!event.DueAt.Equal(later) || !strings.Contains(string(event.Body), `"state":"failed"`) {
		t.Errorf("%+v: %s", event, event.Body)
	}
}

// testClaimRace: of two callers that place a restored order at once, one gets it.
func testClaimRace(t *testing.T, s store) {
	s.restored(t, "A")
	var got [2]atomic.Int64
	each(20, func(i int) {
		r := request("A")
		r.Caller = []string{"shop", "kiosk"}[i%2]
		_, replayed, err := s.Accept(t.Context(), r, noon)
		switch {
		case err == nil && replayed:
			got[i%2].Add(1)
		case kind(err) != "conflict":
			t.Errorf("%s: replayed %v, %v", r.Caller, replayed, err)
		}
	})
	if a, b := got[0].Load(), got[1].Load(); a+b != 10 || a != 0 && b != 0 {
		t.Errorf("shop had it %d times, kiosk %d", a, b)
	}
	if d, err := s.Details(t.Context(), "A"); err != nil || len(d.Events) != 1 {
		t.Errorf("%+v, %v", d.Events, err)
	}
}

// testRestoredPrefix: an id that begins with a caller's prefix is that caller's from the start.
func testRestoredPrefix(t *testing.T, s store) {
	shop := caller("shop", "shop")
	shop.IDPrefix = "S-"
	must(t, s.AddCaller(t.Context(), shop))
	for id, owner := range map[string]string{"S-1": "shop", "S": "", "T-1": ""} {
		if o := s.restored(t, id); o.Caller != owner {
			t.Errorf("%s is of %q, want %q", id, o.Caller, owner)
		}
	}
	r := request("S-1")
	r.Caller = "kiosk"
	if _, _, err := s.Accept(t.Context(), r, noon); kind(err) != "conflict" {
		t.Errorf("placed by another: %v", err)
	}
	if o, replayed, err := s.Accept(t.Context(), request("S-1"), noon); err != nil || !replayed || o.Unclaimed {
		t.Errorf("%+v, %v", o, err)
	}
}

// testRestoredArchive: one that was archived before anybody placed it is answered, and its id stays taken.
func testRestoredArchive(t *testing.T, s store) {
	s.restored(t, "A")
	later := noon.Add(1000 * time.Hour)
	if _, err := s.Archive(t.Context(), later, later, nil); err != nil {
		t.Fatal(err)
	}
	if o, replayed, err := s.Accept(t.Context(), request("A"), later); err != nil || !replayed ||
		o.State != topup.StateSucceeded {
		t.Errorf("%+v, %v", o, err)
	}
	r := request("A")
	r.Amount++
	if _, _, err := s.Accept(t.Context(), r, later); kind(err) != "conflict" {
		t.Errorf("other content: %v", err)
	}
	if _, err := s.Restore(t.Context(), lostCharge("A"), later); kind(err) != "conflict" {
		t.Errorf("restored again: %v", err)
	}
	var left []search.Standing
	for o, err := range s.Sold(t.Context(), noon.Add(-time.Hour), later) {
		must(t, err)
		left = append(left, o)
	}
	if len(left) != 1 || left[0].Attempts != 1 || left[0].Approved || !left[0].Until.Equal(noon) {
		t.Errorf("%+v", left)
	}
}

// restoring and claiming are the operations whose answers are lost.
func restoring(_ testing.TB, s store, id topup.ID) action {
	return func(ctx context.Context) (*topup.Event, error) {
		_, err := s.Restore(ctx, lostCharge(id), noon)
		return nil, err
	}
}

func claiming(tb testing.TB, s store, id topup.ID) action {
	s.restored(tb, string(id))
	return func(ctx context.Context) (*topup.Event, error) {
		_, replayed, err := s.Accept(ctx, request(string(id)), noon)
		if err == nil && !replayed {
			err = fmt.Errorf("%s was taken for a new order", id)
		}
		return nil, err
	}
}
