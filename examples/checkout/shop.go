package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"recarga/producer"
	"recarga/topup"
	"recarga/webhook"
)

const (
	// apiTimeout bounds what a customer waits for Recarga; the client repeats what fails within it.
	apiTimeout = 8 * time.Second
	// writeTimeout must exceed apiTimeout.
	writeTimeout = 15 * time.Second
	// heartbeat keeps an open stream from looking dead to what is between.
	heartbeat = 10 * time.Second
	maxForm   = 4 << 10
)

//go:embed pages assets
var files embed.FS

var errNoOrder = errors.New("there is no such order")

// shop is the checkout.
type shop struct {
	recarga *producer.Client
	poll    time.Duration
	pages   *template.Template
	ledger  *ledger
	// closing is closed when the open streams are to end.
	closing chan struct{}
}

func newShop(recarga *producer.Client, poll time.Duration) *shop {
	return &shop{
		recarga: recarga, poll: poll, pages: template.Must(template.ParseFS(files, "pages/*.html")),
		ledger: newLedger(), closing: make(chan struct{}),
	}
}

func (s *shop) routes(secret string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.form)
	mux.HandleFunc("POST /orders", s.place)
	mux.HandleFunc("GET /orders/{id}", s.show)
	mux.HandleFunc("GET /orders/{id}/events", s.watch)
	mux.Handle("GET /assets/", http.FileServerFS(files))
	mux.Handle("POST /recarga", webhook.Handler(secret, s.notified))
	// A form of another site must not place orders here; a webhook comes from no browser, and passes.
	return guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded allows a page nothing but this server's own files.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // who has an order's address sees the order
		h.Set("Cache-Control", "no-store")      // the form has an id of its own each time
		next.ServeHTTP(w, r)
	})
}

// notified is the webhook, verified by its handler. The key's orders from elsewhere are none of this page's.
func (s *shop) notified(_ context.Context, ev webhook.Event) error {
	if ourID.MatchString(string(ev.Data.ID)) {
		s.ledger.notified(ev.Data.Order, ev.Data.Sequence)
	}
	return nil
}

// formPage is the form as it was filled in.
type formPage struct {
	// ID is the order's id, made with the form: sent twice, it is one order.
	ID                     topup.ID
	Phone, Product, Amount string
	Products               []topup.Product
	// Wrong is what is wrong, by field; Problem is what is wrong with no field.
	Wrong   map[string]string
	Problem string
	// Taken is the order that the form has placed already, with other content.
	Taken topup.ID
}

// Orders are found by their ids alone, so an id must not be guessed; and only ours are shown, not
// those that the same API key placed elsewhere.
var ourID = regexp.MustCompile(`^WEB-[A-Z2-7]{26}$`)

func newID() topup.ID { return topup.ID("WEB-" + rand.Text()) }

func (s *shop) form(w http.ResponseWriter, r *http.Request) {
	s.answerForm(w, r, http.StatusOK, formPage{ID: newID()})
}

func (s *shop) answerForm(w http.ResponseWriter, r *http.Request, status int, page formPage) {
	ctx, cancel := context.WithTimeout(r.Context(), apiTimeout)
	defer cancel()
	products, err := s.recarga.Products(ctx)
	if err != nil && page.Problem == "" {
		slog.WarnContext(ctx, "no products", "error", err)
		status, page.Problem = http.StatusServiceUnavailable,
			"We cannot sell top-ups at this moment. Please try again in a few minutes."
	}
	page.Products = products
	s.render(w, status, "form.html", page)
}

func (s *shop) place(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "not a form", http.StatusBadRequest)
		return
	}
	page := formPage{
		ID: topup.ID(r.PostForm.Get("id")), Phone: r.PostForm.Get("phone_number"),
		Product: r.PostForm.Get("product_id"), Amount: r.PostForm.Get("amount"), Wrong: map[string]string{},
	}
	if !ourID.MatchString(string(page.ID)) {
		http.Error(w, "not our form", http.StatusBadRequest)
		return
	}
	// An amount that is no number is sent as none, which is never sold: one answer then names all that is wrong.
	amount, notNumber := topup.ParseAmount(strings.TrimSpace(page.Amount))
	ctx, cancel := context.WithTimeout(r.Context(), apiTimeout)
	defer cancel()
	_, _, err := s.recarga.Place(ctx,
		topup.Request{ID: page.ID, Phone: topup.Phone(page.Phone), Product: page.Product, Amount: amount})
	if err == nil {
		http.Redirect(w, r, "/orders/"+string(page.ID), http.StatusSeeOther)
		return
	}
	status := page.refused(err, notNumber)
	slog.WarnContext(ctx, "order not placed", "order", page.ID, "status", status, "error", err)
	s.answerForm(w, r, status, page)
}

