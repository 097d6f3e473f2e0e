// Package callers is the registry of callers: their API keys, of which it keeps only digests, and their webhook
// secrets, which it keeps sealed.
package callers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/internal/access"
	"recarga/internal/audit"
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
	// ErrExpired: the key was the caller's, and has ended.
	ErrExpired = errors.New("the key has expired")
	// ErrNoKey: there is no key to seal secrets with.
	ErrNoKey = errors.New("no key to seal secrets with: set RECARGA_ENCRYPTION_KEY or RECARGA_ADMIN_KEY")
)

const (
	keyPrefix = "rck_"
	// DefaultOverlap is how long the former secret signs beside a new one.
	DefaultOverlap = 24 * time.Hour
	// hintLength is how much of a key is kept, so that people recognise it.
	hintLength = 4
)

// Registry knows the callers. It is safe for concurrent use.
type Registry struct {
	store Store // of the rows
	// box seals the secrets; nil without a key.
	box *seal.Box
	// plainHTTP allows callback URLs without TLS.
	plainHTTP bool

	byName access.Memory[string, topup.Caller]            // callers with a row, by name
	quotas access.Memory[string, topup.Caller]            // callers by name, also those without a row
	byKey  access.Memory[[sha256.Size]byte, topup.Caller] // callers by the digest of a key
}

// New builds a Registry. encryptionKey seals the secrets: every process that signs or changes them needs
// the same one; what formerKeys sealed is opened too. plainHTTP allows callback URLs of http://.
func New(store Store, encryptionKey string, plainHTTP bool, formerKeys ...string) *Registry {
	r := &Registry{store: store, plainHTTP: plainHTTP}
	if encryptionKey != "" { // a former key alone seals nothing
		r.box = seal.New(append([]string{encryptionKey}, formerKeys...)...)
	}
	return r
}

// Created is a new caller with what is shown of it once.
type Created struct {
	topup.Caller
	// APIKey and WebhookSecret are in plain text; nobody can read them later.
	APIKey, WebhookSecret string
}

// NewCaller is a caller as Add takes it. Only the name is needed.
type NewCaller struct {
	// Name is what the caller is known by for ever.
	Name string
	// CallbackURL is where its events are delivered; empty: nowhere.
	CallbackURL string
	// IDPrefix is what the ids of its orders begin with, and nobody else's; empty: anything.
	IDPrefix string
	// Quota bounds its open orders and its rate; the zero value bounds nothing.
	Quota topup.Quota
	// KeyExpiresAt is when its key ends; nil: never.
	KeyExpiresAt *time.Time
}

// Add registers a caller. Errors: those of topup.FieldErrors; topup.ErrConflict for a name that is taken;
// ErrNoKey.
func (r *Registry) Add(ctx context.Context, n NewCaller) (Created, error) {
	name, callbackURL := n.Name, n.CallbackURL
	_, err := topup.ParseCallerName(name)
	if name == topup.DefaultCaller || name == topup.OperatorCaller {
		err = &topup.FieldError{Field: "name", Value: name, Allowed: "another name: this one's settings are RECARGA_…"}
	}
	if callbackURL != "" { // without one it gets no webhooks
		err = errors.Join(err, r.checkURL(topup.FieldCallbackURL, callbackURL))
	}
	now := time.Now()
	_, prefixErr := topup.ParseIDPrefix(n.IDPrefix)
	err = errors.Join(err, prefixErr, checkQuota(n.Quota), access.CheckExpiry("key_expires_at", n.KeyExpiresAt))
	if err != nil {
		return Created{}, err
	}
	created := Created{APIKey: keyPrefix + access.NewKey(), WebhookSecret: webhook.NewSecret()}
	created.Caller = topup.Caller{
		Name: name, Version: 1, CallbackURL: callbackURL, CreatedAt: now, IDPrefix: n.IDPrefix, Quota: n.Quota,
		Keys: []topup.CallerKey{keptKey(created.APIKey, now, n.KeyExpiresAt)},
	}
	if created.Secrets, err = r.seal(name, sealed{secrets: []secret{{Secret: created.WebhookSecret}}}); err != nil {
		return Created{}, err
	}
	return created, r.store.AddCaller(audit.On(ctx, name), created.Caller)
}

