package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"recarga/webhook"
)

// signature is the specification's, computed without the product and without the library it uses.
func signature(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func secretOf(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

// isEvent reports whether a body has what every event has, wherever else it may be wrong.
func isEvent(body []byte) bool {
	var ev struct {
		Type string
		Data struct {
			ID string `json:"distributor_transaction_id"`
		}
	}
	return json.Unmarshal(body, &ev) == nil && ev.Type != "" && ev.Data.ID != ""
}

// FuzzSigned: what is signed is the specification's HMAC, it verifies, and no byte of it can be changed.
func FuzzSigned(f *testing.F) {
	body := news(f, "evt_1").Body
	key := bytes.Repeat([]byte("k"), 32)
	for part := range uint8(5) {
		f.Add(key, "evt_1", body, part, uint16(part), uint8(1))
	}
	f.Add(key[:24], "a.1.b", []byte("{}"), uint8(2), uint16(0), uint8('0'^'+'))
	f.Add(append(key, key...), "evt\n", []byte(`{"type":"x","data":{"distributor_transaction_id":"A"}}`), uint8(4),
		uint16(46), uint8(1))
	f.Add(key[:23], "evt_1", body, uint8(0), uint16(0), uint8(1))
	f.Fuzz(func(t *testing.T, key []byte, id string, body []byte, part uint8, where uint16, change uint8) {
		now := time.Now()
		header, err := webhook.SignTest(secretOf(key), id, now, body)
		if usable := len(key) >= 24 && len(key) <= 64; usable != (err == nil) || !usable &&
			!errors.Is(err, webhook.ErrSecret) {
			t.Fatalf("signed with a key of %d bytes: %v", len(key), err)
		}
		if err != nil || id == "" {
			return
		}
		at := header.Get("webhook-timestamp")
		if want := signature(key, id, at, body); header.Get("webhook-signature") != want ||
			at != strconv.FormatInt(now.Unix(), 10) {
			t.Fatalf("signed %v, want %s", header, want)
		}
		switch ev, err := webhook.Verify(body, header, secretOf(key)); {
		case err != nil && !errors.Is(err, webhook.ErrBody), err != nil && ev.ID != "":
			t.Fatalf("%q: %+v, %v", body, ev, err)
		case err == nil && (ev.ID != id || !isEvent(body)):
			t.Fatalf("%q is event %+v", body, ev)
		}
		checkChanged(t, key, body, header, part, where, change)
	})
}

// checkChanged changes one byte of the message or the secret: then nothing of it is believed.
func checkChanged(t *testing.T, key, body []byte, header http.Header, part uint8, where uint16, change uint8) {
	t.Helper()
	key, body, header = bytes.Clone(key), bytes.Clone(body), header.Clone()
	names := []string{"webhook-id", "webhook-timestamp", "webhook-signature"}
	target := []byte(header.Get(names[int(part)%len(names)]))
	switch part % 5 {
	case 3:
		target = body
	case 4:
		target = key
	}
	if len(target) == 0 || change == 0 {
		return
	}
	target[int(where)%len(target)] ^= change
	if part%5 < 3 {
		header.Set(names[part%5], string(target))
	}
	if _, err := webhook.Verify(body, header, secretOf(key)); err == nil || errors.Is(err, webhook.ErrBody) {
		t.Errorf("changed and believed: %v with %q: %v", header, body, err)
	}
}

// FuzzSignatures: a message is believed if and only if one of its signatures is the HMAC of a secret
// that the receiver knows, and it is of these minutes.
func FuzzSignatures(f *testing.F) {
	keys := [][]byte{bytes.Repeat([]byte("old!"), 6), bytes.Repeat([]byte("new!"), 16), bytes.Repeat([]byte("else"), 8)}
	f.Add("v1,AAAA v2,x ,,, v1a,", uint8(0), " ", int64(0), "evt_1")
	f.Add("v1,", uint8(1), " v1", int64(290), "evt_1")
	f.Add("", uint8(2), "", int64(-290), "a.b")
	f.Add("\x00", uint8(0), " v1,\xff", int64(-310), "evt_1")
	f.Add(" ", uint8(1), "", int64(1<<40), "evt_1")
	body := news(f, "evt_1").Body
	f.Fuzz(func(t *testing.T, before string, which uint8, behind string, age int64, id string) {
		const tolerance, margin = 300, 5
		age %= 1 << 40
		if id == "" || max(age, -age) > tolerance-margin && max(age, -age) < tolerance+margin {
			t.Skip("no id; or so near to the tolerance that the test's own time counts")
		}
		at := strconv.FormatInt(time.Now().Unix()-age, 10)
		signer := keys[int(which)%len(keys)]
		given := before + signature(signer, id, at, body) + behind
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {given}}
		_, err := webhook.Verify(body, header, secretOf(keys[0]), secretOf(keys[1]))
		held := slices.ContainsFunc(strings.Split(given, " "), func(one string) bool {
			version, mac, _ := strings.Cut(one, ",")
			mac, _, _ = strings.Cut(mac, ",")
			return slices.ContainsFunc(keys[:2],
				func(key []byte) bool { return version+","+mac == signature(key, id, at, body) })
		})
		var want error
		switch {
		case max(age, -age) > tolerance:
			want = webhook.ErrTimestamp
		case !held:
			want = webhook.ErrSignature
		}
		if !errors.Is(err, want) {
			t.Errorf("age %d s, signature %q: %v, want %v", age, given, err, want)
		}
	})
}

// FuzzSecret: a secret is usable if it is whsec_ and base64 of 24 to 64 bytes; an error never shows it.
func FuzzSecret(f *testing.F) {
	f.Add(vectorSecret)
	f.Add("whsec_" + strings.Repeat("A", 31))
	f.Add("whsec_hush-hush-hush-hush-hush-hush")
	f.Add(strings.Repeat("A", 32))
	f.Add("whsec_" + strings.Repeat("A\n", 40))
	f.Fuzz(func(t *testing.T, secret string) {
		err := webhook.ParseSecret(secret)
		key, bad := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		valid := strings.HasPrefix(secret, "whsec_") && bad == nil && len(key) >= 24 && len(key) <= 64
		if valid != (err == nil) || !valid && !errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%q: %v", secret, err)
		}
		const shownAnyway = 12 // shorter ones may be words of the message
		if err != nil && len(secret) > shownAnyway && strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is shown: %v", err)
		}
	})
}

// FuzzSchedule: a schedule is exactly its waits, and every one is above zero.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"5s,5m,30m,2h,5h,10h,14h,20h,24h", " 1h30m , 1ns", "", ",", "0s", "5", "-1s",
		"9223372036854775807ns,9999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		waits, err := webhook.ParseSchedule(s)
		parts := strings.Split(s, ",")
		if err != nil {
			refused := slices.ContainsFunc(parts, func(part string) bool {
				wait, err := time.ParseDuration(strings.TrimSpace(part))
				return err != nil || wait <= 0
			})
			if waits != nil || !refused {
				t.Errorf("%q: %v, %v", s, waits, err)
			}
			return
		}
		if len(waits) != len(parts) {
			t.Fatalf("%q is %v", s, waits)
		}
		for i, wait := range waits {
			if again, err := time.ParseDuration(strings.TrimSpace(parts[i])); err != nil || wait != again || wait <= 0 {
				t.Errorf("wait %d of %q is %s", i+1, s, wait)
			}
		}
	})
}
