package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/bulk"
	"recarga/internal/console"
	"recarga/internal/journal/search"
	"recarga/topup"
)

// asked is the seal of the page that asks for a confirmation.
func (a answer) asked() string {
	a.tb.Helper()
	_, rest, ok := strings.Cut(a.body, `name="seal" value="`)
	if !ok {
		a.tb.Fatalf("does not ask: %s", a.body)
	}
	seal, _, _ := strings.Cut(rest, `"`)
	return seal
}

// confirm sends the form of a bulk action.
func (b *browser) confirm(action, seal string) answer {
	b.tb.Helper()
	form := []string{"reason", "by the statement", "seal", seal}
	if action == "resolve" {
		form = append(form, "outcome", "failed")
	}
	return b.post("/console/bulk/"+action, form...)
}

// finished is the page of the action that was begun, once it is done.
func (a answer) finished(s *site, b *browser) answer {
	a.tb.Helper()
	a.want(http.StatusSeeOther)
	must(a.tb, s.bulk.Do(a.tb.Context()))
	return b.get(a.header.Get("Location"))
}

// sealed has two orders of luis that are held, and others.
func sealed(t *testing.T) (s *site, b *browser) {
	t.Helper()
	s = busy(t)
	for i := range 2 {
		s.held(name(i), luis, time.Now().Add(-time.Hour), time.Minute)
	}
	return s, s.enter()
}

const ofLuis = "/console/bulk/resolve?state=unknown&phone=8112345678"

func TestBulkResolve(t *testing.T) {
	s, b := sealed(t)
	before := s.book()
	seal := b.get(ofLuis).want(200, ">2 ", "<dt>phone</dt><dd>8112345678</dd>", "<dt>any</dt><dd>disputed, caller, product, code,",
		"shop (2)").asked()
	b.post("/console/bulk/resolve", "seal", seal, "outcome", "failed").want(http.StatusUnprocessableEntity, "Say why")
	b.post("/console/bulk/resolve", "seal", seal, "outcome", "none", "reason", "x").want(http.StatusUnprocessableEntity,
		"outcome")
	b.post("/console/bulk/resolve", "seal", seal, "reason", "x").want(http.StatusUnprocessableEntity, "outcome")
	if diff := cmp.Diff(before, s.book()); diff != "" {
		t.Errorf("before it was confirmed: %s", diff)
	}
	b.confirm("resolve", seal).finished(s, b).want(200, ">2 <small>of 2 done<", "by the statement", "<dd>ana</dd>", "</html>")
	after := s.book()
	for i := range 2 {
		s.wantState(name(i), topup.StateFailed)
		delete(before, topup.ID(name(i)))
		delete(after, topup.ID(name(i)))
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("others changed: %s", diff)
	}
	if strings.Contains(s.log.String(), luis.Digits()) {
		t.Error("a phone number is logged")
	}
}

func TestBulkNamesRefusals(t *testing.T) {
	s, b := sealed(t)
	seal := b.get("/console/bulk/resolve?state=unknown").want(200, ">4 ").asked()
	b.confirm("resolve", seal).finished(s, b).want(200, ">3 <small>of 4 done, 1 refused<", "order EARLY: the outcome of its attempt may still arrive")
	s.wantState("EARLY", topup.StateUnknown)
}

// TestBulkAsksAgain: what matches has changed between the question and the answer.
func TestBulkAsksAgain(t *testing.T) {
	ago := time.Now().Add(-time.Hour)
	settle := func(s *site, id string, as topup.ResolvedAs) topup.Order {
		s.tb.Helper()
		decision := topup.Resolution{Outcome: as, Reason: "by phone", By: "luis"}
		o, _, err := s.journal.Resolve(s.tb.Context(), topup.ID(id), decision, time.Now())
		must(s.tb, err)
		return o
	}
	tests := []struct {
		name string
		// meanwhile is what happens; done is what is acted on, or nothing where it asks again, which names asks.
		meanwhile func(*site)
		done      int
		asks      string
	}{
		{"nothing", func(*site) {}, 2, ""},
		{"grown", func(s *site) { s.held("NEW", luis, ago, time.Minute) }, 0, "One of these has come"},
		{"grown by an older one", func(s *site) { s.held("NEW", luis, ago.Add(-time.Hour), time.Minute) }, 0,
			"One of these has come"},
		{"grown by two", func(s *site) {
			s.held("NEW", luis, ago, time.Minute)
			s.held("NEWER", luis, ago, time.Minute)
		}, 0, "2 of these have come"},
		{"one for another", func(s *site) {
			settle(s, name(0), topup.ResolvedSucceeded)
			s.held("NEW", luis, ago.Add(-time.Hour), time.Minute)
		}, 0, "One of these has come"},
		{"sent again, and held again", func(s *site) {
			s.heldFor(settle(s, name(0), topup.ResolvedResend), time.Now(), 0)
		}, 0, "One of these has come, or has changed"},
		{"fewer", func(s *site) { settle(s, name(0), topup.ResolvedSucceeded) }, 1, ""},
		{"others", func(s *site) { s.held("NEW", ana, ago, time.Minute) }, 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, b := sealed(t)
			seal := b.get(ofLuis).want(200).asked()
			tt.meanwhile(s)
			before := s.book()
			got := b.confirm("resolve", seal)
			if tt.asks == "" {
				got.finished(s, b).want(200, fmt.Sprintf(">%d <small>of %d done<", tt.done, tt.done))
				s.wantState("HELD", topup.StateUnknown)
				return
			}
			got.want(http.StatusConflict, tt.asks, "Nothing was done", "<dt>phone</dt><dd>8112345678</dd>")
			if diff := cmp.Diff(before, s.book()); diff != "" {
				t.Errorf("it asked, and acted: %s", diff)
			}
			b.confirm("resolve", got.asked()).finished(s, b).want(200, " done<")
		})
	}
}

