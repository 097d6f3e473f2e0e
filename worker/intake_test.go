package worker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"recarga/internal/intake"
	"recarga/tasks"
	"recarga/topup"
	"recarga/worker"
)

const taskKey = "the key that producers have"

// TestIntake: a task of an order that the book does not know has to pass what the API asks of a request. What is
// refused takes no id, is archived by asynq, and is counted; a task of an order in the book wakes, whatever else it
// says.
func TestIntake(t *testing.T) {
	valid := topup.Request{ID: "A", Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10)}
	with := func(change func(*topup.Request)) topup.Request {
		r := valid
		change(&r)
		return r
	}
	of := func(caller string) topup.Request { return with(func(r *topup.Request) { r.Caller = caller }) }
	to := func(caller, url string) topup.Request {
		return with(func(r *topup.Request) { r.Caller, r.CallbackURL = caller, url })
	}
	for _, c := range []struct {
		name    string
		keys    []string
		request topup.Request
		signed  string
		want    string // the order's state and reason; or the reason of the refusal
	}{
		{"no caller", nil, valid, "", "succeeded/"},
		{"a caller", nil, of("shop"), "", "succeeded/"},
		{"its origin", nil, to("shop", "https://shop.example/other"), "", "succeeded/"},
		{"an endpoint's origin", nil, to("shop", "https://books.example:443/x"), "", "succeeded/"},
		{"the default's origin", nil, to("", "https://default.example/x"), "", "succeeded/"},
		{"another origin", nil, to("shop", "https://thief.example/hook"), "", "failed/invalid"},
		{"another caller's origin", nil, to("", "https://shop.example/hook"), "", "failed/invalid"},
		{"a caller without an URL", nil, to("mute", "https://shop.example/hook"), "", "failed/invalid"},
		{"too little", nil, with(func(r *topup.Request) { r.Caller, r.Amount = "shop", topup.Pesos(1) }), "",
			"failed/invalid"},
		{"no such product", nil, with(func(r *topup.Request) { r.Product = "NONE" }), "", "failed/invalid"},
		{"too much metadata", nil, with(func(r *topup.Request) {
			r.Metadata = map[string]string{"k": strings.Repeat("x",
				topup.MaxMetadata)}
		}), "", "failed/invalid"},
		{"nobody", nil, of("nobody"), "", "caller_unknown"},
		{"no name", nil, of("../shop"), "", "caller_unknown"},
		{"disabled", nil, of("former"), "", "caller_disabled"},
		{"another caller's prefix", nil, with(func(r *topup.Request) { r.ID = "Z-1" }), "", "id_reserved"},
		{"another's prefix, invalid", nil, with(func(r *topup.Request) { r.ID, r.Product = "Z-1", "NO" }), "",
			"id_reserved"},
		{"its own prefix", nil, with(func(r *topup.Request) { r.ID, r.Caller = "Z-1", "prefixed" }), "", "succeeded/"},
		{"not its own prefix", nil, of("prefixed"), "", "failed/invalid"},
		{"the operator", nil, of("operator"), "", "caller_reserved"},
		{"unsigned", []string{taskKey}, of("shop"), "", "unsigned"},
		{"unsigned and invalid", []string{taskKey}, with(func(r *topup.Request) { r.Amount = 0 }), "", "unsigned"},
		{"signed", []string{taskKey}, of("shop"), taskKey, "succeeded/"},
		{"signed with the former key", []string{"a new key of 16 signs", taskKey}, of("shop"), taskKey, "succeeded/"},
		{"signed with another key", []string{taskKey}, of("shop"), "another key", "signature"},
		{"signed, and nobody", []string{taskKey}, of("nobody"), taskKey, "caller_unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setUp(t, approved)
			b.register(t, topup.Caller{Name: "shop", CallbackURL: "https://shop.example/hook",
				Endpoints: []topup.CallerEndpoint{{Name: "books", URL: "https://books.example/hook"}}})
			b.register(t, topup.Caller{Name: "mute"})
			b.register(t, topup.Caller{Name: "prefixed", CallbackURL: "https://prefixed.example/", IDPrefix: "Z-"})
			now := time.Now()
			b.register(t, topup.Caller{Name: "former", CallbackURL: "https://former.example", DisabledAt: &now})
			b.with(func(cfg *worker.Config) {
				cfg.Intake = intake.Rules{TaskKeys: c.keys, Default: true, DefaultURL: "https://default.example/hook",
					Caller: b.journal.Caller}
			})
			task := purchaseTask(t, c.request, c.signed)
			_, err := b.HandlePurchase(t.Context(), task)
			d, found := b.journal.Details(t.Context(), c.request.ID)
			got := string(d.State) + "/" + string(d.Reason)
			if errors.Is(found, topup.ErrNotFound) {
				got = strings.Join(b.outlet.refused, " ")
				if !errors.Is(err, tasks.ErrArchive) || !strings.Contains(err.Error(), got) {
					t.Errorf("refused with %v: asynq does not archive it with its reason", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got == "failed/invalid" && (!slices.Equal(b.outlet.refused, []string{"invalid"}) || len(b.vendor.requests) > 0) {
				t.Errorf("counted %v, %d requests", b.outlet.refused, len(b.vendor.requests))
			}
			if strings.Contains(d.CallbackURL, "thief") {
				t.Errorf("a refused order is delivered to %s", d.CallbackURL)
			}
		})
	}
}

// TestATaskClaimsARestoredOrder: whose producer has only Redis learns by a webhook what became of an order that the
// restored book knows from a statement. A task that may place no order, or is for another order, claims none. Nothing
// is bought.
func TestATaskClaimsARestoredOrder(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*topup.Request)
		key    string
		claims bool
	}{
		"the same order":                  {func(*topup.Request) {}, taskKey, true},
		"unsigned":                        {func(*topup.Request) {}, "", false},
		"another amount":                  {func(r *topup.Request) { r.Amount = topup.Pesos(20) }, taskKey, false},
		"another origin":                  {func(r *topup.Request) { r.CallbackURL = "https://thief.example" }, taskKey, false},
		"a caller that is not registered": {func(r *topup.Request) { r.Caller = "nobody" }, taskKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, approved)
			b.register(t, topup.Caller{Name: "shop", CallbackURL: "https://shop.example/hook"})
			b.with(func(cfg *worker.Config) {
				cfg.Intake = intake.Rules{TaskKeys: []string{taskKey}, Caller: b.journal.Caller}
			})
			r := request("A")
			r.Caller = "shop"
			at := time.Now().Add(-time.Hour)
			if _, err := b.journal.Restore(t.Context(), topup.LostCharge{
				ID: r.ID, Phone: r.Phone, Amount: r.Amount, From: at, Until: at, Evidence: "line 7",
			}, time.Now()); err != nil {
				t.Fatal(err)
			}
			c.change(&r)
			for range 2 {
				_, err := b.HandlePurchase(t.Context(), purchaseTask(t, r, c.key))
				if err != nil && !errors.Is(err, tasks.ErrArchive) {
					t.Error(err)
				}
			}
			b.is(t, "A", topup.StateSucceeded, "", 0)
			if d := b.details(t, "A"); (d.Caller == "shop") != c.claims || d.Unclaimed == c.claims ||
				(len(d.Events) == 1) != c.claims || d.CallbackURL != "" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestATaskOfAKnownOrderWakes: whoever wrote it, and whatever it says.
func TestATaskOfAKnownOrderWakes(t *testing.T) {
	b := setUp(t, approved)
	b.with(func(cfg *worker.Config) {
		cfg.Intake = intake.Rules{TaskKeys: []string{taskKey}, Caller: b.journal.Caller}
	})
	later := time.Now().Add(time.Hour)
	for _, id := range []topup.ID{"NOW", "LATER"} {
		r := request(id)
		if id == "LATER" {
			r.ProcessAt = &later
		}
		b.accept(t, r)
		forged := request(id)
		forged.Caller, forged.Amount, forged.CallbackURL = "operator", topup.Pesos(500), "https://thief.example"
		again, err := b.HandlePurchase(t.Context(), purchaseTask(t, forged, ""))
		if err != nil || again.IsZero() != (id == "NOW") {
			t.Errorf("%s: again at %s, %v", id, again, err)
		}
	}
	b.is(t, "NOW", topup.StateSucceeded, "", 1)
	if o := b.details(t, "LATER"); o.State != topup.StateQueued || len(o.Attempts) > 0 {
		t.Errorf("LATER is %s", o.State)
	}
	if o := b.details(t, "NOW"); o.Caller != topup.DefaultCaller || o.Amount != topup.Pesos(10) || o.CallbackURL != "" ||
		len(b.outlet.refused) > 0 {
		t.Errorf("%+v, refused %v", o.Order, b.outlet.refused)
	}
}

// TestIntakeNotKnownYet: a registry that does not answer refuses nobody; the task comes again.
func TestIntakeNotKnownYet(t *testing.T) {
	b := setUp(t, approved)
	b.with(func(cfg *worker.Config) {
		cfg.Intake = intake.Rules{Caller: func(context.Context, string) (topup.Caller, error) {
			return topup.Caller{}, errors.New("database is gone")
		}}
	})
	r := request("A")
	r.Caller = "shop"
	_, err := b.HandlePurchase(t.Context(), purchaseTask(t, r, ""))
	if err == nil || errors.Is(err, tasks.ErrArchive) || len(b.outlet.refused) > 0 {
		t.Errorf("%v, refused %v", err, b.outlet.refused)
	}
	r.Caller = topup.DefaultCaller
	if _, err := b.HandlePurchase(t.Context(), purchaseTask(t, r, "")); !errors.Is(err, tasks.ErrArchive) ||
		!slices.Equal(b.outlet.refused, []string{"caller_reserved"}) {
		t.Errorf("default where it is not set up: %v, refused %v", err, b.outlet.refused)
	}
}

// TestMalformedTasks end at once: they would come again for ever.
func TestMalformedTasks(t *testing.T) {
	b := setUp(t, approved)
	for _, payload := range []string{"", "order A please", `{}`, `{"distributor_transaction_id":"../A"}`,
		`{"event_id":"a\u0000"}`, `[1]`} {
		for kind, handle := range map[string]func(context.Context, tasks.Task) (time.Time, error){
			tasks.TypePurchase: b.HandlePurchase, tasks.TypeDeliver: b.HandleDelivery,
		} {
			if _, err := handle(t.Context(), tasks.Task{Type: kind, Payload: []byte(payload)}); !errors.Is(err,
				tasks.ErrArchive) {
				t.Errorf("%s %q: %v", kind, payload, err)
			}
		}
	}
	if slices.ContainsFunc(b.outlet.refused, func(reason string) bool { return reason != "malformed" }) ||
		len(b.outlet.refused) != 12 {
		t.Errorf("counted %v", b.outlet.refused)
	}
}

func (b *bench) register(t *testing.T, c topup.Caller) {
	t.Helper()
	c.Keys, c.CreatedAt = []topup.CallerKey{{Hash: []byte(c.Name), CreatedAt: time.Now()}}, time.Now()
	if err := b.journal.AddCaller(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// purchaseTask is a task of a request, signed with a key if there is one.
func purchaseTask(t *testing.T, r topup.Request, key string) tasks.Task {
	t.Helper()
	var options []tasks.Option
	if key != "" {
		options = append(options, tasks.SignedWith(key))
	}
	task, err := tasks.NewPurchase(r, options...)
	if err != nil {
		t.Fatal(err)
	}
	return tasks.Received(task)
}
