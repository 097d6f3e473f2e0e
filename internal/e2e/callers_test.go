package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"recarga/internal/testkit"
	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

// TestCallers: a shop is added by command, places orders with its own key and is notified at its own URL, signed
// with its own secret, also while that is replaced; nobody else sees its orders.
func TestCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	notified := newReceiver()
	hooks := &door{}
	hookURL := serve(t, hooks)
	expect := func(secret string) { hooks.leads(webhook.Handler(secret, notified.receive)) }

	out := w.run(t, "caller", "add", "shop", "--callback-url", hookURL, "--json")
	var shop producer.CreatedCaller
	if err := json.Unmarshal([]byte(out.stdout), &shop); out.status != 0 || err != nil {
		t.Fatalf("add: %+v", out)
	}
	expect(shop.WebhookSecret)
	c := clientOf(p.apiURL, shop.APIKey)
	deliver := func(id string) {
		t.Helper()
		o := settled(t, c, place(t, c, order(id, "5537686660")).ID)
		if o.State != topup.StateSucceeded || o.Caller != "shop" {
			t.Errorf("%s is %s of %s", id, o.State, o.Caller)
		}
		testkit.Eventually(t, patience, func() bool { _, ok := notified.last(o.ID); return ok },
			"the shop is notified of %s", id)
	}
	deliver("SHOP-1")
	if _, err := p.client().Get(t.Context(), "SHOP-1"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another caller's look: %v", err)
	}
	if out := w.run(t, "caller", "rotate-secret", "shop"); out.status != 0 {
		t.Fatalf("rotate: %+v", out)
	} else {
		deliver("SHOP-2") // with the former secret
		expect(strings.TrimSpace(out.stdout))
		deliver("SHOP-3")
	}
	if out := w.run(t, "caller", "disable", "shop"); out.status != 0 || !strings.Contains(out.stdout, "disabled") {
		t.Fatalf("disable: %+v", out)
	}
	if _, _, err := c.Place(t.Context(), order("SHOP-4", "5537686660")); err == nil ||
		!strings.Contains(err.Error(), "disabled") {
		t.Errorf("a disabled caller's order: %v", err)
	}
	if out := w.run(t, "caller", "list"); out.status != 0 || !strings.Contains(out.stdout, "shop") ||
		strings.Contains(out.stdout, "whsec_") {
		t.Errorf("list: %+v", out)
	}
	if log := p.log(); strings.Contains(log, shop.APIKey) || strings.Contains(log, shop.WebhookSecret) {
		t.Error("a secret is in the log")
	}
}

