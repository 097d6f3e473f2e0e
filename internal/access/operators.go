package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"recarga/internal/audit"
	"recarga/topup"
)

// An Account is an operator: a person, or a program, with a key of its own for what operators do.
type Account struct {
	Name string // of the form of a caller's
	Role Role   // what it may do
	// KeyHash is the SHA-256 of the key, and FormerHash of the one before it, which is good until FormerUntil.
	KeyHash, FormerHash []byte
	FormerUntil         *time.Time // nil: there is no former key
	// ExpiresAt is when the keys end; nil: never.
	ExpiresAt *time.Time
	CreatedAt time.Time // when it was added
	// DisabledAt is since when the keys are refused; nil: they are not.
	DisabledAt *time.Time
	// Version counts the changes, from 1.
	Version int64
}

// OperatorStore keeps operators: the journal.
type OperatorStore interface {
	// AddOperator returns topup.ErrConflict for a name that is taken.
	AddOperator(ctx context.Context, o Account) error
	// ChangeOperator writes an operator that was read with the version before o's, or returns topup.ErrLost.
	ChangeOperator(ctx context.Context, o Account) error
	// Operators are all, by name.
	Operators(ctx context.Context) ([]Account, error)
	// Operator returns topup.ErrNotFound for a name that nobody has.
	Operator(ctx context.Context, name string) (Account, error)
	// OperatorByKey is the owner of a key or of a former one, or topup.ErrNotFound.
	OperatorByKey(ctx context.Context, hash []byte) (Account, error)
}

// Errors of Operators, beside those of the store.
var (
	// ErrUnknownKey: the key is nobody's.
	ErrUnknownKey = errors.New("the key is not known")
	// ErrKeyEnded: the key is right, and is refused: its operator is disabled, or it has expired.
	ErrKeyEnded = errors.New("disabled, or expired")
)

const (
	operatorPrefix = "rok_"
	keySize        = 32
)

// Operators are the registry of the operators. It is safe for concurrent use.
type Operators struct {
	store   OperatorStore
	lookups *Lookups

	byName Memory[string, Account]
	byKey  Memory[[sha256.Size]byte, Account]
}

// NewOperators builds the registry.
func NewOperators(store OperatorStore) *Operators {
	return &Operators{store: store, lookups: NewLookups()}
}

// Add registers an operator, and returns its key, which is shown once. A nil expiresAt is never. Errors: those of
// topup.FieldErrors; topup.ErrConflict for a name that is taken.
func (r *Operators) Add(ctx context.Context, name string, role Role, expiresAt *time.Time) (Account, string, error) {
	_, err := topup.ParseCallerName(name)
	if name == AdminName {
		err = &topup.FieldError{Field: "name", Value: name, Allowed: "another name: this one has RECARGA_ADMIN_KEY"}
	}
	if err := errors.Join(err, CheckExpiry("expires_at", expiresAt)); err != nil {
		return Account{}, "", err
	}
	key := newOperatorKey()
	o := Account{Name: name, Role: role, KeyHash: digest(key), ExpiresAt: expiresAt, CreatedAt: time.Now(), Version: 1}
	return o, key, r.store.AddOperator(audit.To(audit.On(ctx, name), "role="+role.String()), o)
}

func newOperatorKey() string {
	return operatorPrefix + NewKey()
}

// IsOperatorKey reports whether a key has the form of an operator's.
func IsOperatorKey(key string) bool {
	return strings.HasPrefix(key, operatorPrefix) &&
		len(key) == len(operatorPrefix)+base64.RawURLEncoding.EncodedLen(keySize)
}

