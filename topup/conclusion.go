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
	// CallUnclear: the evidence is too thin for either.
	CallUnclear Call = "unclear"
)

// Calls are all that there are.
func Calls() []Call { return []Call{CallCharged, CallNotCharged, CallUnclear} }

// Words are the call as people read it.
func (c Call) Words() string {
	return map[Call]string{
		CallCharged: "probably charged", CallNotCharged: "probably not charged", CallUnclear: "unclear",
	}[c]
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