// TestCallersLimits: by command a shop gets a prefix, a quota and a second key, in every process of the program; a
// change of a version that it has no more is refused; and a page is led on from one process to another.
func TestCallersLimits(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
	p, second := w.start(t, "serve"), w.start(t, "api")
	w.env["RECARGA_API_URL"] = p.apiURL
	done := func(args ...string) string {
		t.Helper()
		out := w.run(t, args...)
		if out.status != 0 {
			t.Fatalf("%v: %+v", args, out)
		}
		return strings.TrimSpace(out.stdout)
	}
	var shop producer.CreatedCaller
	added := done("caller", "add", "shop", "--id-prefix", "S-", "--expires-in", "240h", "--json")
	if err := json.Unmarshal([]byte(added), &shop); err != nil {
		t.Fatal(err)
	}
	hint := "…" + shop.APIKey[len(shop.APIKey)-4:] + " until "
	if list := done("caller", "list"); !strings.Contains(list, "ids S-…") || !strings.Contains(list, hint) {
		t.Errorf("list: %s", list)
	}
	newer := done("caller", "rotate-key", "shop", "--overlap", "1h", "--version", "1")
	for i, key := range []string{shop.APIKey, newer} {
		for j, url := range []string{p.apiURL, second.apiURL} {
			c := clientOf(url, key)
			testkit.Eventually(t, patience, func() bool {
				_, err := c.Products(t.Context())
				return err == nil
			}, "a process knows the key")
			place(t, c, order(fmt.Sprintf("S-%d%d", i, j), "5537686660"))
		}
	}
	page, next, err := clientOf(p.apiURL, newer).List(t.Context(), producer.OrderFilter{Limit: 3})
	if err != nil || len(page) != 3 {
		t.Fatal(page, err)
	}
	query := producer.OrderFilter{Limit: 3, Cursor: next}
	rest, _, err := clientOf(second.apiURL, newer).List(t.Context(), query)
	if err != nil || len(rest) != 1 || rest[0].ID != "S-00" {
		t.Errorf("the next page, of another process: %+v, %v", rest, err)
	}
	for _, api := range []string{p.apiURL, second.apiURL} {
		var problem *producer.Problem
		for key, id := range map[string]string{apiKey: "S-9", newer: "9"} {
			_, _, err := clientOf(api, key).Place(t.Context(), order(id, "5537686660"))
			if !errors.As(err, &problem) || problem.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	out := w.run(t, "caller", "disable", "shop", "--version", "1")
	if out.status != 1 || !strings.Contains(out.stderr, "at version 2") {
		t.Errorf("of an older version: %+v", out)
	}
	done("caller", "limit", "shop", "--rate", "1/h", "--version", "2")
	bounded, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	testkit.Eventually(t, patience, func() bool {
		err := tryOnce(bounded, second.apiURL, newer)
		return err != nil && strings.Contains(err.Error(), "429") && strings.Contains(err.Error(), "max_rate")
	}, "the other process keeps the quota")
	if out := w.run(t, "caller", "limit", "shop"); out.status != 2 {
		t.Errorf("no limit: %+v", out)
	}
}

var tried atomic.Int64

// tryOnce places one new order, and does not repeat it.
func tryOnce(ctx context.Context, api, key string) error {
	body, err := json.Marshal(order(fmt.Sprintf("S-TRY-%d", tried.Add(1)), "5537686660"))
	if err != nil {
		return err
	}
	status, answer, err := try(ctx, http.DefaultClient, http.MethodPost, api+"/v1/topups", string(body),
		"Authorization", "Bearer "+key, "Content-Type", "application/json")
	if err != nil || status < 300 {
		return err
	}
	return fmt.Errorf("%d: %s", status, answer)
}

// TestRekeyCommand: the encryption key changes, from the admin key to one of its own, and then the admin key, while a
// caller is notified, signed with the secret that it has had from the start.
func TestRekeyCommand(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	notified := newReceiver()
	hooks := &door{}
	hookURL := serve(t, hooks)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	out := w.run(t, "caller", "add", "shop", "--callback-url", hookURL, "--json")
	var shop producer.CreatedCaller
	if err := json.Unmarshal([]byte(out.stdout), &shop); out.status != 0 || err != nil {
		t.Fatalf("add: %+v", out)
	}
	hooks.leads(webhook.Handler(shop.WebhookSecret, notified.receive))
	restart := func(id string, settings map[string]string) {
		t.Helper()
		p.terminate()
		maps.Copy(w.env, settings)
		p = w.start(t, "serve")
		w.env["RECARGA_API_URL"] = p.apiURL
		o := place(t, clientOf(p.apiURL, shop.APIKey), order(id, "5537686660"))
		testkit.Eventually(t, patience, func() bool { _, ok := notified.last(o.ID); return ok },
			"the shop is notified of %s", id)
	}
	rekey := func(want string, args ...string) {
		t.Helper()
		if out := w.run(t, append([]string{"rekey"}, args...)...); out.status != 0 || strings.TrimSpace(out.stdout) != want {
			t.Errorf("rekey %v: %+v, want %s", args, out, want)
		}
	}
	sealed := func(want string) {
		t.Helper()
		if out := w.run(t, "doctor"); !strings.Contains(out.stdout, want) {
			t.Errorf("doctor: %+v, want %s", out, want)
		}
	}
	restart("KEY-1", map[string]string{"RECARGA_ENCRYPTION_KEY": "the-first-encryption-key"})
	sealed("of 1 callers, 1 are sealed with a former key")
	rekey("1 callers' secrets to be sealed anew, 0 sealed with the present key before", "--dry-run")
	rekey("1 callers' secrets sealed anew, 0 sealed with the present key before")
	sealed("of 1 callers, 0 are sealed with a former key")
	restart("KEY-2", map[string]string{"RECARGA_ADMIN_KEY": "another-admin-key"})
	restart("KEY-3", map[string]string{"RECARGA_ENCRYPTION_KEY": "the-second-encryption-key",
		"RECARGA_ENCRYPTION_KEY_OLD": "the-first-encryption-key"})
	rekey("1 callers' secrets sealed anew, 0 sealed with the present key before")
	rekey("0 callers' secrets sealed anew, 1 sealed with the present key before")
	restart("KEY-4", map[string]string{"RECARGA_ENCRYPTION_KEY_OLD": ""})
	w.env["RECARGA_ENCRYPTION_KEY"] = "a-key-that-sealed-nothing"
	if out := w.run(t, "rekey"); out.status != 1 || !strings.Contains(out.stderr, "shop") ||
		!strings.Contains(out.stderr, "RECARGA_ENCRYPTION_KEY_OLD") {
		t.Errorf("with a wrong key: %+v", out)
	}
}

// TestEndpoints: a second endpoint is notified of what it wants; it is disabled when it says 410, the operator
// hears of it, and the commands bring it back and send it what it missed.
func TestEndpoints(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	w := newWorld(t, nil)
	crm, ops := newReceiver(), newReceiver()
	hooks := &door{}
	hooks.leads(answering(http.StatusGone))
	secret := w.env["RECARGA_WEBHOOK_SECRET"]
	w.env["RECARGA_OPERATOR_CALLBACK_URL"] = serve(t, webhook.Handler(secret, ops.receive))
	w.env["RECARGA_OPERATOR_WEBHOOK_SECRET"] = webhook.NewSecret() // which the receiver does not know yet
	w.env["RECARGA_OPERATOR_WEBHOOK_SECRET_OLD"] = secret
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL

	var shop producer.CreatedCaller
	out := w.run(t, "caller", "add", "shop", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &shop); err != nil {
		t.Fatalf("add: %+v", out)
	}
	if out := w.run(t, "caller", "endpoint", "set", "shop", "crm", serve(t, hooks), "--types",
		"topup.failed"); out.status != 0 || !strings.Contains(out.stdout, "topup.failed") ||
		!strings.Contains(out.stderr, "ping to crm of shop: refused, HTTP 410 in ") {
		t.Fatalf("set: %+v", out)
	}
	c := clientOf(p.apiURL, shop.APIKey)
	for id, phone := range map[string]topup.Phone{"GOOD": "5537686660", "BAD-1": "5500000051", "BAD-2": "5500000083"} {
		settled(t, c, place(t, c, order(id, phone)).ID)
	}
	testkit.Eventually(t, patience, func() bool { return len(ops.all()) == 1 }, "the operator is notified")
	if ev := ops.all()[0]; ev.Type != topup.EventEndpointDisabled || !strings.Contains(string(ev.OperatorData),
		`"endpoint":"crm"`) {
		t.Errorf("delivered %+v with %s", ev, ev.OperatorData)
	}
	pings := func(status int, want string, args ...string) {
		t.Helper()
		if out := w.run(t, append([]string{"webhook", "ping"}, args...)...); out.status != status ||
			!strings.Contains(out.stdout, want) {
			t.Errorf("ping %v: %+v", args, out)
		}
	}
	pings(1, "ping to crm of shop: refused, HTTP 410 in ", "crm", "--caller", "shop")
	pings(0, "ping to default of operator: delivered, HTTP 204 in ", "--caller", topup.OperatorCaller)
	pings(1, "", "no-such", "--caller", "shop")
	if out := w.run(t, "caller", "list"); !strings.Contains(out.stdout, "it answered 410") {
		t.Errorf("list: %s", out.stdout)
	}
	testkit.Eventually(t, patience, func() bool {
		events, _, err := c.Events(t.Context(), topup.EventFilter{State: topup.EventExhausted, Endpoint: "crm"})
		return err == nil && len(events) == 2
	}, "both events for the endpoint are exhausted")
	hooks.leads(webhook.Handler(shop.WebhookSecret, crm.receive))
	if out := w.run(t, "caller", "endpoint", "enable", "shop", "crm"); out.status != 0 ||
		out.stdout != "shop crm: enabled\n" {
		t.Errorf("enable: %+v", out)
	}
	testkit.Eventually(t, patience, func() bool { // other processes learn of it within two seconds
		w.run(t, "webhook", "redeliver", "--caller", "shop", "--endpoint", "crm", "--state", "exhausted")
		return len(crm.all()) == 2
	}, "the endpoint gets what it missed")
	for _, ev := range crm.all() {
		if ev.Type != "topup.failed" || ev.Data.Caller != "shop" {
			t.Errorf("got %+v", ev)
		}
	}
}

func (r *receiver) all() []webhook.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.events))
}