// keptKey is what is kept of a key.
func keptKey(key string, now time.Time, expires *time.Time) topup.CallerKey {
	sum := sha256.Sum256([]byte(key))
	return topup.CallerKey{Hash: sum[:], Hint: key[len(key)-hintLength:], CreatedAt: now, ExpiresAt: expires}
}

func checkQuota(q topup.Quota) error {
	if q.MaxOpen < 0 {
		allowed := "a number from 1, or 0 for any number"
		return &topup.FieldError{Field: "max_open", Value: strconv.Itoa(q.MaxOpen), Allowed: allowed}
	}
	return nil
}

func (r *Registry) checkURL(field, s string) error {
	u, err := url.Parse(s)
	allowed := "an https:// URL without user and fragment"
	if r.plainHTTP {
		allowed = "an https:// or http:// URL without user and fragment"
	}
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" &&
		(u.Scheme != "http" || !r.plainHTTP) {
		return &topup.FieldError{Field: field, Value: s, Allowed: allowed}
	}
	return nil
}

// List is every caller, by name.
func (r *Registry) List(ctx context.Context) ([]topup.Caller, error) { return r.store.Callers(ctx) }

// Change is what may be changed of a caller; what is nil stays.
type Change struct {
	// CallbackURL is where its events are delivered; empty: nowhere.
	CallbackURL *string
	// Headers are the own headers of the callback URL; nil: as they are, if it stays at its origin.
	Headers map[string]string
	// Disabled refuses its key, and delivers no event.
	Disabled *bool
	// IDPrefix is what the ids of its orders begin with; empty: anything.
	IDPrefix *string
	// MaxOpen bounds its orders that are not final; 0: any number.
	MaxOpen *int
	// MaxRate bounds how fast it places orders.
	MaxRate *topup.Rate
}

// String is what changes; of headers it has the names alone.
func (c Change) String() string {
	var parts []string
	say := func(name string, value any) { parts = append(parts, fmt.Sprintf("%s=%v", name, value)) }
	if c.CallbackURL != nil {
		say("callback_url", *c.CallbackURL)
	}
	if c.Headers != nil {
		say("callback_headers", strings.Join(slices.Sorted(maps.Keys(c.Headers)), ","))
	}
	if c.Disabled != nil {
		say("disabled", *c.Disabled)
	}
	if c.IDPrefix != nil {
		say("id_prefix", *c.IDPrefix)
	}
	if c.MaxOpen != nil {
		say("max_open", *c.MaxOpen)
	}
	if c.MaxRate != nil {
		say("max_rate", c.MaxRate.String())
	}
	return strings.Join(parts, " ")
}

// check names what is wrong with a change of the caller of a name.
func (r *Registry) check(name string, c Change) error {
	errs := webhook.CheckHeaders("callback_headers", c.Headers)
	if name == topup.DefaultCaller {
		const allowed = "absent: of this caller, the settings RECARGA_API_KEY and RECARGA_CALLBACK_URL say that"
		if c.CallbackURL != nil {
			errs = append(errs, &topup.FieldError{Field: topup.FieldCallbackURL, Value: *c.CallbackURL, Allowed: allowed})
		}
		if c.Headers != nil {
			errs = append(errs, &topup.FieldError{Field: "callback_headers",
				Allowed: "absent: RECARGA_WEBHOOK_HEADERS says that"})
		}
		if c.Disabled != nil {
			errs = append(errs, &topup.FieldError{Field: "disabled", Value: strconv.FormatBool(*c.Disabled), Allowed: allowed})
		}
	} else if c.CallbackURL != nil && *c.CallbackURL != "" {
		errs = append(errs, r.checkURL(topup.FieldCallbackURL, *c.CallbackURL))
	}
	if c.IDPrefix != nil {
		_, err := topup.ParseIDPrefix(*c.IDPrefix)
		errs = append(errs, err)
	}
	if c.MaxOpen != nil {
		errs = append(errs, checkQuota(topup.Quota{MaxOpen: *c.MaxOpen}))
	}
	return errors.Join(errs...)
}

