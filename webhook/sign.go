package webhook

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recarga/topup"
)

// SignTest makes the headers that Recarga would send with a body at a time, for a receiver's own tests.
// The error is an ErrSecret.
func SignTest(secret, id string, at time.Time, body []byte) (http.Header, error) {
	return sign([]string{secret}, id, at, body)
}

// sign signs with every secret, so that a receiver may know any of them while one is being replaced.
func sign(secrets []string, id string, at time.Time, body []byte) (http.Header, error) {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		key, err := signer(secret)
		if err != nil {
			return nil, err
		}
		if signatures[i], err = key.Sign(id, at, body); err != nil {
			return nil, err
		}
	}
	header := http.Header{}
	header.Set(standard.HeaderWebhookID, id)
	header.Set(standard.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	header.Set(standard.HeaderWebhookSignature, strings.Join(signatures, " "))
	return header, nil
}

// SendTest makes one try of an event to an endpoint, wherever that is, for tools that try out a receiver: nothing is
// recorded, and nothing tried again. It returns the first 4 KiB of the answer's body, and whether it was 2xx.
func SendTest(
	ctx context.Context, ev topup.Event, to Endpoint, timeout time.Duration,
) (try topup.Try, body []byte, delivered bool) {
	d := NewDeliverer(Config{Timeout: timeout, AllowPrivate: true}, nil, nil)
	defer d.Close(ctx)
	var said bytes.Buffer
	at := time.Now().UTC()
	a := d.sendShowing(ctx, ev, target{caller: ev.Caller, url: to.URL, secrets: to.Secrets}, at, &said)
	return a.record(at), said.Bytes(), a.delivered()
}
