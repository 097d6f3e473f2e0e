package access_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"

	"recarga/internal/access"
)

func TestWeak(t *testing.T) {
	for _, key := range []string{
		"", "admin-key", "dev-admin-key", "changeme", strings.Repeat("x", 64), "abababababababababababab",
		"12345678901234567890",
		"Password-password-password", "recarga-operations-2026", "my-very-long-ADMIN-KEY-xyz", "0123456789012345678901",
	} {
		if access.Weak(key) == "" {
			t.Errorf("%q is taken for a strong key", key)
		}
	}
}

// TestStrongKeys: whatever people make keys with is strong, always.
func TestStrongKeys(t *testing.T) {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	seen := map[string]bool{}
	for range 2_000 {
		for how, key := range map[string]string{
			"recarga key":             access.NewKey(),
			"openssl rand -hex 16":    hex.EncodeToString(random(16)),
			"openssl rand -base64 24": base64.StdEncoding.EncodeToString(random(24)),
			"uuidgen":                 uuid.NewString(),
		} {
			if why := access.Weak(key); why != "" || seen[key] {
				t.Fatalf("%s: %q %s", how, key, why)
			}
			seen[key] = true
		}
	}
}
