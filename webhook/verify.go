package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recarga/topup"
)

// What Verify refuses, beside an ErrSecret.
var (
	// ErrNoSignature: a header is missing, so it is no webhook at all.
	ErrNoSignature = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing")
	// ErrTimestamp: a replay of an old webhook, or a clock that is wrong.
	ErrTimestamp = errors.New("webhook-timestamp is not within 5 minutes of now")
	// ErrSignature: another secret, or an id, time or body that was changed on the way.
	ErrSignature = errors.New("no webhook-signature matches")
	// ErrBody: the signature is right, but the body is not an event of Recarga's.
	ErrBody = errors.New("the body is not an event")
)

// Event is one thing that happened to an order, or of which the operator is notified.
type Event struct {
	// ID is the same on every try: what has been handled under it needs no handling again.
	ID string `json:"-"`
	// Type is one of topup.EventTypes, or of the operator's types, such as topup.EventBalanceLow, or EventPing.
	Type topup.EventType `json:"type"`
	// Timestamp is when it happened, not when it was sent.
	Timestamp time.Time `json:"timestamp"`
	// Data is the order. It is zero for an event of the operator's.
	Data Data `json:"data"`
	// OperatorData is the data of an event that concerns no order: a ping, or one of which only the operator is
	// notified; nil for all others. That of topup.EventEndpointDisabled is a topup.DisabledEndpoint.
	OperatorData json.RawMessage `json:"-"`
}

// Data is the order as it was when the event was made.
type Data struct {
	// Sequence rises by one with every event of the order, from 1: a lower one is older news.
	Sequence int `json:"sequence"`
	// Order is the order then, as its caller sees it.
	topup.Order
}

// Verify checks that a webhook was signed lately with one of the secrets, and reads it. body is what
// was received, byte for byte. While a secret is being replaced, give the old and the new one.
//
// Errors: ErrNoSignature, ErrTimestamp, ErrSignature, ErrBody, ErrSecret. With any of them nothing in
// the body may be believed.
func Verify(body []byte, header http.Header, secrets ...string) (Event, error) {
	if err := verify(body, header, secrets); err != nil {
		return Event{}, err
	}
	ev, err := parse(body)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrBody, err)
	}
	ev.ID = header.Get(standard.HeaderWebhookID)
	return ev, nil
}

// ofOrders begins the types of events that are about an order.
const ofOrders = "topup."

func parse(body []byte) (Event, error) {
	var envelope struct {
		// What every event has; Data is read once its type is known.
		Type      topup.EventType
		Timestamp time.Time
		Data      json.RawMessage
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return Event{}, err
	}
	ev := Event{Type: envelope.Type, Timestamp: envelope.Timestamp}
	switch {
	case ev.Type == "":
		return Event{}, errors.New("it has no type")
	case !strings.HasPrefix(string(ev.Type), ofOrders):
		ev.OperatorData = envelope.Data
		return ev, nil
	}
	if err := json.Unmarshal(envelope.Data, &ev.Data); err != nil {
		return Event{}, err
	}
	if ev.Data.ID == "" {
		return Event{}, errors.New("it has no order")
	}
	return ev, nil
}

func verify(body []byte, header http.Header, secrets []string) error {
	if len(secrets) == 0 {
		return fmt.Errorf("%w: none was given", ErrSecret)
	}
	for _, secret := range secrets {
		key, err := signer(secret)
		if err != nil {
			return err
		}
		err = key.Verify(body, header)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, standard.ErrRequiredHeaders):
			return ErrNoSignature
		case !errors.Is(err, standard.ErrNoMatchingSignature):
			return ErrTimestamp
		}
	}
	return ErrSignature
}
