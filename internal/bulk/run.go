package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"recarga/internal/audit"
	"recarga/producer"
	"recarga/topup"
	"recarga/topup/desk"
)

const (
	// perPage members are acted on before it is written what came of them.
	perPage = 100
	// claimLasts is longer than a page takes. After it another process goes on, where this one has died.
	claimLasts = 2 * time.Minute
	// every is how often a process asks for what another one has left.
	every = 5 * time.Second
	// atPage bounds how long one page may take.
	atPage = time.Minute
)

// Book keeps the actions: journal.Journal, which documents its errors.
type Book interface {
	Orders
	Events
	Order(ctx context.Context, id topup.ID) (topup.Order, error)
	Event(ctx context.Context, id string) (topup.Event, error)
	AddBulk(ctx context.Context, a topup.BulkAction, pages []string) error
	BulkAction(ctx context.Context, id string) (topup.BulkAction, error)
	BulkStarter(ctx context.Context, id string) (began desk.Act, ok bool, err error)
	Bulks(ctx context.Context, before string, limit int) ([]topup.BulkAction, error)
	OpenBulks(ctx context.Context, worker string, now time.Time) ([]topup.BulkAction, error)
	ClaimBulk(ctx context.Context, id, worker string, until, now time.Time) (mine bool, err error)
	BulkPage(ctx context.Context, id string) (number int, members string, err error)
	FinishBulkPage(ctx context.Context, id string, number, done int, refusals []topup.BulkRefusal, now time.Time) error
	EndBulk(ctx context.Context, id string, now time.Time) error
	StopBulk(ctx context.Context, id, by string, now time.Time) error
}

// Operations are what is done to each member: producer.Producer, which documents their errors.
type Operations interface {
	Cancel(ctx context.Context, id topup.ID, who producer.Actor) (topup.Order, error)
	Resolve(ctx context.Context, id topup.ID, r topup.Resolution) (topup.Order, error)
	Redeliver(ctx context.Context, id string, who producer.Actor) (topup.Event, error)
}

// Runner does the actions that are in the book, those of a process that has ended as well: each member is acted on as
// it was when it was shown, or refused.
type Runner struct {
	book Book
	do   Operations
	log  *slog.Logger
	// name distinguishes this process from the others.
	name string
	wake chan struct{}
}

// NewRunner makes one. Run it.
func NewRunner(book Book, do Operations, log *slog.Logger) *Runner {
	return &Runner{book: book, do: do, log: log, name: uuid.NewString(), wake: make(chan struct{}, 1)}
}

// Check names every wrong field of what is asked for.
func Check(a topup.BulkAction) error {
	errs := []error{(topup.Resolution{Outcome: topup.ResolvedFailed, Reason: a.Reason, By: a.By}).Check()}
	if a.Action == topup.BulkResolve {
		errs = append(errs, resolution(a, 0).Check())
		errs = errs[1:]
	}
	return errors.Join(errs...)
}

// Start writes an action on a set into the book, and returns it. It is done by this process, or by another one if this
// one ends.
func (r *Runner) Start(ctx context.Context, a topup.BulkAction, set Set) (topup.BulkAction, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return a, err
	}
	a.ID, a.State, a.Count, a.CreatedAt = "bulk_"+id.String(), topup.BulkRunning, set.Count(), time.Now()
	ctx = audit.Because(audit.To(audit.On(ctx, a.ID), auditDetail(a)), a.Reason)
	pages, err := set.pages()
	if err == nil {
		err = r.book.AddBulk(ctx, a, pages)
	}
	if err != nil {
		return a, err
	}
	r.log.WarnContext(ctx, "bulk action begins", "bulk", a.ID, "action", string(a.Action), "by", a.By, "why", a.Reason,
		"count", a.Count)
	r.Wake()
	return a, nil
}

// auditDetail is what the audit says that an action does.
func auditDetail(a topup.BulkAction) string {
	return strings.TrimSpace(string(a.Action) + " " + string(a.Outcome))
}

// Wake says that there is something to do.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Book is where sets are chosen.
func (r *Runner) Book() Book { return r.book }

// Action is an action as it now is, with the first of its refusals, or topup.ErrNotFound.
func (r *Runner) Action(ctx context.Context, id string) (topup.BulkAction, error) {
	return r.book.BulkAction(ctx, id)
}

// Actions are so many actions, the newest first, that come before one; empty: the newest of all.
func (r *Runner) Actions(ctx context.Context, before string, limit int) ([]topup.BulkAction, error) {
	return r.book.Bulks(ctx, before, limit)
}

// Stop has an action begin no further page, and returns it as it then is. One that has ended stays as it is.
func (r *Runner) Stop(ctx context.Context, id, by string) (topup.BulkAction, error) {
	if _, err := r.book.BulkAction(ctx, id); err != nil {
		return topup.BulkAction{}, err
	}
	if err := r.book.StopBulk(audit.On(ctx, id), id, by, time.Now()); err != nil {
		return topup.BulkAction{}, err
	}
	r.log.WarnContext(ctx, "bulk action stopped", "bulk", id, "by", by)
	r.Wake()
	return r.book.BulkAction(ctx, id)
}

