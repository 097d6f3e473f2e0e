// Package view shows people at a terminal what the API answers: orders and what became of them, callers, operators and
// the balance.
package view

import (
	"cmp"
	"fmt"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/topup"
)

// Orders writes a table of orders.
func Orders(s terminal.Screen, orders ...topup.Order) error {
	rows := make([][]string, len(orders))
	for i, o := range orders {
		rows[i] = []string{
			string(o.ID), StateOf(o), o.Phone.Digits(), cmp.Or(o.Product, "not known"), o.Amount.String(),
			fmt.Sprint(o.AttemptCount), string(o.ResponseCode), story.Clock(o.UpdatedAt),
		}
	}
	return s.Table([]string{"ORDER", "STATE", "PHONE", "PRODUCT", "AMOUNT", "ATTEMPTS", "CODE", "UPDATED"}, rows,
		"ATTEMPTS", "PRODUCT", "UPDATED", "CODE", "AMOUNT")
}

// Change writes a line for a change of an order.
func Change(s terminal.Screen, o topup.Order) error {
	_, err := fmt.Fprintf(s, "%s  %s  %s  attempts %d  %s\n", story.Clock(o.UpdatedAt), terminal.Printable(string(o.ID)),
		s.Coloured(StateOf(o), terminal.Printable(StateOf(o))), o.AttemptCount, terminal.Printable(string(o.ResponseCode)))
	return err
}

// StateOf is the state with the reason of a failure.
func StateOf(o topup.Order) string {
	if o.Reason != "" {
		return string(o.State) + "/" + string(o.Reason)
	}
	return string(o.State)
}
