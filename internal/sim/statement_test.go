package sim

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"recarga/internal/journal"
	"recarga/internal/reconcile"
)

// statement is the vendor's ledger as a person is sent it: perhaps cut off, soon out of date, and wrong about an order
// now and then. Who is misled by that is excused, and nobody else.
func (w *world) statement() (text, forStory string) {
	lines := []string{"distributor_transaction_id,transaction_id,phone_number,amount,status,date"}
	undated := []string{lines[0]} // what a story has of it: the same whenever a life begins
	for _, o := range w.planned {
		for _, s := range o.sent {
			if s.answer == nil {
				continue
			}
			says := s.charged
			if w.tape.yes(ofPeople, 0.05) {
				says, o.misled = !says, true
			}
			status := "declined"
			if says {
				status = "approved"
			}
			line := fmt.Sprintf("%s,%s,%s,%s,%s,", o.request.ID, s.transaction, o.request.Phone.Digits(), o.request.Amount,
				status)
			lines = append(lines, line+s.decided.UTC().Format(time.RFC3339))
			undated = append(undated, line+s.decided.Sub(w.began).String())
		}
	}
	if keep := w.tape.choose(ofPeople, len(lines), 0.7); keep > 0 {
		lines, undated = lines[:keep+1], undated[:keep+1]
	}
	return strings.Join(lines, "\n") + "\n", strings.Join(undated, "\n")
}

// reconcile has the operator compare a statement with the book, and settle what it proves.
func (w *world) reconcile() bool {
	book, ok := w.journal.(*journal.Journal)
	p := w.at(0)
	if !ok || p == nil {
		return false // the reference has no lists
	}
	options, err := reconcile.ParseOptions(url.Values{"margin": {"1s"}, "timezone": {"UTC"}, "by": {"ana"},
		"absent": {string(pick(w.tape, ofPeople, 0.5, reconcile.AbsentFailed, reconcile.AbsentResend))}}, time.Now())
	if err != nil {
		w.fail("%v", err)
		return true
	}
	text, undated := w.statement()
	w.note("operator", "reconciles", "a statement", fmt.Sprintf("%q, absent: %s", undated, options.Absent))
	go func() {
		s, err := reconcile.Read(context.Background(), strings.NewReader(text), options)
		if err != nil {
			return // there may be no line
		}
		defer func() { _ = s.Close() }()
		_ = reconcile.New(book, p.producer, quiet).Run(context.Background(), s, // the process may die
			func(reconcile.Result) error { return nil })
	}()
	return true
}
