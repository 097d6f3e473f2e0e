package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ErrSecret is a secret that cannot be used; the error that wraps it says why, without the secret.
var ErrSecret = errors.New("invalid webhook secret")

const secretPrefix = "whsec_"

// The key's size in bytes: the specification's bounds, and what NewSecret makes.
const (
	minKey = 24
	maxKey = 64
	newKey = 32
)

// NewSecret makes a random secret, "whsec_" and 32 bytes in base64.
func NewSecret() string {
	key := make([]byte, newKey)
	_, _ = rand.Read(key) // never fails: without randomness the program ends
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParseSecret returns what is wrong with a secret: an ErrSecret, or nil.
func ParseSecret(s string) error {
	_, err := signer(s)
	return err
}

func signer(secret string) (*standard.Webhook, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not start with %s", ErrSecret, secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: after %s, %w", ErrSecret, secretPrefix, err)
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("%w: its key has %d bytes, not %d to %d", ErrSecret, len(key), minKey, maxKey)
	}
	return standard.NewWebhookRaw(key)
}
