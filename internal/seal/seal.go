// Package seal encrypts values that are kept where others may read or write: in the database, in Redis. A value that
// opens was sealed by somebody who has one of our keys, for the same purpose and the same context.
//
// The construction is AES-256-GCM with random nonces, under a key that HKDF-SHA256 derives for each purpose from the
// key of the settings. Purpose and context are authenticated, so nobody can pass off what was sealed for one caller as
// another's. A sealed value names its key, which shows what must still be sealed again after a key has changed:
//
//	"rs1" 0x01 | key id, 8 bytes | nonce, 12 bytes | ciphertext and tag
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// ErrKey is what Open returns of anything that none of the keys sealed for this purpose and context.
var ErrKey = errors.New("it was not sealed with any of the keys, or not for this")

const (
	magic = "rs1\x01"
	// KeyIDSize is the size of a key's id, in bytes.
	KeyIDSize  = 8
	headerSize = len(magic) + KeyIDSize
)

// Box seals with the first of its keys, and opens what any of them sealed. It is safe for concurrent use.
// One without a key, nil included, opens nothing.
type Box struct{ keys []boxKey }

type boxKey struct {
	secret []byte
	id     []byte
}

// New makes a Box. The first key seals, all open; empty ones and repeats count for nothing. A key may be any
// text; that it cannot be guessed is up to who chose it.
func New(keys ...string) *Box {
	b := &Box{}
	for _, key := range keys {
		id := derive([]byte(key), "recarga seal key id", KeyIDSize)
		if key != "" && b.find(id) == nil {
			b.keys = append(b.keys, boxKey{secret: []byte(key), id: id})
		}
	}
	return b
}

// Ready reports whether there is a key to seal with.
func (b *Box) Ready() bool { return b != nil && len(b.keys) > 0 }

// Seal encrypts data for one purpose, a fixed sentence of the package that uses it, and for one context, such as
// the name of whose secret it is. It panics without a key: ask Ready first.
func (b *Box) Seal(purpose string, data []byte, context ...string) []byte {
	key := b.keys[0]
	header := append([]byte(magic), key.id...)
	aead := newAEAD(key.secret, "recarga seal 1: "+purpose)
	return aead.Seal(header, nil, data, bind(header, purpose, context))
}

// Open decrypts what Seal made of the same purpose and context. Its error is ErrKey.
func (b *Box) Open(purpose string, sealed []byte, context ...string) ([]byte, error) {
	if key := b.find(keyID(sealed)); key != nil {
		header, rest := sealed[:headerSize], sealed[headerSize:]
		plain, err := newAEAD(key.secret, "recarga seal 1: "+purpose).Open(nil, nil, rest, bind(header, purpose, context))
		if err == nil {
			return plain, nil
		}
	}
	return b.openFirstForm(purpose, sealed, context)
}

// text writes a value where a text is needed: in a cookie, a page, an address. Each value has one text.
var text = base64.RawURLEncoding.Strict()

// SealText is Seal, as a text that needs no quoting anywhere.
func (b *Box) SealText(purpose string, data []byte, context ...string) string {
	return text.EncodeToString(b.Seal(purpose, data, context...))
}

// OpenText decrypts what SealText made of the same purpose and context. Its error is ErrKey.
func (b *Box) OpenText(purpose, sealed string, context ...string) ([]byte, error) {
	value, err := text.DecodeString(sealed)
	if err != nil {
		return nil, ErrKey
	}
	return b.Open(purpose, value, context...)
}

// Current reports whether a value, which Open opens, is sealed with the first key and in the present form.
func (b *Box) Current(sealed []byte) bool {
	return b.Ready() && bytes.Equal(keyID(sealed), b.keys[0].id)
}

// openFirstForm opens what was sealed before values named their key: nonce, ciphertext and tag, with one
// context. Nothing is sealed in that form any more.
func (b *Box) openFirstForm(purpose string, sealed []byte, context []string) ([]byte, error) {
	if b == nil || len(context) != 1 {
		return nil, ErrKey
	}
	for _, key := range b.keys {
		if plain, err := newAEAD(key.secret, purpose).Open(nil, nil, sealed, []byte(context[0])); err == nil {
			return plain, nil
		}
	}
	return nil, ErrKey
}

// keyID is the id of the key that a value names; nil where it names none.
func keyID(sealed []byte) []byte {
	if len(sealed) < headerSize || string(sealed[:len(magic)]) != magic {
		return nil
	}
	return sealed[len(magic):headerSize]
}

func (b *Box) find(id []byte) *boxKey {
	if b == nil {
		return nil
	}
	for i := range b.keys {
		if bytes.Equal(b.keys[i].id, id) {
			return &b.keys[i]
		}
	}
	return nil
}

// bind is what is authenticated beside the data: each part with its length, so that no two lists are alike.
func bind(header []byte, purpose string, context []string) []byte {
	out := bytes.Clone(header)
	for _, part := range append([]string{purpose}, context...) {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

func derive(secret []byte, info string, size int) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, info, size)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	return key
}

func newAEAD(secret []byte, info string) cipher.AEAD {
	block, err := aes.NewCipher(derive(secret, info, 32))
	if err != nil {
		panic(err) // only for a key of another length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for another cipher
	}
	return aead
}
