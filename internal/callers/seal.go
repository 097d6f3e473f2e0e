package callers

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"recarga/topup"
)

// secret is one webhook secret of a caller.
type secret struct {
	Secret string `json:"secret"`
	// Until is when it stops to sign; zero for the current one.
	Until time.Time `json:"until,omitzero"`
}

// box seals with AES-256-GCM, under a key derived from the one of the settings.
type box struct{ aead cipher.AEAD }

func newBox(key string) *box {
	derived, err := hkdf.Key(sha256.New, []byte(key), nil, "recarga webhook secrets", 32)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err) // only for a key of another length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for another cipher
	}
	return &box{aead}
}

// seal is for one caller: what is sealed for one cannot be opened for another.
func (r *Registry) seal(name string, all []secret) ([]byte, error) {
	if r.box == nil {
		return nil, ErrNoKey
	}
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return r.box.aead.Seal(nil, nil, plain, []byte(name)), nil
}

// open returns a caller's secrets, the newest first.
func (r *Registry) open(c topup.Caller) (all []secret, err error) {
	if r.box == nil {
		return nil, ErrNoKey
	}
	plain, err := r.box.aead.Open(nil, nil, c.Secrets, []byte(c.Name))
	if err != nil {
		return nil, fmt.Errorf("the webhook secrets of caller %s were sealed with another key: set RECARGA_ENCRYPTION_KEY (or RECARGA_ADMIN_KEY, where that is not set) to what it was, or rotate them", c.Name)
	}
	return all, json.Unmarshal(plain, &all)
}
