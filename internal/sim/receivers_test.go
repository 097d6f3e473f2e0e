package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"recarga/topup"
	"recarga/webhook"
)

// receiver is one endpoint of a caller.
type receiver struct {
	w            *world
	caller, name string
	url, secret  string
	types        []topup.EventType
	// heard are the events that it has handled, by id.
	heard map[string]webhook.Event
	// gone: it has answered 410.
	gone bool
	// host is where it is, away: its caller has removed it, moved: its caller has changed it at least once.
	host        string
	away, moved bool
}

// reactions are how it answers. The first is the plain one.
var reactions = []struct {
	name   string
	status int
	header string
}{
	{"200", 200, ""}, {"204", 204, ""}, {"500", 500, ""}, {"503, come back in 30 s", 503, "Retry-After: 30\r\n"},
	{"429", 429, ""}, {"a redirect", 301, "Location: http://other.test/\r\n"}, {"410", 410, ""}, {"404", 404, ""},
	{"101, and then nothing", 101, "Connection: Upgrade\r\nUpgrade: x\r\n"},
}

// serve handles one webhook.
func (r *receiver) serve(conn net.Conn, p *process, req *http.Request, body []byte) bool {
	id, came := req.Header.Get("webhook-id"), time.Now()
	f, on := r.w.arrive(p, r.who(), "receives", id)
	if !on {
		return false
	}
	ev, err := webhook.Verify(body, req.Header, r.secret)
	if errors.Is(err, webhook.ErrTimestamp) && time.Since(came) > 4*time.Minute { // it was on its way for long
		return r.w.respond(conn, p, f, r.who(), id, "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n")
	}
	o := r.w.orders[ev.Data.ID]
	switch {
	case err != nil:
		r.w.fail("%s got a webhook whose signature it cannot verify: %v", r.who(), err)
	case ev.OperatorData == nil && (o == nil || o.request.Caller != r.caller || ev.Data.Caller != r.caller):
		r.w.fail("%s hears of %s, an order of %s", r.who(), ev.Data.ID, ev.Data.Caller)
	case ev.OperatorData != nil && r.caller != topup.OperatorCaller:
		r.w.fail("%s hears what is for the operator: %s", r.who(), ev.Type)
	case o != nil && !r.moved && req.URL.Path != r.path(o):
		r.w.fail("%s hears of %s at %s, and not at %s", r.who(), ev.Data.ID, req.URL.Path, r.path(o))
	}
	if len(r.types) > 0 && o != nil && !slices.Contains(r.types, ev.Type) {
		r.w.fail("%s hears of %s, which it did not ask for", r.who(), ev.Type)
	}
	how := reactions[0]
	if !r.w.calm {
		how = pick(r.w.tape, ofReceivers, r.w.friendly, reactions...)
	}
	if how.status/100 == 2 {
		r.heard[id] = ev
	}
	r.gone = r.gone || how.status == http.StatusGone
	r.w.note(r.who(), "answers", id, how.name)
	text := fmt.Sprintf("HTTP/1.1 %d X\r\n%sContent-Length: 0\r\n\r\n", how.status, how.header)
	arrived := r.w.respond(conn, p, f, r.who(), id, text)
	if how.status == http.StatusSwitchingProtocols {
		<-r.w.over
	}
	return arrived
}

func (r *receiver) who() string {
	if r.name == "" {
		return r.caller
	}
	return r.caller + "/" + r.name
}

// path is where an order's webhooks come to.
func (r *receiver) path(o *order) string {
	if r.name == "" && strings.HasPrefix(o.request.CallbackURL, "http://"+r.host) {
		return "/of-one-order"
	}
	return "/hooks"
}

// callers are those who place orders, and where they are notified.
type callers struct{ w *world }

// Endpoints implements webhook.Endpoints.
func (c *callers) Endpoints(_ context.Context, caller string) (all []webhook.Endpoint, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for _, r := range c.w.allReceivers {
		if r.caller == caller && !r.away {
			all = append(all, webhook.Endpoint{Name: r.name, URL: r.url, Types: r.types, Secrets: []string{r.secret}})
		}
	}
	if len(all) == 0 {
		return nil, topup.ErrNotFound
	}
	return all, nil
}

// Caller is a caller as the rules for tasks see it.
func (c *callers) Caller(_ context.Context, name string) (topup.Caller, error) {
	for _, r := range c.w.allReceivers {
		if r.caller == name {
			return topup.Caller{Name: name, CallbackURL: r.url}, nil
		}
	}
	return topup.Caller{}, topup.ErrNotFound
}