// Update changes a caller, if it is at the version, or whatever version it is at where that is 0. Errors: those of
// topup.FieldErrors; topup.ErrNotFound; *topup.ChangedError. Of the caller named default only the prefix and the
// quotas are kept here.
func (r *Registry) Update(ctx context.Context, name string, version int64, change Change) (topup.Caller, error) {
	if err := r.check(name, change); err != nil {
		return topup.Caller{}, err
	}
	ctx = audit.To(audit.On(ctx, name), change.String())
	if name == topup.DefaultCaller {
		if err := r.keepDefault(ctx); err != nil {
			return topup.Caller{}, err
		}
	}
	return r.write(ctx, name, version, func(c *topup.Caller) error {
		set(&c.CallbackURL, change.CallbackURL)
		set(&c.IDPrefix, change.IDPrefix)
		set(&c.Quota.MaxOpen, change.MaxOpen)
		set(&c.Quota.MaxRate, change.MaxRate)
		if change.Disabled != nil && *change.Disabled != (c.DisabledAt != nil) {
			c.DisabledAt = nil
			if now := time.Now().UTC(); *change.Disabled {
				c.DisabledAt = &now
			}
		}
		if change.CallbackURL != nil || change.Headers != nil {
			return r.withHeaders(c, topup.DefaultEndpoint, c.CallbackURL, change.Headers)
		}
		return nil
	})
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// keepDefault makes sure that there is a row for the caller of the settings, with neither a key nor a secret.
func (r *Registry) keepDefault(ctx context.Context) error {
	_, err := r.store.Caller(ctx, topup.DefaultCaller)
	if !errors.Is(err, topup.ErrNotFound) {
		return err
	}
	secrets, err := r.seal(topup.DefaultCaller, sealed{})
	if err == nil {
		c := topup.Caller{Name: topup.DefaultCaller, Version: 1, Secrets: secrets, CreatedAt: time.Now()}
		err = r.store.AddCaller(ctx, c)
	}
	if errors.Is(err, topup.ErrConflict) { // somebody else was first
		err = nil
	}
	return err
}

// Rotation is how a key or a secret follows another.
type Rotation struct {
	// Version is that of the caller; see Update.
	Version int64
	// Overlap is how long the former one is good as well.
	Overlap time.Duration
	// ExpiresAt is when a new key ends; nil: never.
	ExpiresAt *time.Time
}

// String is how it follows.
func (o Rotation) String() string {
	s := "overlap=" + o.Overlap.String()
	if o.ExpiresAt != nil {
		s += " expires_at=" + o.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return s
}

func (o Rotation) check() error {
	return cmp.Or(access.CheckOverlap(o.Overlap), access.CheckExpiry("expires_at", o.ExpiresAt))
}

// RotateSecret gives a caller a new webhook secret. For the time of the overlap, every webhook is signed
// with both, so that its receiver can be changed at any moment of it. Errors: those of Update.
func (r *Registry) RotateSecret(
	ctx context.Context, name string, how Rotation,
) (fresh string, c topup.Caller, err error) {
	if err := how.check(); err != nil {
		return "", c, err
	}
	ctx = audit.To(audit.On(ctx, name), how.String())
	fresh = webhook.NewSecret()
	c, err = r.change(ctx, name, how.Version, func(c *topup.Caller) error {
		now := time.Now()
		old, err := r.open(*c)
		if errors.Is(err, ErrNoKey) {
			return err // of secrets that were sealed with a lost key, nothing can be kept
		}
		kept := []secret{{Secret: fresh}}
		for _, s := range old.secrets {
			until := now.Add(how.Overlap)
			if s.Until.IsZero() || s.Until.After(until) {
				s.Until = until
			}
			if s.Until.After(now) {
				kept = append(kept, s)
			}
		}
		c.Secrets, err = r.seal(c.Name, sealed{kept, old.headers})
		return err
	})
	return fresh, c, err
}

// RotateKey gives a caller a new API key. The former one is good for the time of the overlap, unless it ends before;
// the one before that ends now: two are good at most. Errors: those of Update.
func (r *Registry) RotateKey(ctx context.Context, name string, how Rotation) (key string, c topup.Caller, err error) {
	if err := how.check(); err != nil {
		return "", c, err
	}
	ctx = audit.To(audit.On(ctx, name), how.String())
	key = keyPrefix + access.NewKey()
	c, err = r.change(ctx, name, how.Version, func(c *topup.Caller) error {
		now := time.Now()
		keys := []topup.CallerKey{keptKey(key, now, how.ExpiresAt)}
		if until := now.Add(how.Overlap); how.Overlap > 0 && len(c.Keys) > 0 {
			former := c.Keys[0]
			if former.ExpiresAt == nil || former.ExpiresAt.After(until) {
				former.ExpiresAt = &until
			}
			keys = append(keys, former)
		}
		c.Keys = keys
		return nil
	})
	return key, c, err
}

// change is write for what the caller of the settings does not have here.
func (r *Registry) change(
	ctx context.Context, name string, version int64, apply func(*topup.Caller) error,
) (topup.Caller, error) {
	if name == topup.DefaultCaller {
		return topup.Caller{}, fmt.Errorf("caller %s: %w", name, topup.ErrNotFound)
	}
	return r.write(ctx, name, version, apply)
}

// write reads, changes and writes a caller. It is not repeated when somebody else was first: what they did may be what
// this change was made without knowing.
func (r *Registry) write(
	ctx context.Context, name string, version int64, apply func(*topup.Caller) error,
) (topup.Caller, error) {
	defer r.forget()
	c, err := r.store.Caller(ctx, name)
	if err != nil {
		return c, err
	}
	if version != 0 && version != c.Version {
		return c, &topup.ChangedError{Name: name, Version: version, Latest: c.Version}
	}
	was := c
	c.Endpoints = slices.Clone(c.Endpoints)
	if err := apply(&c); err != nil {
		return c, err
	}
	if err := r.store.ChangeCaller(ctx, c, was); errors.Is(err, topup.ErrLost) {
		return c, &topup.ChangedError{Name: name, Version: was.Version}
	} else if err != nil {
		return c, err
	}
	c.Version++
	return c, nil
}

func (r *Registry) forget() {
	r.byName.Clear()
	r.quotas.Clear()
	r.byKey.Clear()
}

// Authenticate is the caller of an API key. Errors: topup.ErrNotFound for an unknown key; ErrDisabled; ErrExpired.
func (r *Registry) Authenticate(ctx context.Context, key string) (topup.Caller, error) {
	if !strings.HasPrefix(key, keyPrefix) {
		return topup.Caller{}, topup.ErrNotFound
	}
	hash := sha256.Sum256([]byte(key))
	c, err := r.byKey.Recall(hash, func() (topup.Caller, error) { return r.store.CallerByKey(ctx, hash[:]) })
	switch {
	case err != nil:
	case c.DisabledAt != nil:
		err = ErrDisabled
	default:
		// When it ends is known beforehand, so no memory of it is behind.
		i := slices.IndexFunc(c.Keys, func(k topup.CallerKey) bool { return bytes.Equal(k.Hash, hash[:]) })
		if i < 0 || c.Keys[i].Expired(time.Now()) {
			err = ErrExpired
		}
	}
	return c, err
}

// Caller is the caller of a name, as it was at most two seconds ago. Errors: topup.ErrNotFound.
func (r *Registry) Caller(ctx context.Context, name string) (topup.Caller, error) {
	return r.byName.Recall(name, func() (topup.Caller, error) { return r.store.Caller(ctx, name) })
}
