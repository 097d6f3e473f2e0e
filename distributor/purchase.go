package distributor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"recarga/topup"
)

// purchaseBody is the request of the vendor's document.
type purchaseBody struct {
	ID       topup.ID         `json:"distributor_transaction_id"`
	Phone    string           `json:"phone_number"`
	Product  string           `json:"product_id"`
	Amount   topup.Amount     `json:"amount"`
	Operator topup.NullString `json:"operator,omitempty"`
}

// Purchase sends one product_purchase request, once, and says what became of it. Every way that it
// can go is a Result: it is topup.OutcomeNotSent only where provably no byte left or the vendor
// refused to look at it, and topup.OutcomeUnknown wherever the money may have moved.
//
// After sendBy nothing is sent any more. That is checked against the wall clock in the last moment
// before the bytes leave, because a process may have been stopped between the record of the attempt
// and the request; a context's deadline does not count the time a machine is suspended.
func (c *Client) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) topup.Result {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	token, err := c.tokens.obtain(ctx)
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: clip(err.Error())}
	}
	payload, err := json.Marshal(purchaseBody{ID: o.ID, Phone: o.Phone.Digits(), Product: o.Product, Amount: o.Amount, Operator: o.Operator})
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: clip(err.Error())}
	}
	p := &progress{}
	body := &lastMoment{payload: bytes.NewReader(payload), sendBy: sendBy}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, p.trace()), http.MethodPost, c.cfg.URL+"/product_purchase", body)
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: clip(err.Error())}
	}
	req.ContentLength = int64(len(payload))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token.Value)
	a := c.do(req)
	if a.err != nil && !body.left.Load() {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: clip(a.err.Error())}
	}
	result := classify(a, o.ID, c.cfg.RetryCodes)
	if result.LoginAgain {
		c.tokens.drop(token.Value)
	}
	if result.Outcome == topup.OutcomeUnknown {
		result.Evidence = c.evidence(p, a, token.Value, o.Phone)
	}
	return result
}

// lastMoment is a request's body. net/http reads it once, after it has put the headers into its
// buffer and before it flushes both: if it was never read, or refused, no byte has left.
type lastMoment struct {
	payload *bytes.Reader
	sendBy  time.Time
	left    atomic.Bool
}

var errTooLate = errors.New("too late to send: the attempt's time has passed")

func (b *lastMoment) Read(p []byte) (int, error) {
	if !b.left.Load() {
		if now := time.Now().Round(0); !now.Before(b.sendBy.Round(0)) { // without the monotonic clocks
			return 0, errTooLate
		}
		b.left.Store(true)
	}
	return b.payload.Read(p)
}

// progress is how far a request got, for the evidence.
type progress struct{ step atomic.Pointer[string] }

func (p *progress) reach(step string) { p.step.Store(&step) }

func (p *progress) String() string {
	if step := p.step.Load(); step != nil {
		return *step
	}
	return "not connected"
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { p.reach("connected") },
		WroteRequest:         func(info httptrace.WroteRequestInfo) { p.reach(wrote(info.Err)) },
		GotFirstResponseByte: func() { p.reach("answer began") },
	}
}

func wrote(err error) string {
	if err != nil {
		return "request written in part: " + err.Error()
	}
	return "request written"
}

// answer is what came back. err is set when it is not whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

func (c *Client) do(req *http.Request) answer {
	res, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }() // what matters of it has been read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errTooLarge
	}
	return answer{status: res.StatusCode, header: res.Header, body: body, err: err}
}

// evidence is what a person needs to find out what happened: how far the request got, and the first
// KiB of the answer without token, secret or phone number.
func (c *Client) evidence(p *progress, a answer, token string, phone topup.Phone) string {
	const most = 1 << 10
	body := string(a.body[:min(len(a.body), most)])
	body = strings.NewReplacer(token, "***", c.cfg.SecretKey, "***", phone.Digits(), phone.String()).Replace(body)
	body = strings.ReplaceAll(strings.ToValidUTF8(body, "\uFFFD"), "\x00", "\uFFFD")
	return fmt.Sprintf("%s; HTTP status %d; answer %q", p, a.status, body)
}

func clip(s string) string {
	const most = 200
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// retryAfter is how long a 429 asks to wait, bounded.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = time.Hour
	for _, name := range []string{"Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"} {
		v := h.Get(name)
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			if n > now.Unix()/2 { // a moment, not a span
				return min(max(time.Unix(n, 0).Sub(now), 0), most)
			}
			return min(time.Duration(min(n, 3600))*time.Second, most)
		}
		if t, err := http.ParseTime(v); err == nil {
			return min(max(t.Sub(now), 0), most)
		}
	}
	return 0
}
