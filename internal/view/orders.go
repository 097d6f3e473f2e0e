// Package view shows people at a terminal what the API answers: orders and what became of them, callers, operators and
// the balance.
package view

import (
	"cmp"
	"fmt"
	"slices"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/topup"
)

// Orders writes a table of orders. What the evidence says has a column where it says something of one of them.
func Orders(s terminal.Screen, orders ...topup.Order) error {
	head := []string{"ORDER", "STATE", "PHONE", "PRODUCT", "AMOUNT", "ATTEMPTS", "CODE", "UPDATED"}
	concluded := slices.ContainsFunc(orders, func(o topup.Order) bool { return o.Conclusion != nil })
	if concluded {
		head = append(head, "CONCLUSION")
	}
	rows := make([][]string, len(orders))
	for i, o := range orders {
		rows[i] = []string{
			string(o.ID), StateOf(o), o.Phone.Digits(), cmp.Or(o.Product, "not known"), o.Amount.String(),
			fmt.Sprint(o.AttemptCount), string(o.ResponseCode), story.Clock(o.UpdatedAt),
		}
		if concluded {
			rows[i] = append(rows[i], called(o.Conclusion))
		}
	}
	return s.Table(head, rows, "ATTEMPTS", "PRODUCT", "UPDATED", "CODE", "AMOUNT")
}

func called(c *topup.Conclusion) string {
	if c == nil {
		return ""
	}
	return c.Call.Words()
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
