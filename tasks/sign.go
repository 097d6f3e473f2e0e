package tasks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// SignatureHeader is the header of a task that has its signature.
const SignatureHeader = "recarga-signature"

// What Verify returns of a task that nobody with a key has signed.
var (
	ErrUnsigned  = errors.New("the task is not signed")
	ErrSignature = errors.New("the task's signature is of another key or another content")
)

// SignedWith signs a task with the key of RECARGA_TASK_KEY (the first one, where it has two).
func SignedWith(key string) Option {
	return func(m *made) {
		if m.headers == nil {
			m.headers = map[string]string{}
		}
		m.headers[SignatureHeader] = Sign(key, m.kind, m.payload)
	}
}

// Sign is the value of SignatureHeader for a task: "v1=" and the HMAC-SHA256, in lower case hexadecimal digits, of
// these bytes under the key:
//
//	recarga-task-v1 LF, the task's type LF, the payload as it is
//
// A copy of a signed task is as good as the task: its order's id makes it one order.
func Sign(key, kind string, payload []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("recarga-task-v1\n" + kind + "\n"))
	mac.Write(payload)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify returns nil for a task that was signed with one of the keys. Errors: ErrUnsigned, ErrSignature.
func Verify(task Task, keys ...string) error {
	signature := task.Headers[SignatureHeader]
	if signature == "" {
		return ErrUnsigned
	}
	for _, key := range keys {
		if hmac.Equal([]byte(signature), []byte(Sign(key, task.Type, task.Payload))) {
			return nil
		}
	}
	return ErrSignature
}
