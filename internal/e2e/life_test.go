package e2e

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

// stack is where the orders and the queue live.
type stack struct {
	name string
	set  func(t testing.TB, env map[string]string)
}

// stacks are the embedded parts and the real servers.
var stacks = []stack{
	{"embedded", func(testing.TB, map[string]string) {}},
	{"redis+sqlite", func(t testing.TB, env map[string]string) { env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL() }},
	{"redis+postgres", func(t testing.TB, env map[string]string) {
		env["RECARGA_REDIS_URL"] = testkit.Redis(t).URL()
		env["RECARGA_DATABASE_URL"] = journaltest.Postgres(t).URL()
	}},
}

// realStacks are all of them in make prove, and in make test the real servers: most tests have the embedded parts.
func realStacks() []stack { return stacks[testkit.Times(len(stacks)-1, 0):] }

// TestEveryFate sends one order for each of the distributor's answers through the whole program: its
// state, the vendor's ledger, the number of requests and the webhook must all say the same.
func TestEveryFate(t *testing.T) {
	t.Parallel()
	fates := []struct {
		phone    topup.Phone
		state    topup.State
		reason   topup.Reason
		requests int
		charged  int
	}{
		{"5537686660", topup.StateSucceeded, "", 1, 1},
		{"5500000005", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000012", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000013", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000014", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000051", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000083", topup.StateFailed, topup.ReasonDeclined, 1, 0},
		{"5500000091", topup.StateFailed, topup.ReasonRetriesExhausted, 4, 0},
		{"5500000096", topup.StateFailed, topup.ReasonRetriesExhausted, 4, 0},
		{"5500001091", topup.StateSucceeded, "", 3, 1},
		{"5500001096", topup.StateSucceeded, "", 3, 1},
		{"5500000429", topup.StateSucceeded, "", 2, 1},
		{"5500000000", topup.StateSucceeded, "", 1, 1},
		{"5500000500", topup.StateUnknown, "", 1, 0},
		{"5500000501", topup.StateUnknown, "", 1, 1},
		{"5500000502", topup.StateUnknown, "", 1, 1},
		{"5500000503", topup.StateUnknown, "", 1, 0},
		{"5500000504", topup.StateUnknown, "", 1, 1},
		{"5500000200", topup.StateUnknown, "", 1, 1},
		{"5500000599", topup.StateUnknown, "", 1, 1},
		{"5500000401", topup.StateSucceeded, "", 2, 1},
	}
	for _, stack := range realStacks() {
		t.Run(stack.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *sandbox.Config) { c.ApproveDelayMS = 500 })
			stack.set(t, w.env)
			w.env["RECARGA_DISTRIBUTOR_TIMEOUT"] = "8s"
			p := w.start(t, "serve")
			c := p.client()
			id := func(phone topup.Phone) topup.ID { return topup.ID("FATE-" + phone.Digits()[5:]) }
			// The vendor ends its session at ...0401, and whoever has a purchase under way is refused with
			// it: that order goes alone.
			const endsSession = topup.Phone("5500000401")
			for _, f := range fates {
				if f.phone != endsSession {
					place(t, c, order(string(id(f.phone)), f.phone))
				}
			}
			for _, f := range fates {
				if f.phone == endsSession {
					place(t, c, order(string(id(f.phone)), f.phone))
				}
				o := settled(t, c, id(f.phone))
				if o.State != f.state || o.Reason != f.reason {
					t.Errorf("%s is %s/%s, want %s/%s: %+v", o.ID, o.State, o.Reason, f.state, f.reason, o.Attempts)
				}
				if o.AttemptCount != f.requests || len(o.Attempts) != f.requests {
					t.Errorf("%s: %d attempts, want %d", o.ID, o.AttemptCount, f.requests)
				}
				if got := w.charges()[o.ID]; got != f.charged {
					t.Errorf("%s was charged %d times, want %d", o.ID, got, f.charged)
				}
				if got := w.requests(o.ID); len(got) != f.requests {
					t.Errorf("%s: the vendor saw %d requests, want %d", o.ID, len(got), f.requests)
				}
				w.notified(t, o)
			}
			waitsGrow(t, w.requests(id("5500000091")))
			noSecrets(t, p.log())
		})
	}
}

// requests are the times at which the vendor received a purchase of the order.
func (w *world) requests(id topup.ID) (at []time.Time) {
	for _, r := range w.vendor.Requests() {
		if topup.ID(r.DistributorTransactionID) == id {
			at = append(at, r.Time)
		}
	}
	return at
}

