// Package webhooktest is what a developer of a receiver tries webhooks out with: it receives, verifies and shows them,
// passes them on to a local server, and sends samples.
package webhooktest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"recarga/internal/httpclient"
	"recarga/internal/listen"
	"recarga/internal/origin"
	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/internal/view"
	"recarga/webhook"
)

const (
	// forwardTimeout is twice what a sender waits by default: the local server may be in a debugger.
	forwardTimeout = 30 * time.Second
	// listenEnd is how long Ctrl-C waits for answers under way.
	listenEnd = 2 * time.Second
	// dialTimeout bounds the connection that shows where --forward-to leads.
	dialTimeout = 2 * time.Second
)

// Config says how webhooks are received.
type Config struct {
	Addr string // where to listen
	// Secret is the sender's; empty: one is made, and shown.
	Secret string
	// Former are the secrets before it, which the sender may still sign with.
	Former []string
	// ForwardTo is an http or https URL that what verifies is sent on to; empty: it is only shown.
	ForwardTo string
	// AsJSON: each is printed as one JSON object with headers and body, and nothing else on Out.
	AsJSON   bool
	Out, Err *terminal.Output // standard output and error
}

// Listener receives webhooks.
type Listener struct {
	cfg  Config
	made bool // the secret was made here
	on   net.Listener
	// forward is nil where webhooks are only shown.
	forward   *url.URL
	transport httpclient.Guard

	mu sync.Mutex // guards cfg.Out
}

// Listen begins to listen, and says what to set on the sender's side. An error is a mistake of the configuration.
func Listen(ctx context.Context, cfg Config) (*Listener, error) {
	l := &Listener{cfg: cfg, made: cfg.Secret == ""}
	l.cfg.Secret = cmp.Or(cfg.Secret, webhook.NewSecret())
	if cfg.ForwardTo != "" {
		to, err := url.Parse(cfg.ForwardTo)
		if err != nil {
			return nil, fmt.Errorf("--forward-to: %w", err)
		}
		// Every request has a connection of its own: a kept one may have died with the former run of a server that is
		// being worked on. Nothing is asked to be compressed that the sender has not asked for.
		l.forward = to
		l.transport = httpclient.Guard{Base: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	}
	var err error
	if l.on, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr); err != nil {
		return nil, fmt.Errorf("--addr: %w", err)
	}
	if l.forward != nil && leadsTo(ctx, l.forward, l.on.Addr()) {
		return nil, errors.Join(fmt.Errorf("--forward-to is %q, which leads back here, to --addr %s; must be another "+
			"server", l.forward, l.on.Addr()), l.on.Close())
	}
	greeting := cfg.Out
	if cfg.AsJSON { // only JSON goes there
		greeting = cfg.Err
	}
	l.greet(greeting)
	return l, nil
}

// leadsTo reports whether a URL leads to where this process listens: what is forwarded would come back
// without end. Only a connection shows it: of a name's addresses one may be here and another not.
func leadsTo(ctx context.Context, target *url.URL, here net.Addr) bool {
	port := origin.Port(target)
	if _, own, _ := net.SplitHostPort(here.String()); port != own {
		return false
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", origin.HostPort(target))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was written
	to, from, own := ipOf(conn.RemoteAddr()), ipOf(conn.LocalAddr()), ipOf(here)
	return to.Equal(own) || own.IsUnspecified() && (to.IsLoopback() || to.Equal(from)) // on every address of this machine
}

func ipOf(addr net.Addr) net.IP {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP
	}
	return nil
}

// greet shows the secret only if it was just made: nobody else has it.
func (l *Listener) greet(w io.Writer) {
	listening, secret, where := "http://"+l.on.Addr().String(), "(the secret given here)", ""
	if l.made {
		secret = l.cfg.Secret
	}
	if l.forward != nil {
		where = ", forwarding to " + l.forward.String()
	}
	_, _ = fmt.Fprintf(w, `Listening on %[1]s%[2]s. Ctrl-C ends it. On the sender's side, set

  RECARGA_CALLBACK_URL=%[1]s
  RECARGA_WEBHOOK_SECRET=%[3]s
  RECARGA_WEBHOOK_ALLOW_PRIVATE=true

and place an order; or, with the same secret: recarga webhook trigger --all --to %[1]s

`, listening, where, secret)
}

// Serve ends with ctx, which also ends what is being forwarded: its sender tries again.
func (l *Listener) Serve(ctx context.Context) error {
	err := listen.New(listen.Config{Handler: l, BaseContext: ctx}).ServeUntil(ctx, l.on, listenEnd, func() {})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // whoever has not been answered by now comes again
	}
	return err
}

