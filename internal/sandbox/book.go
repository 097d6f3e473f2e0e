package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Purchase is one charge. A product_purchase can make none, one, or (5500000002) two.
type Purchase struct {
	// TransactionID is the distributor's own, DistributorTransactionID the caller's id of its order.
	TransactionID            string    `json:"transaction_id"`
	DistributorTransactionID string    `json:"distributor_transaction_id"`
	PhoneNumber              string    `json:"phone_number"`
	ProductID                string    `json:"product_id"`
	Amount                   Money     `json:"amount"` // MXN
	Currency                 string    `json:"currency"`
	Operator                 string    `json:"operator"`
	Reference                string    `json:"reference"`
	AuthCode                 string    `json:"auth_code"`
	Debit                    Money     `json:"debit"` // units of the balance
	BalanceAfter             Money     `json:"balance_after"`
	ChargedAt                time.Time `json:"charged_at"`
}

// What a [Request] was answered.
const (
	AnswerPending = "pending" // nothing yet
	AnswerSent    = "sent"    // with Status and ResponseCode
	AnswerCut     = "cut"     // the connection was cut instead
)

// Request is one product_purchase request as it came, whatever became of it. Id and phone are empty where the body did
// not hold them as strings.
type Request struct {
	// Time is when its body had been read, in UTC.
	Time                     time.Time `json:"time"`
	DistributorTransactionID string    `json:"distributor_transaction_id"`
	PhoneNumber              string    `json:"phone_number"`
	Answer                   string    `json:"answer"`        // [AnswerPending], [AnswerSent] or [AnswerCut]
	Status                   int       `json:"status"`        // HTTP status, 0 unless sent
	ResponseCode             string    `json:"response_code"` // empty where the answer had none
}

// book is the distributor's ledger. The server's mutex guards it.
type book struct {
	balance   decimal.Decimal
	purchases []Purchase
	first     map[string]int // the first purchase of an id
	seen      map[string]int // how many requests of an id were well-formed and came with a good token
	requests  []*Request     // pointers, since a request outlives a reset
	shown     decimal.Decimal
	shownAt   time.Time // when get_balance last looked; zero is never
}

func newBook(balance decimal.Decimal) book {
	return book{balance: balance, first: map[string]int{}, seen: map[string]int{}}
}

// swing is how many steps the exchange rate goes up, and down, from where it was set.
const swing = 10

// rateAfter is the exchange rate after n charges: it climbs ten steps, comes back, falls ten, and comes back.
func (c Config) rateAfter(n int) decimal.Decimal {
	phase := n % (4 * swing)
	switch {
	case phase > 3*swing:
		phase -= 4 * swing
	case phase > swing:
		phase = 2*swing - phase
	}
	return c.ExchangeRate.Add(c.ExchangeStep.Mul(decimal.NewFromInt(int64(phase))))
}

// charge books a purchase, or says with which code it is refused. fresh distinguishes a new charge from the first
// result of a repeated id. Looking and booking are one step: two requests with one id at the same time can't both be
// the first.
func (s *Server) charge(in order) (p Purchase, code string, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, repeated := s.book.first[in.id]; repeated {
		switch s.cfg.RepeatedID {
		case RepeatReplay:
			return s.book.purchases[i], "00", false
		case RepeatRefuse:
			return Purchase{}, "12", false
		}
	}
	return s.charged(in)
}

// chargeAgain books a purchase that nobody asked for a second time, if the balance allows it.
func (s *Server) chargeAgain(in order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.charged(in)
}

// charged does the booking. The caller holds the mutex.
func (s *Server) charged(in order) (p Purchase, code string, fresh bool) {
	b := &s.book
	debit := in.amount.DivRound(s.cfg.rateAfter(len(b.purchases)), 2)
	if debit.GreaterThan(b.balance) {
		return Purchase{}, "51", false
	}
	b.balance = b.balance.Sub(debit)
	now := time.Now().UTC()
	p = Purchase{
		TransactionID:            fmt.Sprintf("TXN-%d-%s", now.UnixMilli(), letters(9)),
		DistributorTransactionID: in.id,
		PhoneNumber:              in.phone,
		ProductID:                in.product,
		Amount:                   Money{in.amount},
		Currency:                 "MXN",
		Operator:                 in.operator,
		Reference:                fmt.Sprintf("RRN-%012d", (now.UnixMicro()+int64(len(b.purchases)))%1e12),
		AuthCode:                 strings.ToUpper(letters(6)),
		Debit:                    Money{debit},
		BalanceAfter:             Money{b.balance},
		ChargedAt:                now,
	}
	if _, repeated := b.first[in.id]; !repeated {
		b.first[in.id] = len(b.purchases)
	}
	b.purchases = append(b.purchases, p)
	return p, "00", true
}

// letters is n characters of base 36, lower case.
func letters(n int) string {
	s := strconv.FormatUint(rand.Uint64(), 36)
	return strings.Repeat("0", max(0, n-len(s))) + s[max(0, len(s)-n):]
}

// serveBalance is GET /get_balance.
func (s *Server) serveBalance(w http.ResponseWriter, r *http.Request) {
	s.gate(w, callBalance, func() answer {
		if _, ok := s.session(r); !ok {
			return unauthorized()
		}
		balance, at := s.shownBalance(time.Now())
		return reply(http.StatusOK, struct {
			// The fields of the document; the last is when the balance was really looked at.
			Success     bool   `json:"success"`
			Balance     Money  `json:"balance"`
			Currency    string `json:"currency"`
			LastUpdated string `json:"last_updated"`
		}{true, Money{balance}, "USD", at.UTC().Format("2006-01-02T15:04:05.000Z07:00")})
	}).write(w)
}

// shownBalance is the balance as get_balance says it, and since when it has been notifying that.
func (s *Server) shownBalance(now time.Time) (balance decimal.Decimal, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.book
	if b.shownAt.IsZero() || now.Sub(b.shownAt) >= millisToDuration(s.cfg.BalanceMaxAgeMS) {
		b.shown, b.shownAt = b.balance, now
	}
	return b.shown, b.shownAt
}

// received opens the record of a request.
func (s *Server) received(in order) *Request {
	entry := &Request{
		Time:                     time.Now().UTC(),
		DistributorTransactionID: in.id,
		PhoneNumber:              in.phone,
		Answer:                   AnswerPending,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.requests = append(s.book.requests, entry)
	return entry
}

// answered closes it.
func (s *Server) answered(entry *Request, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status, entry.ResponseCode, entry.Answer = a.status, a.code, AnswerSent
	if a.status == 0 {
		entry.Answer = AnswerCut
	}
}

// count is how many good requests with this id there are, this one included.
func (s *Server) count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.seen[id]++
	return s.book.seen[id]
}
