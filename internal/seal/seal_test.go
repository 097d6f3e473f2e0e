package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"testing"

	"recarga/internal/seal"
)

// TestOpen: a value opens with any Box that has its key, for its own purpose and context, and with nothing else.
func TestOpen(t *testing.T) {
	box := seal.New("new", "old")
	data := []byte("whsec_secret")
	sealed := box.Seal("webhook secrets", data, "shop")
	for _, c := range []struct {
		name    string
		box     *seal.Box
		purpose string
		context []string
		opens   bool
	}{
		{"itself", box, "webhook secrets", []string{"shop"}, true},
		{"the key is a former one", seal.New("newer", "", "new"), "webhook secrets", []string{"shop"}, true},
		{"another key", seal.New("old"), "webhook secrets", []string{"shop"}, false},
		{"no key", seal.New(""), "webhook secrets", []string{"shop"}, false},
		{"no box", nil, "webhook secrets", []string{"shop"}, false},
		{"another purpose", box, "token", []string{"shop"}, false},
		{"another context", box, "webhook secrets", []string{"thief"}, false},
		{"no context", box, "webhook secrets", nil, false},
		{"context cut in two", box, "webhook secrets", []string{"sh", "op"}, false},
	} {
		got, err := c.box.Open(c.purpose, sealed, c.context...)
		if c.opens && (err != nil || !bytes.Equal(got, data)) || !c.opens && !errors.Is(err, seal.ErrKey) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	if bytes.Contains(sealed, data) {
		t.Error("the data is readable")
	}
	if again := box.Seal("webhook secrets", data, "shop"); bytes.Equal(again, sealed) {
		t.Error("the same data was sealed to the same value")
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if _, err := box.Open("webhook secrets", broken, "shop"); !errors.Is(err, seal.ErrKey) {
			t.Errorf("changed at byte %d: %v", i, err)
		}
		if _, err := box.Open("webhook secrets", sealed[:i], "shop"); !errors.Is(err, seal.ErrKey) {
			t.Errorf("cut at byte %d: %v", i, err)
		}
	}
}

// TestCurrent: what another key sealed is to be sealed anew.
func TestCurrent(t *testing.T) {
	old, rotated := seal.New("old"), seal.New("new", "old")
	sealed := old.Seal("p", []byte("x"))
	if !old.Current(sealed) || rotated.Current(sealed) || !rotated.Current(rotated.Seal("p", nil)) {
		t.Error("a value of another key counts as current, or one of the first key does not")
	}
	if seal.New().Ready() || seal.New("", "").Current(sealed) || !rotated.Ready() {
		t.Error("a box without a key is ready")
	}
}

// TestText: a value has one text, which opens for its own purpose and context alone.
func TestText(t *testing.T) {
	box := seal.New("key")
	for _, plain := range []string{"", "x", "xy", "xyz"} {
		text := box.SealText("p", []byte(plain), "c")
		if got, err := box.OpenText("p", text, "c"); err != nil || string(got) != plain {
			t.Errorf("%q: %q, %v", plain, got, err)
		}
		for i := range text {
			other := text[:i] + string('A'+(text[i]+1)%26) + text[i+1:]
			if _, err := box.OpenText("p", other, "c"); !errors.Is(err, seal.ErrKey) {
				t.Errorf("%q with byte %d changed: %v", plain, i, err)
			}
		}
		for _, wrong := range [][2]string{{"other", "c"}, {"p", "other"}} {
			if _, err := box.OpenText(wrong[0], text, wrong[1]); !errors.Is(err, seal.ErrKey) {
				t.Errorf("%q for %v: %v", plain, wrong, err)
			}
		}
	}
}

// TestFirstForm: what releases before the key's id sealed is still opened, and is to be sealed anew.
func TestFirstForm(t *testing.T) {
	const purpose = "recarga webhook secrets"
	key, err := hkdf.Key(sha256.New, []byte("old"), nil, purpose, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := aes.NewCipher(key)
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	sealed := aead.Seal(nil, nil, []byte("secret"), []byte("shop"))
	box := seal.New("new", "old")
	if got, err := box.Open(purpose, sealed, "shop"); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := box.Open(purpose, sealed, "thief"); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another caller's: %v", err)
	}
	if box.Current(sealed) || seal.New("old").Current(sealed) {
		t.Error("the first form counts as current")
	}
}

func FuzzOpen(f *testing.F) {
	box := seal.New("key")
	f.Add(box.Seal("p", []byte("data"), "c"))
	f.Add([]byte("rs1\x01"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := box.Open("p", sealed, "c"); err == nil && string(plain) != "data" {
			t.Errorf("opened a forgery: %q", plain)
		}
	})
}