// Do does what there is to do now.
func (r *Runner) Do(ctx context.Context) error {
	open, err := r.book.OpenBulks(ctx, r.name, time.Now())
	for _, a := range open {
		err = errors.Join(err, r.finish(ctx, a))
	}
	return err
}

// Run does what there is to do, until ctx ends: then the page under way is the last one.
func (r *Runner) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := r.Do(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "bulk actions wait for the book of record", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-r.wake:
		}
	}
}

// finish does what is left of an action, unless another process does.
func (r *Runner) finish(ctx context.Context, a topup.BulkAction) error {
	for ctx.Err() == nil && a.State == topup.BulkRunning {
		now := time.Now()
		mine, err := r.book.ClaimBulk(ctx, a.ID, r.name, now.Add(claimLasts), now)
		if err != nil {
			return err
		}
		if !mine {
			if a, err = r.book.BulkAction(ctx, a.ID); err != nil || a.State != topup.BulkStopping {
				return err
			}
			break
		}
		err = r.page(ctx, a)
		if errors.Is(err, topup.ErrNotFound) { // it was the last one
			break
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := r.book.EndBulk(ctx, a.ID, time.Now()); err != nil {
		return err
	}
	a, err := r.book.BulkAction(ctx, a.ID)
	r.log.WarnContext(ctx, "bulk action ended", "bulk", a.ID, "state", string(a.State), "done", a.Done, "refused",
		a.Refused, "count", a.Count)
	return err
}

// operations name in the audit what is done to each member: the operation of the API that does the same to one.
var operations = map[topup.BulkKind]string{topup.BulkResolve: "resolveTopup", topup.BulkCancel: "cancelTopup",
	topup.BulkRedeliver: "redeliverEvent"}

// page acts on the members of a page, and writes what came of them. A shutdown does not cut it off: else nobody knows
// what was done.
func (r *Runner) page(ctx context.Context, a topup.BulkAction) error {
	number, text, err := r.book.BulkPage(ctx, a.ID)
	if err != nil {
		return err
	}
	var members []Member
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), atPage)
	defer cancel()
	acting := ctx
	switch began, ok, err := r.book.BulkStarter(ctx, a.ID); {
	case err != nil:
		return err
	case ok:
		acting = audit.PartOf(ctx, a.ID, operations[a.Action], began)
	}
	var mu sync.Mutex
	var refusals []topup.BulkRefusal
	var fault error
	_ = Set{members}.Each(acting, func(ctx context.Context, m Member) error { return r.act(ctx, a, m) },
		func(m Member, err error) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
			case Refused(err):
				refusals = append(refusals, topup.BulkRefusal{ID: m.ID, Why: err.Error()})
			default:
				fault = err
			}
		})
	if fault != nil { // the page is done once more: what was done of it is not done again
		return fault
	}
	return r.book.FinishBulkPage(ctx, a.ID, number, len(members)-len(refusals), refusals, time.Now())
}

// errChanged: a member is not as it was when it was shown.
var errChanged = errors.New("it has changed since it was shown; nothing was done")

// act does an action to a member, at most once, whoever tries again: what has changed since it was shown, by this
// action as well, is not acted on. An order that an earlier try has resolved or canceled already is as it should be.
func (r *Runner) act(ctx context.Context, a topup.BulkAction, m Member) error {
	switch a.Action {
	case topup.BulkRedeliver:
		ev, err := r.book.Event(ctx, m.ID)
		if err == nil && eventFingerprint(ev) != string(m.Shown) {
			err = errChanged
		}
		if err == nil {
			_, err = r.do.Redeliver(ctx, m.ID, producer.Actor{By: a.By, Reason: a.Reason})
		}
		return err
	case topup.BulkCancel:
		_, err := r.do.Cancel(ctx, m.Order, producer.Actor{By: a.By, Reason: a.Reason})
		return err
	default:
		o, err := r.book.Order(ctx, m.Order)
		if err == nil && o.State == topup.StateUnknown && orderFingerprint(a.Action, o) != string(m.Shown) {
			err = errChanged
		}
		if err == nil {
			_, err = r.do.Resolve(ctx, m.Order, resolution(a, m.Attempt))
		}
		return err
	}
}

func resolution(a topup.BulkAction, attempt int) topup.Resolution {
	return topup.Resolution{Outcome: topup.ResolvedAs(a.Outcome), Reason: a.Reason, By: a.By, Forced: a.Forced,
		Attempt: attempt}
}

// Refused reports whether an error is the member's own: it would be the same the next time.
func Refused(err error) bool {
	return errors.Is(err, errChanged) || errors.Is(err, topup.ErrNotFound) || errors.Is(err, topup.ErrArchived) ||
		errors.Is(err, topup.ErrLost) || errors.As(err, new(*topup.TransitionError)) ||
		errors.As(err, new(*topup.TooEarlyError)) || errors.As(err, new(*topup.MovedOnError)) ||
		errors.As(err, new(*topup.QuotaError)) || len(topup.FieldErrors(err)) > 0
}
