package topup

import "time"

// BulkKind is what a bulk action does to each of its members.
type BulkKind string

// The kinds: the first two are for orders, the last is for events.
const (
	BulkResolve   BulkKind = "resolve"
	BulkCancel    BulkKind = "cancel"
	BulkRedeliver BulkKind = "redeliver"
)

// BulkKinds are all of them.
func BulkKinds() []BulkKind { return []BulkKind{BulkResolve, BulkCancel, BulkRedeliver} }

// BulkState is how far a bulk action is.
type BulkState string

// The states of a bulk action.
const (
	BulkRunning BulkState = "running"
	// BulkStopping: somebody has stopped it, and what is under way ends.
	BulkStopping BulkState = "stopping"
	BulkStopped  BulkState = "stopped"
	BulkDone     BulkState = "done"
)

// BulkAction is one action on many orders or events: exactly on those that were chosen when it was confirmed.
type BulkAction struct {
	// ID names it, and State says how far it is.
	ID    string    `json:"id"`
	State BulkState `json:"state"`
	// Action is what is done to each, and Filter what chose them, as the query of a list.
	Action BulkKind `json:"action"`
	Filter string   `json:"filter"`
	// Outcome and Forced are those of a resolution.
	Outcome NullString `json:"outcome"`
	Forced  bool       `json:"forced"`
	// Reason and By say why, and who asked for it.
	Reason string `json:"reason"`
	By     string `json:"by"`
	// Count is how many were chosen. Of them, Done were acted on, and Refused were not.
	Count   int `json:"count"`
	Done    int `json:"done"`
	Refused int `json:"refused"`
	// CreatedAt is when it was confirmed. EndedAt is when it was done or had stopped; null before.
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"`
	// StoppedBy stopped it before its end; null: nobody did.
	StoppedBy NullString `json:"stopped_by"`
	// Refusals are the first of those that were not acted on; of one action, and not in lists.
	Refusals []BulkRefusal `json:"refusals,omitempty"`
}

// BulkRefusal is a member that was not acted on.
type BulkRefusal struct {
	// ID is the order's or the event's, and Why is the reason.
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Left is how many have still to be acted on.
func (a BulkAction) Left() int { return a.Count - a.Done - a.Refused }