// TestForgedConfirmations: what was not asked of this operator, for this, by this console, is refused.
func TestForgedConfirmations(t *testing.T) {
	s, b := sealed(t)
	before := s.book()
	filter := url.Values{"state": {"unknown"}, "phone": {"8112345678"}}
	in := time.Now().Add(time.Hour)
	set := func(f url.Values) bulk.Set {
		chosen := search.Filter{State: topup.StateUnknown, Phone: topup.Phone(f.Get("phone"))}
		all, err := bulk.ChooseOrders(t.Context(), s.journal, topup.BulkResolve, chosen)
		must(t, err)
		return all
	}
	made := func(key string, action topup.BulkKind, by string, until time.Time, f url.Values, chosen bulk.Set) string {
		seal, err := console.Seal(key, action, by, until, f, chosen)
		must(t, err)
		return seal
	}
	good := made(adminKey, topup.BulkResolve, "ana", in, filter, set(filter))
	all := url.Values{"state": {"unknown"}}
	at, err := url.Parse(s.url)
	must(t, err)
	cookie := b.client.Jar.Cookies(at)[0].Value
	for name, seal := range map[string]string{
		"none": "", "text": "seal", "cut": good[:len(good)-4], "longer": good + "AAAA",
		"changed":              good[:len(good)/2] + string('A'+(good[len(good)/2]+1)%26) + good[len(good)/2+1:],
		"of another key":       made("another key", topup.BulkResolve, "ana", in, filter, set(filter)),
		"of another action":    made(adminKey, topup.BulkCancel, "ana", in, filter, set(filter)),
		"of another operator":  made(adminKey, topup.BulkResolve, "luis", in, filter, set(filter)),
		"the session's cookie": cookie,
	} {
		t.Run(name, func(t *testing.T) {
			b.tb = t
			b.confirm("resolve", seal).want(http.StatusBadRequest, "Nothing was done")
		})
	}
	b.tb = t
	b.confirm("resolve", made(adminKey, topup.BulkResolve, "ana", time.Now().Add(-time.Second), filter, set(filter))).
		want(http.StatusConflict, "more than an hour ago", "Nothing was done")
	b.confirm("resolve", made(adminKey, topup.BulkResolve, "ana", in, all, set(filter))).
		want(http.StatusConflict, "2 of these have come") // HELD and EARLY were not shown
	b.confirm("resolve", made(adminKey, topup.BulkResolve, "ana", in, url.Values{}, set(filter))).
		want(http.StatusUnprocessableEntity, "state") // no filter is never everything, whoever sealed it
	if diff := cmp.Diff(before, s.book()); diff != "" {
		t.Errorf("a refused confirmation changed the book: %s", diff)
	}
	b.confirm("resolve", good).finished(s, b).want(200, ">2 <small>of 2 done<")
}

// TestNoFilterIsNotEverything: an absent filter, or one whose parts are empty, is refused for each action.
func TestNoFilterIsNotEverything(t *testing.T) {
	s, b := sealed(t)
	before := s.book()
	for _, query := range []string{"", "?state=&caller=&since=", "?caller=shop", "?state=succeeded"} {
		for _, action := range []string{"resolve", "cancel"} {
			b.get("/console/bulk/"+action+query).want(http.StatusUnprocessableEntity, "state")
		}
	}
	for _, query := range []string{"", "?state=&caller=&type=+"} {
		b.get("/console/bulk/redeliver"+query).want(http.StatusUnprocessableEntity, "no filter does not mean everything")
	}
	for _, list := range []string{"/console/orders", "/console/events"} {
		if got := b.get(list).want(200); strings.Contains(got.body, "all of these") {
			t.Errorf("%s without a filter offers a bulk action", list)
		}
	}
	if diff := cmp.Diff(before, s.book()); diff != "" {
		t.Error(diff)
	}
}

