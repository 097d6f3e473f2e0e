package callers_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"recarga/internal/callers"
	"recarga/internal/journal"
	"recarga/internal/seal"
	"recarga/internal/testkit"
	"recarga/topup"
	"recarga/webhook"
)

const (
	oldKey = "the former encryption key"
	newKey = "the present encryption key"
)

// rotate gives a caller a new secret; the former one signs for an hour more.
func rotate(ctx context.Context, r *callers.Registry, name string) (string, error) {
	for {
		secret, _, err := r.RotateSecret(ctx, name, callers.Rotation{Overlap: time.Hour})
		if !errors.Is(err, topup.ErrLost) { // the rekey was there at this moment
			return secret, err
		}
	}
}

// addFirstForm adds a caller whose secret is sealed as releases before the key's name did.
func addFirstForm(t *testing.T, j *journal.Journal, name, key string) (secret string) {
	t.Helper()
	secret = webhook.NewSecret()
	derived, err := hkdf.Key(sha256.New, []byte(key), nil, "recarga webhook secrets", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := aes.NewCipher(derived)
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	plain, _ := json.Marshal([]map[string]string{{"secret": secret}})
	c := topup.Caller{Name: name, CallbackURL: "https://" + name + ".example", CreatedAt: time.Now()}
	c.Keys = []topup.CallerKey{{Hash: []byte(name), CreatedAt: time.Now()}}
	c.Secrets = aead.Seal(nil, nil, plain, []byte(name))
	if err := j.AddCaller(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return secret
}

// secretsOf are those that sign a caller's webhooks, the newest first.
func secretsOf(t *testing.T, r *callers.Registry, name string) []string {
	t.Helper()
	e, err := r.Endpoints(t.Context(), name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	return e[0].Secrets
}

// cut is a journal whose writer dies after so many steps, before or after the write.
type cut struct {
	*journal.Journal
	left  int
	after bool
}

var errCut = errors.New("killed")

func (c *cut) ResealCaller(ctx context.Context, name string, sealed, was []byte) error {
	if c.left--; c.left > 0 {
		return c.Journal.ResealCaller(ctx, name, sealed, was)
	}
	if c.after {
		_ = c.Journal.ResealCaller(ctx, name, sealed, was) // nobody hears of it
	}
	return errCut
}

// TestRekey: while callers rotate their secrets and the rekey is killed again and again, every webhook is signed with
// every secret that has not ended; and at the end the present key alone opens all.
func TestRekey(t *testing.T) {
	for round := range testkit.Times(1, 5) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			testRekey(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func testRekey(t *testing.T, r *rand.Rand) {
	j := open(t)
	former := callers.New(j, oldKey, false)
	names, signs, first := []string{}, map[string][]string{}, map[string]string{}
	for i := range 3 + r.IntN(12) {
		name := fmt.Sprint("caller-", i)
		names = append(names, name)
		if i%2 == 0 {
			signs[name] = []string{addFirstForm(t, j, name, oldKey)}
		} else {
			signs[name] = []string{add(t, former, name).WebhookSecret}
		}
		first[name] = signs[name][0]
	}
	// Both keys are set now, in every process.
	var mu sync.Mutex
	var rotating sync.WaitGroup
	for _, name := range names {
		n := r.IntN(4)
		rotating.Go(func() {
			process := callers.New(j, newKey, false, oldKey)
			for range n {
				secret, err := rotate(t.Context(), process, name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				mu.Lock()
				signs[name] = append(signs[name], secret)
				mu.Unlock()
				mu.Lock()
				want := slices.Clone(signs[name])
				mu.Unlock()
				if got := secretsOf(t, callers.New(j, newKey, false, oldKey), name); !sameSecrets(got, want) {
					t.Errorf("%s is signed with %d secrets, want %d", name, len(got), len(want))
				}
			}
		})
	}
	box := seal.New(newKey, oldKey)
	for range 4 {
		store := &cut{Journal: j, left: 1 + r.IntN(len(names)), after: r.IntN(2) == 0}
		if _, err := callers.Rekey(t.Context(), store, box, false); err != nil && !errors.Is(err, errCut) {
			t.Error(err)
		}
		for _, name := range names {
			if got := secretsOf(t, callers.New(j, newKey, false, oldKey), name); !slices.Contains(got, first[name]) {
				t.Errorf("%s is not signed with its first secret any more", name)
			}
		}
	}
	rotating.Wait()
	got, err := callers.Rekey(t.Context(), j, box, false)
	if err != nil || got.Current+got.Former != len(names) || len(got.Unreadable) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := callers.Rekey(t.Context(), j, seal.New(newKey), true); err != nil || again.Current != len(names) {
		t.Errorf("with the present key alone: %+v, %v", again, err)
	}
	for _, name := range names {
		if got := secretsOf(t, callers.New(j, newKey, false), name); !sameSecrets(got, signs[name]) {
			t.Errorf("%s is signed with %d secrets, want %d", name, len(got), len(signs[name]))
		}
	}
}

// sameSecrets compares the newest first with the newest last.
func sameSecrets(got, made []string) bool {
	want := slices.Clone(made)
	slices.Reverse(want)
	return slices.Equal(got, want)
}

// TestRekeyCounts: a dry run changes nothing; what no key opens is named and left.
func TestRekeyCounts(t *testing.T) {
	j := open(t)
	addFirstForm(t, j, "first", oldKey)
	add(t, callers.New(j, oldKey, false), "former")
	add(t, callers.New(j, newKey, false), "present")
	add(t, callers.New(j, "a lost key", false), "lost")
	before, err := j.Callers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dry             bool
		current, former int
	}{{true, 1, 2}, {true, 1, 2}, {false, 1, 2}, {false, 3, 0}} {
		got, err := callers.Rekey(t.Context(), j, seal.New(newKey, oldKey), c.dry)
		if err != nil || got.Current != c.current || got.Former != c.former ||
			!slices.Equal(got.Unreadable, []string{"lost"}) {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
		after, err := j.Callers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range before {
			changed := !slices.Equal(before[i].Secrets, after[i].Secrets)
			if wants := !c.dry && (before[i].Name == "first" || before[i].Name == "former"); changed != wants {
				t.Errorf("%+v: changed %s: %t", c, before[i].Name, changed)
			}
		}
	}
	if _, err := callers.Rekey(t.Context(), j, seal.New(), false); !errors.Is(err, callers.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}