// waitsGrow: the second wait is longer than the first, with asynq's second of granularity allowed for.
func waitsGrow(t *testing.T, at []time.Time) {
	t.Helper()
	const nominal = 200 * time.Millisecond
	for i := 1; i < len(at); i++ {
		if wait := at[i].Sub(at[i-1]); wait < nominal<<(i-1)*4/5 {
			t.Errorf("wait %d was %s, shorter than its time", i, wait)
		}
	}
}

// noSecrets: the log of a whole run holds no secret, no token and no whole phone number.
func noSecrets(t *testing.T, log string) {
	t.Helper()
	for _, secret := range []string{apiKey, adminKey, "whsec_", "5537686660", "5500000091", "Bearer"} {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log shows %q: …%s…", secret, log[max(0, i-80):min(len(log), i+80)])
		}
	}
}

// TestSameIDFiftyTimes: one order, one purchase, fifty equal answers; another amount is a conflict.
func TestSameIDFiftyTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.start(t, "serve").client()
	type answer struct {
		order    topup.Order
		replayed bool
		err      error
	}
	answers := make([]answer, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			a := &answers[i]
			a.order, a.replayed, a.err = c.Place(t.Context(), order("SAME", "5537686660"))
		})
	}
	wg.Wait()
	first := 0
	for _, a := range answers {
		if a.err != nil {
			t.Fatal(a.err)
		}
		if !a.replayed {
			first++
		}
		if a.order.ID != "SAME" || !a.order.CreatedAt.Equal(answers[0].order.CreatedAt) {
			t.Errorf("a different order: %+v", a.order)
		}
	}
	if first != 1 {
		t.Errorf("%d answers say that the order is new, want 1", first)
	}
	o := settled(t, c, "SAME")
	if got := len(w.requests("SAME")); got != 1 || o.State != topup.StateSucceeded {
		t.Errorf("%d purchases, state %s", got, o.State)
	}
	other := order("SAME", "5537686660")
	other.Amount = topup.Pesos(20)
	if _, _, err := c.Place(t.Context(), other); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("the same id with another amount: %v, want 409", err)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.start(t, "serve").client()
	soon, past, later := time.Now().Add(1500*time.Millisecond), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	scheduled := order("SOON", "5537686660")
	scheduled.ProcessAt = &soon
	withdrawn := order("LATER", "5537686660")
	withdrawn.ProcessAt = &later
	expiring := order("EXPIRES", "5500000091")
	expiry := time.Now().Add(1200 * time.Millisecond)
	expiring.ExpiresAt = &expiry
	for _, r := range []topup.Request{scheduled, withdrawn, expiring} {
		place(t, c, r)
	}
	expired := order("EXPIRED", "5537686660")
	expired.ExpiresAt = &past
	if _, _, err := c.Place(t.Context(), expired); err == nil || !strings.Contains(err.Error(), "expires_at") {
		t.Errorf("an order that has expired: %v", err)
	}
	if o, err := c.Cancel(t.Context(), "LATER"); err != nil || o.State != topup.StateCanceled {
		t.Errorf("cancel: %s, %v", o.State, err)
	}
	o := settled(t, c, "SOON")
	if at := w.requests("SOON"); len(at) != 1 || at[0].Before(soon) {
		t.Errorf("bought at %v, wanted once, not before %v", at, soon)
	}
	w.notified(t, o)
	if o := settled(t, c, "EXPIRES"); o.State != topup.StateFailed || o.Reason != topup.ReasonExpired {
		t.Errorf("%s/%s, want failed/expired: %+v", o.State, o.Reason, o.Attempts)
	}
	w.notified(t, get(t, c, "LATER"))
	if _, err := c.Cancel(t.Context(), "SOON"); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("canceling a bought order: %v, want 409", err)
	}
}

// TestRedisOnlyProducer: a program that has only Redis enqueues orders; the worker records them first.
func TestRedisOnlyProducer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	redis := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"] = redis.URL()
	w.start(t, "worker")
	c := w.start(t, "api").client()
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: redis.Addr()})
	defer func() { _ = client.Close() }()
	wrong := order("R-BAD", "5537686660")
	wrong.Amount = topup.Pesos(1)
	past := time.Now().Add(-time.Minute)
	late := order("R-LATE", "5537686660")
	late.ExpiresAt = &past
	for _, r := range []topup.Request{order("R-GOOD", "5537686660"), wrong, late} {
		task, err := tasks.NewPurchase(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Enqueue(task); err != nil {
			t.Fatal(err)
		}
	}
	want := map[topup.ID]string{"R-GOOD": "succeeded/", "R-BAD": "failed/invalid", "R-LATE": "failed/expired"}
	got := map[topup.ID]string{}
	for id := range want {
		var o topup.Details
		testkit.Eventually(t, patience, func() bool {
			d, err := c.Get(t.Context(), id)
			o = d
			return err == nil && d.State.Final()
		}, "%s ends", id)
		got[id] = string(o.State) + "/" + string(o.Reason)
		w.notified(t, o)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[topup.ID]int{"R-GOOD": 1}, w.charges()); diff != "" {
		t.Error(diff)
	}
}

