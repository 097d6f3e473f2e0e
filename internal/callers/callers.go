// Package callers is the registry of those who place orders: their API keys, of which only digests are
// kept, and their webhook secrets, which are kept sealed.
package callers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"recarga/internal/seal"
	"recarga/topup"
	"recarga/webhook"
)

// Store keeps callers: the journal.
type Store interface {
	// AddCaller returns topup.ErrConflict for a name that is taken.
	AddCaller(ctx context.Context, c topup.Caller) error
	// ChangeCaller returns topup.ErrLost when the caller is not as it was any more.
	ChangeCaller(ctx context.Context, c, was topup.Caller) error
	Callers(ctx context.Context) ([]topup.Caller, error)
	Caller(ctx context.Context, name string) (topup.Caller, error)
	CallerByKey(ctx context.Context, hash []byte) (topup.Caller, error)
}

// Errors of the registry, beside those of the Store.
var (
	// ErrDisabled: the caller's key is right, and is refused.
	ErrDisabled = errors.New("the caller is disabled")
	// ErrNoKey: there is no key to seal secrets with.
	ErrNoKey = errors.New("no key to seal secrets with: set RECARGA_ENCRYPTION_KEY or RECARGA_ADMIN_KEY")
)

const (
	keyPrefix = "rck_"
	keySize   = 32
	// fresh is how long a caller is remembered: a change takes effect everywhere within it.
	fresh = 2 * time.Second
	// DefaultOverlap is how long the former secret signs beside a new one.
	DefaultOverlap = 24 * time.Hour
	// MaxOverlap bounds it: a secret that is replaced because it leaked must end.
	MaxOverlap = 30 * 24 * time.Hour
)

// Registry knows the callers. It is safe for concurrent use.
type Registry struct {
	store Store
	box   *seal.Box
	// plainHTTP allows callback URLs without TLS.
	plainHTTP bool

	mu     sync.Mutex
	byName map[string]remembered
	byKey  map[[sha256.Size]byte]remembered
}

type remembered struct {
	caller topup.Caller
	until  time.Time
}

// New builds a Registry. encryptionKey seals the secrets: every process that signs or changes them needs
// the same one; what formerKeys sealed is opened too. plainHTTP allows callback URLs of http://.
func New(store Store, encryptionKey string, plainHTTP bool, formerKeys ...string) *Registry {
	r := &Registry{store: store, plainHTTP: plainHTTP, byName: map[string]remembered{}, byKey: map[[sha256.Size]byte]remembered{}}
	if encryptionKey != "" { // a former key alone seals nothing
		r.box = seal.New(append([]string{encryptionKey}, formerKeys...)...)
	}
	return r
}

// Created is a new caller with what is shown of it once.
type Created struct {
	topup.Caller
	APIKey, WebhookSecret string
}

// Add registers a caller. Errors: those of topup.FieldErrors; topup.ErrConflict for a name that is taken;
// ErrNoKey.
func (r *Registry) Add(ctx context.Context, name, callbackURL string) (Created, error) {
	_, err := topup.ParseCallerName(name)
	if name == topup.DefaultCaller || name == topup.OperatorCaller {
		err = &topup.FieldError{Field: "name", Value: name, Allowed: "another name: this one's settings are RECARGA_…"}
	}
	if callbackURL != "" { // without one it is told nothing
		err = errors.Join(err, r.checkURL(topup.FieldCallbackURL, callbackURL))
	}
	if err != nil {
		return Created{}, err
	}
	created := Created{APIKey: newKey(), WebhookSecret: webhook.NewSecret()}
	created.Caller = topup.Caller{Name: name, CallbackURL: callbackURL, KeyHash: digest(created.APIKey), CreatedAt: time.Now()}
	if created.Secrets, err = r.seal(name, []secret{{Secret: created.WebhookSecret}}); err != nil {
		return Created{}, err
	}
	return created, r.store.AddCaller(ctx, created.Caller)
}

func newKey() string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: without randomness the program ends
	return keyPrefix + base64.RawURLEncoding.EncodeToString(key)
}

