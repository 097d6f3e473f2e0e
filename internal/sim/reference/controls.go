package reference

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"recarga/topup"
	"recarga/topup/desk"
)

// Controls are what people have set.
func (j *Journal) Controls(context.Context) (desk.Controls, error) {
	defer j.alone()()
	return slices.Clone(j.controls), nil
}

// SetControl sets a pause or a limit. What is set so already stays as it is.
func (j *Journal) SetControl(_ context.Context, c desk.Control) error {
	defer j.alone()()
	c.Since = whole(c.Since)
	if i := j.control(c.Kind, string(c.Name)); i < 0 {
		j.controls = append(j.controls, c)
	} else if j.controls[i].Value != c.Value {
		j.controls[i] = c
	}
	slices.SortFunc(j.controls, func(a, b desk.Control) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// EndControl ends a pause or a limit, if it is set.
func (j *Journal) EndControl(_ context.Context, kind desk.ControlKind, name string) error {
	defer j.alone()()
	if i := j.control(kind, name); i >= 0 {
		j.controls = slices.Delete(j.controls, i, i+1)
	}
	return nil
}

// control is the place of one that is set; -1: it is not.
func (j *Journal) control(kind desk.ControlKind, name string) int {
	return slices.IndexFunc(j.controls, func(c desk.Control) bool { return c.Kind == kind && string(c.Name) == name })
}

// paused reports whether somebody keeps an order from being bought.
func (j *Journal) paused(o *order) bool {
	return slices.ContainsFunc(j.controls, func(c desk.Control) bool {
		operator, _, _ := strings.Cut(o.Product, "_")
		of := map[desk.ControlKind]string{desk.PauseCaller: o.Caller, desk.PauseProduct: o.Product,
			desk.PauseOperator: operator}[c.Kind]
		return c.Kind == desk.PausePurchases || of != "" && of == string(c.Name)
	})
}

// PausedOrders counts the orders that wait for a pause to end.
func (j *Journal) PausedOrders(context.Context) ([]desk.PausedOrders, error) {
	defer j.alone()()
	var all []desk.PausedOrders
	for _, o := range j.placed {
		if o.WaitsFor != topup.NullString(topup.WaitPaused) {
			continue
		}
		i := slices.IndexFunc(all, func(p desk.PausedOrders) bool { return p.Caller == o.Caller && p.Product == o.Product })
		if i < 0 {
			i, all = len(all), append(all, desk.PausedOrders{Caller: o.Caller, Product: o.Product})
		}
		p := &all[i]
		if p.Count++; o.EndsAt != nil && (p.FirstEnds.IsZero() || o.EndsAt.Before(p.FirstEnds)) {
			p.FirstEnds = *o.EndsAt
		}
	}
	slices.SortFunc(all, func(a, b desk.PausedOrders) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Product, b.Product))
	})
	return all, nil
}

// RecordAct keeps nothing: the reference has no audit.
func (*Journal) RecordAct(context.Context) error { return nil }
