package topup

import "time"

// MostActions is how many of an order's actions are shown: the latest ones. The audit has all of them.
const MostActions = 200

// Action is what a person or a program did to an order, or to an event of it, as the audit has it. It is for the
// operator alone.
type Action struct {
	// At is when it began.
	At time.Time `json:"at"`
	// By is who did it, and Role what that key may do.
	By   string `json:"by"`
	Role string `json:"role"`
	// Via is what it was done with: api, console, cli or local.
	Via string `json:"via"`
	// Action is the id of the operation of the API that does the same.
	Action string `json:"action"`
	// On is the order's id, or the event's.
	On NullString `json:"on"`
	// Detail is what it was changed to, or the action on many that this is a part of; empty: Action says it all.
	Detail NullString `json:"detail"`
	// Reason is why; empty: nobody was asked.
	Reason NullString `json:"reason"`
}