func digest(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

func (r *Registry) checkURL(field, s string) error {
	u, err := url.Parse(s)
	allowed := "an https:// URL without user and fragment"
	if r.plainHTTP {
		allowed = "an https:// or http:// URL without user and fragment"
	}
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !r.plainHTTP) {
		return &topup.FieldError{Field: field, Value: s, Allowed: allowed}
	}
	return nil
}

// List is every caller, by name.
func (r *Registry) List(ctx context.Context) ([]topup.Caller, error) { return r.store.Callers(ctx) }

// Change is what may be changed of a caller; what is nil stays.
type Change struct {
	CallbackURL *string
	Disabled    *bool
}

// Update changes a caller. Errors: those of topup.FieldErrors; topup.ErrNotFound.
func (r *Registry) Update(ctx context.Context, name string, change Change) (topup.Caller, error) {
	if change.CallbackURL != nil && *change.CallbackURL != "" {
		if err := r.checkURL(topup.FieldCallbackURL, *change.CallbackURL); err != nil {
			return topup.Caller{}, err
		}
	}
	return r.change(ctx, name, func(c *topup.Caller) error {
		if change.CallbackURL != nil {
			c.CallbackURL = *change.CallbackURL
		}
		if change.Disabled != nil && *change.Disabled != (c.DisabledAt != nil) {
			c.DisabledAt = nil
			if now := time.Now().UTC(); *change.Disabled {
				c.DisabledAt = &now
			}
		}
		return nil
	})
}

// RotateSecret gives a caller a new webhook secret. For the time of the overlap, every webhook is signed
// with both, so that its receiver can be changed at any moment of it.
func (r *Registry) RotateSecret(ctx context.Context, name string, overlap time.Duration) (fresh string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return "", &topup.FieldError{Field: "overlap", Value: overlap.String(), Allowed: "a duration from 0s to " + MaxOverlap.String()}
	}
	fresh = webhook.NewSecret()
	_, err = r.change(ctx, name, func(c *topup.Caller) error {
		now := time.Now()
		old, err := r.open(*c)
		if errors.Is(err, ErrNoKey) {
			return err // of secrets that were sealed with a lost key, nothing can be kept
		}
		kept := []secret{{Secret: fresh}}
		for _, s := range old {
			until := now.Add(overlap)
			if s.Until.IsZero() || s.Until.After(until) {
				s.Until = until
			}
			if s.Until.After(now) {
				kept = append(kept, s)
			}
		}
		c.Secrets, err = r.seal(c.Name, kept)
		return err
	})
	return fresh, err
}

// RotateKey gives a caller a new API key; the former one ends.
func (r *Registry) RotateKey(ctx context.Context, name string) (key string, err error) {
	key = newKey()
	_, err = r.change(ctx, name, func(c *topup.Caller) error {
		c.KeyHash = digest(key)
		return nil
	})
	return key, err
}

// change reads, changes and writes a caller, again when somebody else was first.
func (r *Registry) change(ctx context.Context, name string, apply func(*topup.Caller) error) (c topup.Caller, err error) {
	for range 5 {
		if c, err = r.store.Caller(ctx, name); err != nil {
			return c, err
		}
		was := c
		was.Endpoints = slices.Clone(c.Endpoints)
		if err = apply(&c); err != nil {
			return c, err
		}
		if err = r.store.ChangeCaller(ctx, c, was); !errors.Is(err, topup.ErrLost) {
			break
		}
	}
	r.forget()
	return c, err
}

func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.byName)
	clear(r.byKey)
}

// Authenticate is the caller of an API key. Errors: topup.ErrNotFound for an unknown key; ErrDisabled.
func (r *Registry) Authenticate(ctx context.Context, key string) (topup.Caller, error) {
	if !strings.HasPrefix(key, keyPrefix) {
		return topup.Caller{}, topup.ErrNotFound
	}
	hash := sha256.Sum256([]byte(key))
	c, err := recall(r, r.byKey, hash, func() (topup.Caller, error) { return r.store.CallerByKey(ctx, hash[:]) })
	if err == nil && c.DisabledAt != nil {
		err = ErrDisabled
	}
	return c, err
}

