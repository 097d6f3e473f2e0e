package journal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

func testCallers(t *testing.T, s store) {
	at := noon.Add(time.Hour)
	shop := topup.Caller{Name: "shop", CallbackURL: "https://shop.example/hook", KeyHash: []byte("hash-1"), Secrets: []byte("sealed-1"), CreatedAt: noon}
	must(t, s.AddCaller(t.Context(), shop))
	must(t, s.AddCaller(t.Context(), topup.Caller{Name: "a-shop", KeyHash: []byte("hash-2"), Secrets: []byte{}, CreatedAt: noon}))
	if err := s.AddCaller(t.Context(), topup.Caller{Name: "shop", KeyHash: []byte("hash-3"), Secrets: []byte{}, CreatedAt: noon}); kind(err) != "conflict" {
		t.Errorf("a name twice: %v", err)
	}
	all, err := s.Callers(t.Context())
	must(t, err)
	if len(all) != 2 || all[0].Name != "a-shop" || !cmp.Equal(all[1], shop) {
		t.Errorf("callers: %+v", all)
	}
	changed := shop
	changed.KeyHash, changed.Secrets, changed.DisabledAt, changed.CallbackURL = []byte("hash-4"), []byte("sealed-2"), &at, ""
	must(t, s.ChangeCaller(t.Context(), changed, shop.Secrets))
	if err := s.ChangeCaller(t.Context(), shop, shop.Secrets); kind(err) != "lost" {
		t.Errorf("a change of what has changed: %v", err)
	}
	got, err := s.CallerByKey(t.Context(), []byte("hash-4"))
	must(t, err)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Error(diff)
	}
	for _, hash := range []string{"hash-1", ""} {
		if _, err := s.CallerByKey(t.Context(), []byte(hash)); kind(err) != "not found" {
			t.Errorf("key %q: %v", hash, err)
		}
	}
	if _, err := s.Caller(t.Context(), "nobody"); kind(err) != "not found" {
		t.Errorf("nobody: %v", err)
	}
}

func testEndpointHealth(t *testing.T, s store) {
	const url = "https://shop.example/hook"
	is := func(since, disabled *time.Time, reason string) {
		t.Helper()
		h, err := s.EndpointHealth(t.Context(), "shop", url)
		must(t, err)
		if diff := cmp.Diff(topup.EndpointHealth{FailingSince: since, DisabledAt: disabled, Reason: reason}, h); diff != "" {
			t.Error(diff)
		}
	}
	first, second := noon.UTC(), noon.Add(time.Minute).UTC()
	is(nil, nil, "")
	must(t, s.EndpointFailed(t.Context(), "shop", url, first))
	must(t, s.EndpointFailed(t.Context(), "shop", url, second))
	is(&first, nil, "")
	for i, want := range []bool{true, false} {
		got, err := s.DisableEndpoint(t.Context(), "shop", url, "it is gone", second.Add(time.Duration(i)*time.Second))
		must(t, err)
		if got != want {
			t.Errorf("disabled for the first time: %v, want %v", got, want)
		}
	}
	is(&first, &second, "it is gone")
	must(t, s.EndpointHealthy(t.Context(), "shop", url))
	is(nil, nil, "")
	if _, err := s.DisableEndpoint(t.Context(), "shop", url, "410", first); err != nil {
		t.Error(err)
	}
	is(&first, &first, "410")
}
