// Package desk is the vocabulary of the operator's desk: what people and programs did, and what people have set at run
// time.
package desk

import (
	"strconv"
	"time"

	"recarga/topup"
)

// Act is one action of a person or a program on orders, events, callers, keys, queues or settings, as the audit keeps
// it.
type Act struct {
	// ID is the action's.
	ID string `json:"id"`
	// At is when it began.
	At time.Time `json:"at"`
	// By is who did it: the name of an operator, or of a caller.
	By string `json:"by"`
	// Role is that of the key: caller, viewer, operator or admin; of a command on the operator's machine, local.
	Role string `json:"role"`
	// Via is what it was done with: one of Vias.
	Via string `json:"via"`
	// Address is the client's; empty: not known.
	Address topup.NullString `json:"address"`
	// Action is what was done: the id of an operation of the API, or of one like it.
	Action string `json:"action"`
	// On is what was changed: the id of an order or event, or the name of a caller, operator or pause. Of an action on
	// many it is one of them. Empty: what has no name.
	On topup.NullString `json:"on"`
	// OrderID is the order that On is, or is of; empty: none.
	OrderID topup.NullString `json:"distributor_transaction_id"`
	// Detail is what it was changed to; empty: the action says it all.
	Detail topup.NullString `json:"detail"`
	// Reason is why, in the words of whoever did it; empty: nobody was asked.
	Reason topup.NullString `json:"reason"`
	// Count is on how many things it was done.
	Count int `json:"count"`
}

// What an action is done with.
const (
	ViaAPI     = "api"
	ViaConsole = "console"
	// ViaCLI is a command that talks to the API.
	ViaCLI = "cli"
	// ViaLocal is a command that works on the book itself.
	ViaLocal = "local"
)

// Vias are all of them.
func Vias() []string { return []string{ViaAPI, ViaConsole, ViaCLI, ViaLocal} }

// MostOnOrder is how many of an order's actions are shown with it: the latest ones. The audit has all of them.
const MostOnOrder = 200

// ActFilter chooses actions; the zero value chooses all of them.
type ActFilter struct {
	// ID chooses one action, of which each thing that it changed is listed by itself; empty: the actions are listed.
	ID string
	// By, Action and Via must be equal; empty: any.
	By, Action, Via string
	// On is an order, or something else that was changed; empty: any.
	On string
	// Since and Until bound the time, Until excluded; zero: they do not.
	Since, Until time.Time
	// Limit bounds a page; 0: 50.
	Limit int
	// Cursor is where the page begins; empty: with the latest.
	Cursor string
}

// ActColumns are the names of an action's Columns, those of its JSON.
func ActColumns() []string {
	return []string{"at", "by", "role", "via", "address", "action", "on", "distributor_transaction_id", "detail",
		"reason", "count", "id"}
}

// Columns is the action as a row of a table.
func (a Act) Columns() []string {
	return []string{a.At.UTC().Format(time.RFC3339Nano), a.By, a.Role, a.Via, string(a.Address), a.Action, string(a.On),
		string(a.OrderID), string(a.Detail), string(a.Reason), strconv.Itoa(a.Count), a.ID}
}