// Endpoints are where a caller is told, and with which secrets. topup.ErrNotFound: nowhere.
func (r *Registry) Endpoints(ctx context.Context, name string) ([]webhook.Endpoint, error) {
	c, err := recall(r, r.byName, name, func() (topup.Caller, error) { return r.store.Caller(ctx, name) })
	if err != nil {
		return nil, err
	}
	if c.DisabledAt != nil || c.CallbackURL == "" && len(c.Endpoints) == 0 {
		return nil, topup.ErrNotFound
	}
	all, err := r.open(c)
	if err != nil {
		return nil, err
	}
	var secrets []string
	for _, s := range all {
		if s.Until.IsZero() || s.Until.After(time.Now()) {
			secrets = append(secrets, s.Secret)
		}
	}
	endpoints := []webhook.Endpoint{{URL: c.CallbackURL, Secrets: secrets}}
	for _, e := range c.Endpoints {
		endpoints = append(endpoints, webhook.Endpoint{Name: e.Name, URL: e.URL, Types: e.EventTypes, Secrets: secrets})
	}
	return endpoints, nil
}

// maxEndpoints of one caller: each costs an event's copy.
const maxEndpoints = 10

// SetEndpoint adds an endpoint to a caller, or changes the one of that name. Errors: those of
// topup.FieldErrors; topup.ErrNotFound.
func (r *Registry) SetEndpoint(ctx context.Context, name string, e topup.CallerEndpoint) (topup.Caller, error) {
	if err := r.checkEndpoint(e); err != nil {
		return topup.Caller{}, err
	}
	return r.change(ctx, name, func(c *topup.Caller) error {
		i := c.EndpointIndex(e.Name)
		switch {
		case i >= 0:
			c.Endpoints[i] = e
		case len(c.Endpoints) >= maxEndpoints:
			return &topup.FieldError{Field: "endpoint", Value: e.Name, Allowed: fmt.Sprintf("at most %d endpoints beside the callback URL; remove one first", maxEndpoints)}
		default:
			c.Endpoints = append(c.Endpoints, e)
		}
		return nil
	})
}

func (r *Registry) checkEndpoint(e topup.CallerEndpoint) error {
	_, err := topup.ParseCallerName(e.Name)
	if e.Name == topup.DefaultEndpoint {
		err = &topup.FieldError{Field: "name", Value: e.Name, Allowed: "another name: this is the callback_url, which is changed as such"}
	}
	errs := []error{err, r.checkURL("url", e.URL)}
	for _, kind := range e.EventTypes {
		_, err := topup.ParseEventType(string(kind))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// RemoveEndpoint takes an endpoint away from a caller. Events that it has not been told of are given up.
// topup.ErrNotFound: there is no such caller or endpoint.
func (r *Registry) RemoveEndpoint(ctx context.Context, name, endpoint string) (topup.Caller, error) {
	return r.change(ctx, name, func(c *topup.Caller) error {
		i := c.EndpointIndex(endpoint)
		if i < 0 {
			return fmt.Errorf("endpoint %s: %w", endpoint, topup.ErrNotFound)
		}
		c.Endpoints = slices.Delete(c.Endpoints, i, i+1)
		return nil
	})
}

// recall asks the store at most every so often. Only callers are remembered: what is not found may be
// anything that somebody sends.
func recall[K comparable](r *Registry, memory map[K]remembered, key K, ask func() (topup.Caller, error)) (topup.Caller, error) {
	now := time.Now()
	r.mu.Lock()
	known, ok := memory[key]
	r.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.caller, nil
	}
	c, err := ask()
	if err != nil {
		return topup.Caller{}, fmt.Errorf("registry: %w", err)
	}
	r.mu.Lock()
	memory[key] = remembered{c, now.Add(fresh)}
	r.mu.Unlock()
	return c, nil
}
