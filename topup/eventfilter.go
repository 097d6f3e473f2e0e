package topup

import "time"

// EventFilter chooses events. Zero fields choose all.
type EventFilter struct {
	// State is how far they got.
	State EventState
	// Caller is whose events they are.
	Caller string
	// Type is what they report.
	Type EventType
	// Endpoint is one of the caller's, by name; DefaultEndpoint is its callback URL.
	Endpoint string
	// Since and Until bound the time at which the event was made; Until is not included. To the
	// millisecond: an event's id begins with its time, and ids are what is searched.
	Since, Until time.Time
	// Limit is the length of a page; 0 means 50, and 1000 is the most.
	Limit int
	// Cursor is what the page before returned as next; empty for the first.
	Cursor string
	// MostRead is how many events a page is looked for among, where no index leads to the filter's: a page may then have
	// few events, or none, and the next one goes on. 0: all, however long it takes.
	MostRead int
	// MostRedeliveries leaves out of a redelivery what was redelivered so often on this day; 0: nothing.
	MostRedeliveries int
}