// Received is one request and its result, as it is printed as JSON.
type Received struct {
	At       time.Time `json:"at"`       // when it came
	Verified bool      `json:"verified"` // its signature is right
	// Refused says why it did not verify.
	Refused string `json:"refused,omitempty"`
	// Status is what the sender was answered.
	Status  int         `json:"status"`
	Forward *Forwarded  `json:"forward,omitempty"` // nil: it was not forwarded
	Headers http.Header `json:"headers"`           // those of the request
	// Body is a text, so that the signature can be computed again.
	Body string `json:"body"`

	event webhook.Event
}

// Forwarded is the local server's answer.
type Forwarded struct {
	Status     int    `json:"status,omitempty"` // 0: there was no answer
	Error      string `json:"error,omitempty"`  // why there was none
	DurationMS int64  `json:"duration_ms"`      // from the request to its end
}

// ServeHTTP receives one request.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := &Received{At: time.Now(), Headers: r.Header.Clone(), Status: http.StatusNoContent}
	defer l.print(got) // deferred: a local server that breaks off its answer ends this by a panic
	ev, body, err := webhook.Receive(w, r, append([]string{l.cfg.Secret}, l.cfg.Former...)...)
	got.event, got.Body, got.Verified = ev, string(body), err == nil
	switch {
	case err != nil:
		got.refuse(w, r.Method, err)
	case l.forward != nil:
		l.pass(w, r, got)
	default:
		w.WriteHeader(got.Status)
	}
}

// refuse answers what webhook.Handler would.
func (got *Received) refuse(w http.ResponseWriter, method string, err error) {
	got.Status = webhook.StatusOf(err)
	switch {
	case errors.Is(err, webhook.ErrMethod):
		err = fmt.Errorf("%w, and this is a %s", err, method)
	case errors.Is(err, webhook.ErrSignature):
		err = fmt.Errorf("%w: the sender's secret is another, or the body was changed on the way", err)
	}
	got.Refused = err.Error()
	http.Error(w, http.StatusText(got.Status), got.Status)
}

// pass sends the request on and answers what it is answered.
func (l *Listener) pass(w http.ResponseWriter, r *http.Request, got *Received) {
	ctx, cancel := context.WithTimeout(r.Context(), forwardTimeout)
	defer cancel()
	began := time.Now()
	answered := func(status int, failure string) {
		got.Forward = &Forwarded{Status: status, Error: failure, DurationMS: time.Since(began).Milliseconds()}
		got.Status = cmp.Or(status, http.StatusBadGateway)
	}
	proxy := httputil.ReverseProxy{
		Transport: l.transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(to *httputil.ProxyRequest) {
			to.Out.URL, to.Out.Host = l.forward, ""
			to.Out.ContentLength, to.Out.TransferEncoding = int64(len(got.Body)), nil // simple servers know no other
		},
		ModifyResponse: func(res *http.Response) error {
			answered(res.StatusCode, "")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			answered(0, whyNotForwarded(err))
			http.Error(w, "the server that this is forwarded to did not answer", got.Status)
		},
	}
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader([]byte(got.Body)))
	proxy.ServeHTTP(w, r)
}

func whyNotForwarded(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", forwardTimeout)
	case errors.Is(err, context.Canceled):
		return "the sender did not wait for the answer, or this command was ended"
	default:
		return err.Error()
	}
}

func (l *Listener) print(got *Received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg.AsJSON {
		_ = terminal.PrintJSON(l.cfg.Out, got)
		return
	}
	_, _ = fmt.Fprintln(l.cfg.Out, terminal.Printable(got.line()))
}

// line is one line for people. Of what did not verify it shows nothing but the reason: the rest is a
// stranger's word.
func (got *Received) line() string {
	if !got.Verified {
		return fmt.Sprintf("%s  refused with %d: %s", story.Clock(got.At), got.Status, got.Refused)
	}
	data := got.event.Data
	line := fmt.Sprintf("%s  %s  %s  sequence %d  %s  verified", story.Clock(got.At), got.event.Type, data.ID,
		data.Sequence,
		view.StateOf(data.Order))
	switch f := got.Forward; {
	case f == nil:
		return line
	case f.Error != "":
		return fmt.Sprintf("%s  not forwarded, answered %d after %d ms: %s", line, got.Status, f.DurationMS, f.Error)
	default:
		return fmt.Sprintf("%s  forwarded: %d in %d ms", line, f.Status, f.DurationMS)
	}
}