// TestSignedProducer: with RECARGA_TASK_KEY a task that is not signed buys nothing and takes no id. asynq keeps it
// with its reason, and once it is signed, the same order is bought.
func TestSignedProducer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	redis := testkit.Redis(t)
	w.env["RECARGA_REDIS_URL"], w.env["RECARGA_TASK_KEY"] = redis.URL(), "the-producers-new-key,the-producers-old-key"
	p := w.start(t, "serve")
	opt := asynq.RedisClientOpt{Addr: redis.Addr()}
	client, inspector := asynq.NewClient(opt), asynq.NewInspector(opt)
	defer func() { _, _ = client.Close(), inspector.Close() }()
	enqueue := func(taskID string, r topup.Request, options ...tasks.Option) {
		t.Helper()
		task, err := tasks.NewPurchase(r, options...)
		if err == nil {
			_, err = client.Enqueue(task, asynq.TaskID(taskID))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	operator, bystander := order("R-OPERATOR", "5537686660"), order("R-BYSTANDER", "5537686660")
	operator.Caller = topup.OperatorCaller
	for taskID, reason := range map[string]string{"R-1": "unsigned", "R-2": "signature", "R-3": "caller_reserved"} {
		switch r := order("R-GOOD", "5537686660"); reason {
		case "unsigned":
			enqueue(taskID, r)
		case "signature":
			enqueue(taskID, r, tasks.SignedWith("a-key-of-a-stranger"))
		default:
			enqueue(taskID, operator, tasks.SignedWith("the-producers-new-key"))
		}
		var info *asynq.TaskInfo
		testkit.Eventually(t, patience, func() (ok bool) {
			info, _ = inspector.GetTaskInfo(tasks.QueueTopups, taskID)
			return info != nil && info.State == asynq.TaskStateArchived
		}, "%s is archived", taskID)
		if !strings.Contains(info.LastErr, reason) {
			t.Errorf("%s is archived for %q, want %s", taskID, info.LastErr, reason)
		}
		p.says(t, `"reason":"`+reason+`"`)
		if _, err := p.client().Get(t.Context(), "R-GOOD"); err == nil {
			t.Fatalf("%s: a refused order is in the book", reason)
		}
	}
	enqueue("R-GOOD", order("R-GOOD", "5537686660"), tasks.SignedWith("the-producers-old-key"))
	place(t, p.client(), bystander)
	for _, id := range []topup.ID{"R-GOOD", "R-BYSTANDER"} {
		testkit.Eventually(t, patience, func() bool {
			d, err := p.client().Get(t.Context(), id)
			return err == nil && d.State == topup.StateSucceeded
		}, "%s is bought", id)
	}
	if diff := cmp.Diff(map[topup.ID]int{"R-GOOD": 1, "R-BYSTANDER": 1}, w.charges()); diff != "" {
		t.Error(diff)
	}
}

// TestQueueUI: the asynq web UI shows the queues behind the admin key, with masked numbers.
func TestQueueUI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	c := p.client()
	later := time.Now().Add(time.Hour)
	r := order("UI-1", "5537686660")
	r.ProcessAt = &later
	place(t, c, r)
	scheduled := func(key string) (status int, body string) {
		return ask(t, http.MethodGet, p.apiURL+"/queues/api/queues/topups/scheduled_tasks", "",
			"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("operator:"+key)))
	}
	if status, _ := scheduled("wrong"); status != http.StatusUnauthorized {
		t.Errorf("without the key: %d", status)
	}
	status, body := scheduled(adminKey)
	if status != http.StatusOK || !strings.Contains(body, "UI-1") {
		t.Errorf("%d: %s", status, body)
	}
	if strings.Contains(body, "5537686660") {
		t.Errorf("shows the phone number: %s", body)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "recarga_orders"} {
		if status, body := p.page(t, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
