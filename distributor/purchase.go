package distributor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"recarga/internal/httpclient"
	"recarga/topup"
)

// purchaseBody is the request of the vendor's document.
type purchaseBody struct {
	// As topup.Order has them; the document names no others.
	ID       topup.ID         `json:"distributor_transaction_id"`
	Phone    string           `json:"phone_number"`
	Product  string           `json:"product_id"`
	Amount   topup.Amount     `json:"amount"`
	Operator topup.NullString `json:"operator,omitempty"`
}

// Purchase sends one product_purchase request, once, and returns what became of it. Every end is a Result: it is
// topup.OutcomeNotSent only where provably no byte left or the vendor refused to process it, and topup.OutcomeUnknown
// wherever the money may have moved.
//
// After sendBy nothing is sent any more. That is checked against the wall clock in the last moment
// before the bytes leave, because a process may have been stopped between the record of the attempt
// and the request; a context's deadline does not count the time a machine is suspended.
func (c *Client) Purchase(ctx context.Context, o topup.Order, sendBy time.Time) (result topup.Result) {
	ctx, span := c.startPurchase(ctx, o)
	defer func() { endPurchase(span, result) }()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	current, err := c.tokens.obtain(ctx)
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: err.Error()}
	}
	body := purchaseBody{ID: o.ID, Phone: o.Phone.Digits(), Product: o.Product, Amount: o.Amount, Operator: o.Operator}
	payload, err := json.Marshal(body)
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: err.Error()}
	}
	p := &progress{sendBy: sendBy}
	traced := httptrace.WithClientTrace(ctx, p.trace())
	url := c.cfg.URL + "/product_purchase"
	req, err := http.NewRequestWithContext(traced, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: err.Error()}
	}
	req.GetBody = nil // with it, net/http repeats a request by itself
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+current.value)
	passTrace(ctx, req.Header)
	a := c.do(CallPurchase, req)
	if a.err != nil && !p.left() {
		return topup.Result{Outcome: topup.OutcomeNotSent, Error: a.err.Error(), TooLate: errors.Is(a.err, errTooLate)}
	}
	border := c.tokens.border()
	result = border.result(classify(a, o.ID, c.cfg.RetryCodes))
	c.tokens.judge(current.value, a, result.LoginAgain)
	if result.Outcome == topup.OutcomeUnknown {
		result.Evidence = strings.TrimSuffix(border.evidence(p, a, o.Phone)+"; "+result.Evidence, "; ")
	}
	return result
}

// progress is how far a request got: in words for the evidence, and in bytes for the proof.
type progress struct {
	sendBy time.Time
	step   atomic.Pointer[string] // begins with a topup.Reach
	wire   atomic.Pointer[wire]
	before int64 // bytes that had been written on the connection before the request
}

// left reports whether any byte of the request was handed to the operating system.
func (p *progress) left() bool {
	w := p.wire.Load()
	return w != nil && w.left(p.before)
}

// connected records the connection that the request gets, and what may be written on it from now on.
// Without HTTP/2 it carries one request at a time.
func (p *progress) connected(conn net.Conn) {
	p.reach(string(topup.ReachIdle))
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if w, ok := conn.(*wire); ok {
		p.before = w.expect(p.sendBy)
		p.wire.Store(w)
	}
}

func (p *progress) reach(step string) { p.step.Store(&step) }

func (p *progress) String() string {
	if step := p.step.Load(); step != nil {
		return *step
	}
	return string(topup.ReachNone)
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { p.connected(info.Conn) },
		WroteRequest:         func(info httptrace.WroteRequestInfo) { p.reach(wrote(info.Err)) },
		GotFirstResponseByte: func() { p.reach(string(topup.ReachAnswer)) },
	}
}

func wrote(err error) string {
	if err != nil {
		return string(topup.ReachPart) + ": " + err.Error()
	}
	return string(topup.ReachWritten)
}

// answer is what came back. err is set when it is not whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// do makes a request, once, and reports it as one of the call.
func (c *Client) do(call string, req *http.Request) answer {
	began := time.Now()
	a := c.send(req)
	a.err = c.tokens.border().error(a.err)
	r := Request{Call: call, Err: a.err, Took: time.Since(began), Header: a.header, Body: a.body}
	if a.err == nil {
		r.Status = a.status
	}
	c.cfg.Observe(r)
	return a
}

func (c *Client) send(req *http.Request) answer {
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

// retryAfter is how long a 429 asks to wait, bounded.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = time.Hour
	for _, name := range []string{"Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"} {
		v := h.Get(name)
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > now.Unix()/2 { // a moment, not a span
			return min(max(time.Unix(n, 0).Sub(now), 0), most)
		}
		if wait, ok := httpclient.RetryAfter(v, now, most); ok {
			return wait
		}
	}
	return 0
}
