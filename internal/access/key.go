package access

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"recarga/topup"
)

const (
	// A key of 20 characters that were chosen at random cannot be guessed; one of few different characters, or with a
	// word in it, was not chosen at random.
	strongKey      = 20
	differentChars = 8
)

// words that people write into keys, each so long that a random key has none of them.
func words() []string {
	return strings.Fields(`administ admin-key adminkey changeme default demo-key example-key letmein password qwertyu
recarga secret-key secretkey 12345678`)
}

// NewKey is a key that nobody can guess: 256 random bits, in 43 characters that need no quoting anywhere.
func NewKey() string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: without randomness the program ends
	return base64.RawURLEncoding.EncodeToString(key)
}

// MaxOverlap bounds how long a key or secret is good that another one follows: one that is replaced because it leaked
// must end.
const MaxOverlap = 30 * 24 * time.Hour

// CheckOverlap holds an overlap against MaxOverlap. Its error is a *topup.FieldError.
func CheckOverlap(d time.Duration) error {
	if d >= 0 && d <= MaxOverlap {
		return nil
	}
	allowed := "a duration from 0s to " + MaxOverlap.String()
	return &topup.FieldError{Field: "overlap", Value: d.String(), Allowed: allowed}
}

// CheckExpiry refuses an end of a key that is past; nil is never. Its error is a *topup.FieldError.
func CheckExpiry(field string, at *time.Time) error {
	if at == nil || at.After(time.Now()) {
		return nil
	}
	return &topup.FieldError{Field: field, Value: at.Format(time.RFC3339), Allowed: "a time to come, or absent"}
}

// Weak says why a key can be guessed, without showing it; empty: it cannot.
func Weak(key string) string {
	different := map[rune]bool{}
	for _, r := range key {
		different[r] = true
	}
	if len(key) < strongKey || len(different) < differentChars {
		return fmt.Sprintf("has %d characters, %d of them different", len(key), len(different))
	}
	for _, word := range words() {
		if strings.Contains(strings.ToLower(key), word) {
			return "has a word in it that guessers know"
		}
	}
	return ""
}