func TestBulkGoesToTheEnd(t *testing.T) {
	s := open(t)
	const many = 700 // more than a page
	for i := range many {
		s.placed(name(i), ana, time.Now())
	}
	s.placed("OTHER", luis, time.Now())
	b := s.enter()
	seal := b.get("/console/bulk/cancel?state=queued&phone=5537686660").want(200, ">700 ").asked()
	b.confirm("cancel", seal).finished(s, b).want(200, ">700 <small>of 700 done<")
	counts, err := s.journal.CountByState(t.Context())
	must(t, err)
	if counts[topup.StateCanceled] != many || counts[topup.StateQueued] != 1 {
		t.Errorf("counts %v", counts)
	}
	s.wantState("OTHER", topup.StateQueued)
}

// TestBulkCancelOfOrdersThatAreTried: that an order was tried meanwhile, and nothing moved, changes nothing of what a
// cancellation means.
func TestBulkCancelOfOrdersThatAreTried(t *testing.T) {
	s := open(t)
	at := time.Now().Add(-time.Hour)
	tried := func(o topup.Order) topup.Order {
		o = s.begun(o, at.Add(time.Minute), at)
		next := time.Now().Add(time.Hour)
		o, _, err := s.journal.Finish(t.Context(), topup.Settlement{
			ID: o.ID, Number: o.AttemptCount, State: topup.StateRetrying, NextAttemptAt: &next,
			Result: topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 500, Code: "96"},
		}, at.Add(time.Second))
		must(t, err)
		return o
	}
	one := tried(s.placed("ONE", ana, at))
	b := s.enter()
	seal := b.get("/console/bulk/cancel?state=retrying").want(200, ">1 ").asked()
	tried(one)
	b.confirm("cancel", seal).finished(s, b).want(200, ">1 <small>of 1 done<")
	s.wantState("ONE", topup.StateCanceled)
	tried(s.placed("TWO", ana, at))
	b.confirm("cancel", seal).want(http.StatusConflict, "One of these has come")
	s.wantState("TWO", topup.StateRetrying)
}

func TestBulkRedeliver(t *testing.T) {
	s := busy(t)
	b := s.enter()
	seal := b.get("/console/bulk/redeliver?state=delivered").want(200, ">2 ").asked()
	other := s.bought("OTHER", ana, time.Now(), time.Second)
	again := b.confirm("redeliver", seal).want(http.StatusConflict, "One of these has come")
	if got := s.order("GOOD").Events[0].State; got != topup.EventDelivered {
		t.Errorf("event is %s", got)
	}
	b.confirm("redeliver", again.asked()).finished(s, b).want(200, ">3 <small>of 3 done<")
	for _, id := range []string{"GOOD", string(other.ID)} {
		if got := s.order(id).Events[0].State; got != topup.EventPending {
			t.Errorf("event of %s is %s", id, got)
		}
	}
	if got := s.order("HELD").Events[0].State; got != topup.EventPending {
		t.Errorf("event of HELD is %s", got)
	}
	b.get("/console/bulk/delete").want(http.StatusNotFound)
	b.get("/console/events?since=x").want(http.StatusUnprocessableEntity)
}

// TestResolveNamesTheAttempt: an order that was sent again while its page was open is not resolved by it.
func TestResolveNamesTheAttempt(t *testing.T) {
	s := busy(t)
	b := s.enter()
	b.get("/console/orders/HELD/resolve").want(200, `name="attempt" value="1"`)
	again := topup.Resolution{Outcome: topup.ResolvedResend, Reason: "x", By: "luis"}
	o, _, err := s.journal.Resolve(t.Context(), "HELD", again, time.Now())
	must(t, err)
	s.heldFor(o, time.Now().Add(-time.Minute), 0)
	resolve := func(attempt string) answer {
		return b.post("/console/orders/HELD/resolve", "outcome", "failed", "reason", "x", "attempt", attempt)
	}
	resolve("1").want(http.StatusConflict, "has changed")
	resolve("x").want(http.StatusUnprocessableEntity, "attempt")
	s.wantState("HELD", topup.StateUnknown)
	resolve("2").to("/console/orders/HELD?done=resolved")
}
