package webhooktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/topup"
	"recarga/webhook"
)

// Samples are events of orders that do not exist: of some types, or with all one of each type. An empty id is made new
// for each. The error is a mistake of whoever asks for them.
func Samples(types []string, all bool, id string, sequence int) ([]topup.Event, error) {
	switch {
	case all == (len(types) > 0):
		return nil, fmt.Errorf("name a type (%s) or give --all; see recarga webhook trigger --help",
			strings.Join(EventTypes(), ", "))
	case all && id != "":
		return nil, errors.New("--all and --id exclude each other: no order ends in every way")
	case sequence < 1:
		return nil, fmt.Errorf("--sequence is %d; must be 1 or more", sequence)
	case all:
		types = EventTypes()
	}
	events := make([]topup.Event, len(types))
	for i, kind := range types {
		if !slices.Contains(EventTypes(), kind) {
			return nil, fmt.Errorf("%q is no type of event; must be one of %s", kind, strings.Join(EventTypes(), ", "))
		}
		var err error
		if events[i], err = sample(topup.EventType(kind), id, sequence); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// EventTypes are those of the events of orders.
func EventTypes() (types []string) {
	for _, kind := range topup.EventTypes() {
		types = append(types, string(kind))
	}
	return types
}

func sample(kind topup.EventType, id string, sequence int) (topup.Event, error) {
	state := topup.State(strings.TrimPrefix(string(kind), "topup."))
	if kind == topup.EventCorrected {
		state = topup.StateSucceeded
	}
	unique, err := uuid.NewV7()
	if err != nil {
		return topup.Event{}, err
	}
	if id == "" {
		id = "SAMPLE-" + unique.String()
	}
	request, err := topup.Fields{
		ID: id, Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: "10", Operator: "MOVISTAR",
		Metadata: map[string]string{"sample": "true"},
	}.Request()
	if err != nil {
		return topup.Event{}, err
	}
	request.Caller = topup.DefaultCaller
	now := time.Now().UTC().Truncate(time.Microsecond)
	return topup.NewEvent("evt_"+unique.String(), kind, sampleOrder(request.Order(now.Add(-time.Second)), state, now),
		sequence, now)
}

// sampleOrder brings a new order to a state, as the distributor's document has its answers.
func sampleOrder(o topup.Order, state topup.State, now time.Time) topup.Order {
	o.State, o.UpdatedAt = state, now
	if state.Final() {
		o.FinishedAt = &now
	}
	if state != topup.StateCanceled {
		o.AttemptCount = 1
	}
	switch state {
	case topup.StateSucceeded:
		balance := json.Number("990.00")
		o.ResponseCode, o.BalanceAfter = topup.CodeApproved, &balance
		o.TransactionID, o.Reference, o.AuthCode = "TXN-SAMPLE", "RRN-SAMPLE", "SAMPLE"
	case topup.StateFailed:
		o.Reason, o.ResponseCode = topup.ReasonDeclined, topup.CodeInvalidPhone
	}
	o.ResponseMessage = topup.NullString(o.ResponseCode.Message())
	return o
}

// Send sends each event once, also after one that was refused, and prints what it was answered. It fails where one was
// not answered with 2xx.
func Send(
	ctx context.Context, out *terminal.Output, events []topup.Event, to webhook.Endpoint, timeout time.Duration,
	asJSON bool,
) error {
	var failed error
	for _, ev := range events {
		if ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		sent := sending{event: ev, to: to}
		var delivered bool
		sent.try, sent.answer, delivered = webhook.SendTest(ctx, ev, to, timeout)
		if err := sent.print(out, asJSON); err != nil {
			return err
		}
		if !delivered {
			failed = errors.Join(failed, fmt.Errorf("trigger %s: %s", ev.Type, sent.result()))
		}
	}
	return failed
}

// shownAnswer is how many bytes of an answer a line shows.
const shownAnswer = 200

// sending is one event that was sent.
type sending struct {
	event  topup.Event
	to     webhook.Endpoint
	try    topup.Try
	answer []byte // the start of the answer's body
}

// result is the answer in a few words.
func (s *sending) result() string {
	var words []string
	if s.try.Status != nil {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d %s", *s.try.Status, http.StatusText(*s.try.Status))))
	}
	if s.try.Error != "" {
		words = append(words, string(s.try.Error))
	}
	return strings.Join(words, ": ")
}

// Sent is an event that was sent, as it is printed as JSON.
type Sent struct {
	ID      string          `json:"id"`                         // the event's, its webhook-id
	Type    topup.EventType `json:"type"`                       // the event's
	OrderID topup.ID        `json:"distributor_transaction_id"` // of an order that does not exist
	URL     string          `json:"url"`                        // the receiver's
	Headers http.Header     `json:"headers"`                    // that were sent
	Body    string          `json:"body"`                       // that was sent
	topup.Try
	// Answer is the first 4 KiB of the answer's body.
	Answer string `json:"answer"`
}

func (s *sending) print(out *terminal.Output, asJSON bool) error {
	if !asJSON {
		line := fmt.Sprintf("%s  %s  %s  sequence %d  %s  in %d ms  %s",
			story.Clock(s.try.At), s.event.Type, s.event.OrderID, s.event.Sequence, s.result(), s.try.DurationMS,
			s.answer[:min(len(s.answer), shownAnswer)])
		_, err := fmt.Fprintln(out, strings.TrimSpace(terminal.Printable(line)))
		return err
	}
	// A signature follows from the secret, the id, the time and the body: this is the one that was sent.
	headers, err := webhook.SignTest(s.to.Secrets[0], s.event.ID, s.try.At, s.event.Body)
	if err != nil {
		return err
	}
	headers.Set("Content-Type", "application/json")
	return terminal.PrintJSON(out, Sent{
		ID: s.event.ID, Type: s.event.Type, OrderID: s.event.OrderID, URL: s.to.URL, Headers: headers,
		Body: string(s.event.Body), Try: s.try, Answer: string(s.answer),
	})
}
