package callers_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/callers"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/topup"
)

// model is what a caller must be after the changes that were acknowledged.
type model struct {
	URL, Prefix   string
	Disabled      bool
	Open          int
	Rate          topup.Rate
	Endpoints     []string
	Keys, Secrets []string
}

// acknowledged is a change that was answered with success: what it does to the model.
type acknowledged struct {
	version int64
	what    string
	apply   func(*model)
}

// TestRacingChanges: two processes change one caller at random and at once, with the version that they saw or without
// one. In the order of their versions the changes that were acknowledged make what is there in the end, so that none
// is lost and none undone; and one that names a version was made of that very one.
func TestRacingChanges(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return journaltest.SQLite(t) },
		"postgres": func(t *testing.T) string { return journaltest.Postgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) { race(t, database(t)) })
	}
}

func race(t *testing.T, url string) {
	var registries []*callers.Registry
	for range 2 {
		j, err := journal.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		registries = append(registries, callers.New(j, "key", false))
	}
	created := add(t, registries[0], "shop")
	bystander := add(t, registries[0], "bystander")
	want := model{URL: created.CallbackURL, Keys: []string{created.APIKey}, Secrets: []string{created.WebhookSecret}}
	var mu sync.Mutex
	var done []acknowledged
	refused := 0
	var racing sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(uint64(i), 18))
		r := registries[i%2]
		racing.Go(func() {
			seen := int64(1)
			for range 25 {
				version := int64(0)
				if random.IntN(2) == 0 {
					version = seen
				}
				got, err := change(t, r, random, version)
				mu.Lock()
				var changed *topup.ChangedError
				switch {
				case errors.As(err, &changed):
					refused++
					seen = max(seen, changed.Latest)
				case errors.Is(err, topup.ErrNotFound): // no such endpoint to remove
				case err != nil:
					t.Error(err)
				default:
					if version != 0 && got.version != version+1 {
						t.Errorf("a change of version %d made version %d", version, got.version)
					}
					done, seen = append(done, got), got.version
				}
				mu.Unlock()
			}
		})
	}
	racing.Wait()
	slices.SortFunc(done, func(a, b acknowledged) int { return int(a.version - b.version) })
	for i, d := range done {
		if d.version != int64(i)+2 {
			t.Fatalf("the change %d (%s) made version %d", i, d.what, d.version)
		}
		d.apply(&want)
	}
	if len(done) == 0 || refused == 0 {
		t.Fatalf("%d changes were acknowledged, and %d refused", len(done), refused)
	}
	t.Logf("%d acknowledged, %d refused", len(done), refused)
	verify(t, registries[0], want, bystander)
}

// change makes one change at random.
func change(t *testing.T, r *callers.Registry, random *rand.Rand, version int64) (acknowledged, error) {
	ctx, n := t.Context(), random.IntN(1000)
	update := func(c callers.Change, what string, apply func(*model)) (acknowledged, error) {
		changed, err := r.Update(ctx, "shop", version, c)
		return acknowledged{changed.Version, what, apply}, err
	}
	how := callers.Rotation{Version: version}
	if random.IntN(2) == 0 {
		how.Overlap = time.Hour
	}
	follow := func(all []string, fresh string, most int) []string {
		if how.Overlap == 0 {
			return []string{fresh}
		}
		all = append([]string{fresh}, all...)
		return all[:min(len(all), most)]
	}
	endpoint := fmt.Sprint("e", random.IntN(3))
	switch random.IntN(8) {
	case 0, 1:
		off := n%2 == 0
		return update(callers.Change{Disabled: &off}, fmt.Sprint("disabled ", off), func(m *model) { m.Disabled = off })
	case 2:
		url := fmt.Sprintf("https://shop.example/%d", n)
		return update(callers.Change{CallbackURL: &url}, url, func(m *model) { m.URL = url })
	case 3:
		prefix, rate := fmt.Sprintf("P%d-", n), topup.Rate{Count: n + 1, Per: time.Second}
		limits := callers.Change{IDPrefix: &prefix, MaxOpen: &n, MaxRate: &rate}
		return update(limits, prefix, func(m *model) { m.Prefix, m.Open, m.Rate = prefix, n, rate })
	case 4:
		key, c, err := r.RotateKey(ctx, "shop", how)
		return acknowledged{c.Version, "key", func(m *model) { m.Keys = follow(m.Keys, key, 2) }}, err
	case 5:
		secret, c, err := r.RotateSecret(ctx, "shop", how)
		return acknowledged{c.Version, "secret", func(m *model) { m.Secrets = follow(m.Secrets, secret, 1000) }}, err
	case 6:
		e := topup.CallerEndpoint{Name: endpoint, URL: "https://crm.example/"}
		c, err := r.SetEndpoint(ctx, "shop", version, e, map[string]string{"X-Key": endpoint})
		return acknowledged{c.Version, "set " + endpoint, func(m *model) {
			if !slices.Contains(m.Endpoints, endpoint) {
				m.Endpoints = append(m.Endpoints, endpoint)
			}
		}}, err
	default:
		c, err := r.RemoveEndpoint(ctx, "shop", version, endpoint)
		return acknowledged{c.Version, "remove " + endpoint, func(m *model) {
			m.Endpoints = slices.DeleteFunc(m.Endpoints, func(e string) bool { return e == endpoint })
		}}, err
	}
}

// verify compares the caller with the model, its keys and secrets by using them.
func verify(t *testing.T, r *callers.Registry, want model, bystander callers.Created) {
	t.Helper()
	all, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := all[1]
	got := model{
		URL: c.CallbackURL, Prefix: c.IDPrefix, Disabled: c.DisabledAt != nil, Open: c.Quota.MaxOpen, Rate: c.Quota.MaxRate,
	}
	for _, e := range c.Endpoints {
		got.Endpoints = append(got.Endpoints, e.Name)
	}
	on := false
	if _, err := r.Update(t.Context(), "shop", c.Version, callers.Change{Disabled: &on}); err != nil {
		t.Fatal(err)
	}
	for _, key := range want.Keys {
		if who, err := r.Authenticate(t.Context(), key); err == nil && who.Name == "shop" {
			got.Keys = append(got.Keys, key)
		}
	}
	if len(c.Keys) != len(got.Keys) {
		t.Errorf("%d keys are kept", len(c.Keys))
	}
	endpoints, err := r.Endpoints(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	got.Secrets = endpoints[0].Secrets
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(bystander.Version, all[0].Version); diff != "" || all[0].Name != "bystander" {
		t.Errorf("the bystander was changed: %+v", all[0])
	}
}