// TestRedeliver: the receiver was away for longer than the schedule; one command sends all that was given
// up again, and it says the whole truth.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	const orders = 30
	w := newWorld(t, nil)
	w.env["RECARGA_WEBHOOK_SCHEDULE"] = "10ms"
	hooks := &door{}
	hooks.leads(answering(http.StatusBadGateway))
	w.env["RECARGA_CALLBACK_URL"] = serve(t, hooks)
	p := w.start(t, "serve")
	w.env["RECARGA_API_URL"] = p.apiURL
	c := p.client()
	for i := range orders {
		place(t, c, order(fmt.Sprintf("AWAY-%02d", i), phoneOf(i)))
	}
	testkit.Eventually(t, patience, func() bool {
		events, _, err := c.Events(t.Context(), topup.EventFilter{State: topup.EventExhausted, Limit: 100})
		return err == nil && len(events) == orders
	}, "all are exhausted")
	hooks.leads(w.receiver)
	if out := w.run(t, "webhook", "redeliver", "--state", "exhausted"); out.status != 0 ||
		out.stdout != fmt.Sprintf("%d events are due again.\n", orders) {
		t.Fatalf("redeliver: %+v", out)
	}
	for i := range orders {
		w.notified(t, get(t, c, topup.ID(fmt.Sprintf("AWAY-%02d", i))))
	}
	ev := get(t, c, "AWAY-00").Events[0]
	if out := w.run(t, "webhook", "redeliver", ev.ID); out.status != 0 || !strings.Contains(out.stdout, "AWAY-00") {
		t.Errorf("redeliver one: %+v", out)
	}
	for _, args := range [][]string{{}, {ev.ID, "--all"}, {"--state", "exhausted", ev.ID}} {
		if out := w.run(t, append([]string{"webhook", "redeliver"}, args...)...); out.status != 2 {
			t.Errorf("%v: %+v", args, out)
		}
	}
	if out := w.run(t, "webhook", "redeliver", "evt_none"); out.status != 1 || !strings.Contains(out.stderr, "404") {
		t.Errorf("no such event: %+v", out)
	}
}
