package sim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
)

// vendor is the distributor, with its ledger.
type vendor struct {
	w       *world
	kinds   [][]answer           // by what they mean
	has     []bool               // which kinds this life has
	tokens  map[string]time.Time // until when each is good
	login   int                  // how it writes the answers to logins
	logins  int
	answers int // to purchases
	// idempotent: it answers a repeated id with the purchase that it has made.
	idempotent bool
	// halfOpen: somebody waits for an answer that never comes, perhaps after all else works again.
	halfOpen bool
	// refuses: it refuses every login.
	refuses bool
	// refusedTokens: it has refused a token or a login, so that the next logins may have to wait.
	refusedTokens bool
}

// sent is one purchase request that has reached the vendor, and what became of it.
type sent struct {
	number  int // of the attempt
	at      time.Time
	answer  *answer // nil: none was made
	charged bool
	// decided is when, and transaction the vendor's number of it.
	decided     time.Time
	transaction string
	// known: its answer arrived whole, and says what happened to the money.
	known bool
	// resends is how many decisions to send the order again there were before.
	resends int
}

const (
	// tokenLife is the life of a token, which a long life of orders outlives.
	tokenLife = 5 * time.Minute
	// slowest is how long the vendor may leave a request before it looks at it.
	slowest = 15 * time.Second
)

// dial is the network of a process.
func (p *process) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if p.dead {
		return nil, errDead
	}
	host, _, _ := strings.Cut(addr, ":")
	if host != vendorHost && p.w.receivers[host] == nil {
		p.w.fail("%s is called, which is nobody's", host)
	}
	call := boundary.Call{Name: "connect", About: addr}
	f, err := p.w.wait(ctx, &step{who: p.name, Call: call, proc: p, fates: []fate{diesBefore, failed, silent}}, p.died)
	switch {
	case err != nil:
		return nil, err
	case p.dead:
		return nil, errDead
	case f == failed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case f == diesBefore:
		p.w.deathAt(call, f)
		p.die()
		return nil, errDead
	}
	ours, theirs := net.Pipe()
	p.conns, p.w.conns = append(p.conns, ours), append(p.w.conns, ours, theirs)
	if f == silent {
		p.w.vendor.halfOpen = true
		return ours, nil // half open: nobody reads what is written
	}
	go p.w.serve(theirs, p, host)
	return ours, nil
}

// serve is a server's side of a connection.
func (w *world) serve(conn net.Conn, p *process, host string) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		w.mu.Lock()
		server := w.receivers[host]
		w.mu.Unlock()
		more := false
		switch {
		case server != nil:
			more = server.serve(conn, p, req, body)
		case path.Base(req.URL.Path) == "product_purchase":
			more = w.vendor.purchase(conn, p, req, body)
		default:
			more = w.vendor.query(conn, p, req)
		}
		if !more {
			return
		}
	}
}

// ofServers are the fates of a request that reaches a server.
var ofServers = []fate{diesBefore, diesAfter, failed, lost, torn, silent, stops}

// arrive waits for a request's turn. on reports whether the server is to look at it.
func (w *world) arrive(p *process, who, name, about string) (f fate, on bool) {
	call := boundary.Call{Name: name, About: about}
	f, err := w.wait(context.Background(), &step{who: who, Call: call, proc: p, fates: ofServers}, nil)
	switch {
	case err != nil, f == failed:
		return f, false
	case f == diesBefore:
		w.deathAt(call, f)
		p.die() // the request is on its way all the same
	case f == silent:
		w.vendor.halfOpen = true
		<-w.over
		return f, false
	}
	return f, true
}

// respond writes an answer, whole or not, and reports whether it arrived. It may come late.
func (w *world) respond(conn net.Conn, p *process, f fate, who, about, text string) bool {
	switch f {
	case diesAfter:
		w.deathAt(boundary.Call{Name: "the answer of " + who, About: about}, f)
		p.die()
		return false
	case lost:
		return false
	case torn:
		_, _ = io.WriteString(conn, text[:len(text)*2/3])
		return false
	}
	call := boundary.Call{Name: "answers", About: about}
	_, err := w.wait(context.Background(), &step{who: who, Call: call}, nil)
	if err == nil && !p.dead {
		_, err = io.WriteString(conn, text)
	}
	return err == nil && !p.dead
}

func (v *vendor) query(conn net.Conn, p *process, req *http.Request) bool {
	name := path.Base(req.URL.Path)
	f, on := v.w.arrive(p, "vendor", name, "")
	if !on {
		return false
	}
	a := answer{status: 200, body: `{"success":true,"balance":1000.00,"currency":"USD"}`}
	switch {
	case name == "login" && v.refuses:
		a = unauthorized
	case name == "login":
		v.logins++
		token := fmt.Sprint("token-number-", v.logins)
		v.tokens[token] = time.Now().Add(tokenLife)
		a.body = strings.ReplaceAll(logins[v.login], "%TOKEN%", token)
	}
	return v.w.respond(conn, p, f, "vendor", "", a.text("", ""))
}

func (v *vendor) purchase(conn net.Conn, p *process, req *http.Request, body []byte) bool {
	var r struct {
		ID      topup.ID     `json:"distributor_transaction_id"`
		Phone   topup.Phone  `json:"phone_number"`
		Product string       `json:"product_id"`
		Amount  topup.Amount `json:"amount"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		v.w.fail("the vendor cannot read a purchase: %v: %s", err, body)
		return false
	}
	o := v.w.orders[r.ID]
	if o == nil {
		v.w.fail("the vendor is asked to buy an order that nobody placed: %s", body)
		return false
	}
	if q := o.request; q.Phone != r.Phone || q.Product != r.Product || q.Amount != r.Amount {
		v.w.fail("%s is sent for another phone, product or amount: %s", r.ID, body)
	}
	s := &sent{at: time.Now(), resends: o.resends}
	if a := p.begun[r.ID]; a != nil {
		s.number = a.number
		a.sent = s
	}
	o.sent = append(o.sent, s)
	v.w.mayBeSent(o, s)
	f, on := v.w.arrive(p, "vendor", "product_purchase", string(r.ID))
	if !on {
		return false
	}
	a := v.choose(req)
	v.answers++
	before := o.purchase()
	s.answer, s.charged, s.transaction = a, a.charges, fmt.Sprint("TXN-", v.answers)
	if v.idempotent && before != nil && a != &unauthorized {
		a = &v.kinds[0][0]
		s.answer, s.charged, s.transaction = a, false, before.transaction
	}
	o.answered = a.means
	v.refusedTokens = v.refusedTokens || a.status == http.StatusUnauthorized
	v.w.note("vendor", "decides", string(r.ID), a.name)
	s.decided = time.Now()
	text := a.text(r.ID, s.transaction)
	arrived := v.w.respond(conn, p, f, "vendor", string(r.ID), text)
	s.known = arrived && a.means != topup.OutcomeUnknown
	if a.bare { // and then nothing, on a connection that stays open
		<-v.w.over
	}
	return arrived
}

// choose is how the vendor answers a purchase: what it means first, and then in which words.
func (v *vendor) choose(req *http.Request) *answer {
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	switch {
	case !time.Now().Before(v.tokens[token]):
		return &unauthorized
	case v.w.calm:
		return &v.kinds[0][0]
	}
	kind := v.kinds[v.w.tape.among(ofAnswers, v.w.honest, v.has)]
	return &kind[v.w.tape.choose(ofAnswers, len(kind), 0.3)]
}
