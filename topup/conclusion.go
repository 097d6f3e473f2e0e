package topup

// Conclusion is what the evidence says of the money of an order that is held as unknown. It helps the person who
// decides, and decides nothing: nothing that buys, settles or retries may read it.
type Conclusion struct {
	// Call is what is probably so.
	Call Call `json:"call"`
	// Reasons are the evidence, a line each: that of each attempt in doubt, the oldest first.
	Reasons []string `json:"reasons"`
}

// Call is what probably became of the money.
type Call string

// The calls.
const (
	CallCharged    Call = "charged"
	CallNotCharged Call = "not_charged"
	// CallCannotTell: the evidence is too thin for either.
	CallCannotTell Call = "cannot_tell"
)

// Calls are all that there are.
func Calls() []Call { return []Call{CallCharged, CallNotCharged, CallCannotTell} }

// Words are the call as people read it.
func (c Call) Words() string {
	switch c {
	case CallCharged:
		return "probably charged"
	case CallNotCharged:
		return "probably not charged"
	case CallCannotTell:
		return "cannot be told"
	}
	return ""
}

// Reach is how far the request of an attempt got.
type Reach string

// How far a request gets. The evidence of an attempt begins with one of these.
const (
	ReachNone    Reach = "not connected"
	ReachIdle    Reach = "connected" // nothing was written
	ReachPart    Reach = "request written in part"
	ReachWritten Reach = "request written"
	ReachAnswer  Reach = "answer began"
)