// refused puts what is wrong where the customer finds it, and returns the status to answer with.
func (p *formPage) refused(err, notNumber error) int {
	var problem *producer.Problem
	errors.As(err, &problem)
	switch {
	case problem != nil && problem.Status == http.StatusUnprocessableEntity:
		p.Problem = "Nothing was ordered. Please correct what is marked."
		for _, wrong := range problem.Errors {
			p.Wrong[strings.TrimPrefix(wrong.Location, "body.")] = wrong.Message
		}
		for _, field := range topup.FieldErrors(notNumber) {
			p.Wrong[field.Field] = "must be " + field.Allowed
		}
	case problem != nil && problem.Status == http.StatusConflict:
		p.Problem, p.Taken, p.ID = "This form has already placed an order.", p.ID, newID()
	case problem != nil && !problem.Temporary(): // the shop's own mistake: its key, for one
		p.Problem = "We cannot sell top-ups at this moment. Nothing was ordered."
		return http.StatusBadGateway
	default:
		// It may have been placed all the same. The form keeps its id, so that it is safe to send again.
		p.Problem = "We have no answer yet. Press the button again: it is ordered once only."
		return http.StatusServiceUnavailable
	}
	return problem.Status
}

// order is what is known of an order; it is asked for when the shop has not heard of it.
func (s *shop) order(ctx context.Context, id topup.ID) (o topup.Order, changed <-chan struct{}, err error) {
	if !ourID.MatchString(string(id)) {
		return o, nil, errNoOrder
	}
	if o, changed, ok := s.ledger.look(id); ok {
		return o, changed, nil
	}
	if err := s.ask(ctx, id); err != nil {
		return o, nil, err
	}
	o, changed, _ = s.ledger.look(id)
	return o, changed, nil
}

// ask is for when no webhook came, or not yet.
func (s *shop) ask(ctx context.Context, id topup.ID) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	d, err := s.recarga.Get(ctx, id)
	var problem *producer.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return errNoOrder
	}
	if err != nil {
		return err
	}
	s.ledger.asked(d)
	return nil
}

func (s *shop) show(w http.ResponseWriter, r *http.Request) {
	o, _, err := s.order(r.Context(), topup.ID(r.PathValue("id")))
	if err != nil {
		s.noOrder(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "order.html", viewOf(o))
}

func (s *shop) noOrder(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoOrder) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	slog.WarnContext(r.Context(), "order not shown", "error", err)
	w.Header().Set("Retry-After", "5")
	http.Error(w, "We cannot look at your order at this moment. It is safe: please try again.",
		http.StatusServiceUnavailable)
}

// watch streams an order as Server-Sent Events until it is final: every change at once when its webhook
// comes, and asked for now and then in case that is late.
func (s *shop) watch(w http.ResponseWriter, r *http.Request) {
	id := topup.ID(r.PathValue("id"))
	o, changed, err := s.order(r.Context(), id)
	if err != nil {
		s.noOrder(w, r, err)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	var asking sync.WaitGroup
	asking.Go(func() { s.keepAsking(ctx, id) })
	defer asking.Wait()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for sent := topup.State(""); ; o, changed, _ = s.ledger.look(id) {
		if err := stream(w, o, sent); err != nil || o.State.Final() {
			return
		}
		sent = o.State
		select {
		case <-changed:
		case <-beat.C:
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		}
	}
}

func (s *shop) keepAsking(ctx context.Context, id topup.ID) {
	ticker := time.NewTicker(s.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.ask(ctx, id); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "order not asked for", "order", id, "error", err)
		}
	}
}

// stream sends an order that has changed, else a comment that keeps the connection up.
func stream(w http.ResponseWriter, o topup.Order, sent topup.State) error {
	text := ": still here\n\n"
	if o.State != sent {
		data, err := json.Marshal(viewOf(o))
		if err != nil {
			return err
		}
		text = fmt.Sprintf("data: %s\n\n", data)
	}
	out := http.NewResponseController(w)
	if err := out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, text); err != nil {
		return err
	}
	return out.Flush()
}

func (s *shop) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, data); err != nil {
		slog.Error("page not rendered", "page", name, "error", err)
		http.Error(w, "something is wrong with this page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the customer is gone when it fails
}