func digest(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// List is every operator, by name. The one of RECARGA_ADMIN_KEY is not among them.
func (r *Operators) List(ctx context.Context) ([]Account, error) { return r.store.Operators(ctx) }

// AccountChange is what may be changed of an operator; what is nil stays.
type AccountChange struct {
	Role     *Role // what it may do
	Disabled *bool // its keys are refused
	// ExpiresAt is when its keys end.
	ExpiresAt *time.Time
	// Version is the one that the change is for; 0: any.
	Version int64
}

// String is what changes.
func (c AccountChange) String() string {
	var parts []string
	if c.Role != nil {
		parts = append(parts, "role="+c.Role.String())
	}
	if c.Disabled != nil {
		parts = append(parts, fmt.Sprintf("disabled=%t", *c.Disabled))
	}
	if c.ExpiresAt != nil {
		parts = append(parts, "expires_at="+c.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}

// Change changes an operator. Errors: those of topup.FieldErrors; topup.ErrNotFound; topup.ErrLost when it is not of
// the change's version any more.
func (r *Operators) Change(ctx context.Context, name string, change AccountChange) (Account, error) {
	if err := CheckExpiry("expires_at", change.ExpiresAt); err != nil {
		return Account{}, err
	}
	return r.change(audit.To(ctx, change.String()), name, func(o *Account) error {
		if change.Version != 0 && change.Version != o.Version {
			return topup.ErrLost
		}
		if change.Role != nil {
			o.Role = *change.Role
		}
		if change.ExpiresAt != nil {
			o.ExpiresAt = change.ExpiresAt
		}
		if change.Disabled != nil && *change.Disabled != (o.DisabledAt != nil) {
			o.DisabledAt = nil
			if now := time.Now(); *change.Disabled {
				o.DisabledAt = &now
			}
		}
		return nil
	})
}

// RotateKey gives an operator a new key. The former one is good for the time of the overlap, and the sessions that it
// began as well. Errors: those of topup.FieldErrors; topup.ErrNotFound.
func (r *Operators) RotateKey(
	ctx context.Context, name string, overlap time.Duration,
) (o Account, key string, err error) {
	if err := CheckOverlap(overlap); err != nil {
		return o, "", err
	}
	key = newOperatorKey()
	o, err = r.change(audit.To(ctx, "overlap="+overlap.String()), name, func(o *Account) error {
		o.FormerHash, o.FormerUntil = nil, nil
		if overlap > 0 {
			until := time.Now().Add(overlap)
			o.FormerHash, o.FormerUntil = o.KeyHash, &until
		}
		o.KeyHash = digest(key)
		return nil
	})
	return o, key, err
}

// change reads, changes and writes an operator, again when somebody else was first.
func (r *Operators) change(ctx context.Context, name string, apply func(*Account) error) (o Account, err error) {
	for range 5 {
		if o, err = r.store.Operator(ctx, name); err != nil {
			return o, err
		}
		if err = apply(&o); err != nil {
			return o, err
		}
		o.Version++
		if err = r.store.ChangeOperator(ctx, o); !errors.Is(err, topup.ErrLost) {
			break
		}
	}
	r.byName.Clear()
	r.byKey.Clear()
	return o, err
}

// Authenticate is the operator of a key. Errors: ErrUnknownKey, ErrKeyEnded, and those of the store.
func (r *Operators) Authenticate(ctx context.Context, key string) (Account, error) {
	if !IsOperatorKey(key) {
		return Account{}, ErrUnknownKey
	}
	hash := sha256.Sum256([]byte(key))
	var o Account
	err := r.lookups.Do(ctx, key, func() (err error) {
		o, err = r.byKey.Recall(hash, func() (Account, error) { return r.store.OperatorByKey(ctx, hash[:]) })
		return err
	})
	if err == nil {
		err = o.accepts(func(known []byte) bool { return subtle.ConstantTimeCompare(known, hash[:]) == 1 })
	}
	if errors.Is(err, topup.ErrNotFound) {
		err = ErrUnknownKey
	}
	return o, err
}

// Holder is the operator of a session that a key began. ErrNoSession: the key has ended since.
func (r *Operators) Holder(ctx context.Context, name, keyID string) (Person, error) {
	o, err := r.byName.Recall(name, func() (Account, error) { return r.store.Operator(ctx, name) })
	if err == nil {
		err = o.accepts(func(known []byte) bool { return keyID == idOf(known) })
	}
	switch {
	case errors.Is(err, topup.ErrNotFound), errors.Is(err, ErrKeyEnded), errors.Is(err, ErrUnknownKey):
		return Person{}, ErrNoSession
	case err != nil:
		return Person{}, err
	}
	return Person{o.Name, o.Role}, nil
}

// accepts returns why a key is not good now.
func (o Account) accepts(same func(hash []byte) bool) error {
	now := time.Now()
	former := len(o.FormerHash) > 0 && same(o.FormerHash)
	switch {
	case !same(o.KeyHash) && !former:
		return ErrUnknownKey
	case former && (o.FormerUntil == nil || !now.Before(*o.FormerUntil)):
		return fmt.Errorf("the former key of operator %s: %w", o.Name, ErrKeyEnded)
	case o.DisabledAt != nil, o.ExpiresAt != nil && !now.Before(*o.ExpiresAt):
		return fmt.Errorf("operator %s: %w", o.Name, ErrKeyEnded)
	}
	return nil
}

// KeyID names a key without giving it away.
func KeyID(key string) string { return idOf(digest(key)) }

func idOf(hash []byte) string {
	const enough = 12
	return base64.RawURLEncoding.EncodeToString(hash[:min(enough, len(hash))])
}
