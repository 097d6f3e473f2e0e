// Package audit says in whose name something is done. Whoever lets a person or a program act notes in the context who
// that is; what the action changes in the book of record is then written with it, in the same transaction, whichever
// part of the program changes it.
package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"
	"time"

	"recarga/topup"
	"recarga/topup/desk"
)

type key struct{}

// acting is an action that has begun.
type acting struct {
	desk.Act
	// part: it is what a larger action, of its id, does.
	part bool
}

// With begins an action, and gives it an id and its time.
func With(ctx context.Context, a desk.Act) context.Context {
	a.ID, a.At = rand.Text(), time.Now()
	return context.WithValue(ctx, key{}, acting{Act: a})
}

// PartOf has what follows be done in the name of whoever began a larger action, by the operation that does the same to
// one thing. Whichever process does it, and how often it begins anew, all of it is one action, whose id is that of the
// larger one; its details name it as well.
func PartOf(ctx context.Context, id, operation string, began desk.Act) context.Context {
	a := desk.Act{ID: id, At: time.Now(), By: began.By, Role: began.Role, Via: began.Via, Address: began.Address,
		Action: operation, Reason: began.Reason}
	return context.WithValue(ctx, key{}, acting{a, true})
}

// Of is the action that With began; ok is false where nobody acts: what the program does by itself is no action.
func Of(ctx context.Context) (a desk.Act, ok bool) {
	now, ok := ctx.Value(key{}).(acting)
	if now.part {
		now.Detail = topup.NullString(strings.TrimSpace(string(now.Detail) + " by " + now.ID))
	}
	return now.Act, ok
}

func with(ctx context.Context, change func(*desk.Act)) context.Context {
	a, ok := ctx.Value(key{}).(acting)
	if !ok {
		return ctx
	}
	change(&a.Act)
	return context.WithValue(ctx, key{}, a)
}

// On says what is changed.
func On(ctx context.Context, what string) context.Context {
	return with(ctx, func(a *desk.Act) { a.On = topup.NullString(what) })
}

// OfOrder says of which order it is; where nothing else was said to be changed, it is the order.
func OfOrder(ctx context.Context, id topup.ID) context.Context {
	return with(ctx, func(a *desk.Act) {
		a.OrderID = topup.NullString(id)
		a.On = cmp.Or(a.On, a.OrderID)
	})
}

// To says what it is changed to.
func To(ctx context.Context, detail string) context.Context {
	return with(ctx, func(a *desk.Act) { a.Detail = topup.NullString(detail) })
}

// Because says why; empty: as was said before.
func Because(ctx context.Context, reason string) context.Context {
	return with(ctx, func(a *desk.Act) { a.Reason = cmp.Or(topup.NullString(reason), a.Reason) })
}

// By says who it is, behind a key that may be anybody's; empty: as was said before.
func By(ctx context.Context, name string) context.Context {
	return with(ctx, func(a *desk.Act) { a.By = cmp.Or(name, a.By) })
}

// Nobody has what follows be no action: a step of one that is written as a whole.
func Nobody(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, nil) }
