package reconcile

import (
	"cmp"
	_ "embed" // the classes
	"encoding/json"
	"time"

	"recarga/internal/yamlfile"
	"recarga/topup"
)

// Class is a kind of finding.
type Class string

// The classes; classes.yaml says what they mean.
const (
	MissingHere        Class = "missing_here"
	ChargedTwice       Class = "charged_twice"
	MissingThere       Class = "missing_there"
	NotCharged         Class = "not_charged"
	AmountDiffers      Class = "amount_differs"
	PhoneDiffers       Class = "phone_differs"
	TransactionDiffers Class = "transaction_differs"
	UnknownHeld        Class = "unknown_held"
	UnknownFound       Class = "unknown_found"
	UnknownAbsent      Class = "unknown_absent"
	Restored           Class = "restored"
	RepeatedLine       Class = "repeated_line"
	BadLine            Class = "bad_line"
)

// Fact is a class and what it means.
type Fact struct {
	Class Class
	Title string
	// Means says what it means for money.
	Means string
}

//go:embed classes.yaml
var classesFile []byte

// classes are all classes, the worst first.
var classes = yamlfile.Read[[]Fact](classesFile)

// Finding is one difference, or one order that was held as unknown.
type Finding struct {
	Class Class `json:"class"` // what kind of difference it is; see Facts
	// ID is the order's, or what the line has in its place.
	ID topup.NullString `json:"distributor_transaction_id"`
	// State is the order's before the reconciliation; empty for an order that is not known.
	State topup.NullString `json:"state"`
	// Lines of the statement, from 1; at most maxNamed.
	Lines []int64 `json:"lines"`
	// Amount and TransactionID are ours.
	Amount        *topup.Amount    `json:"amount"`
	TransactionID topup.NullString `json:"transaction_id"`
	// What the statement says: the amount, the distributor's ids, the time of its first line.
	StatementAmount         *topup.Amount `json:"statement_amount"`
	StatementTransactionIDs []string      `json:"statement_transaction_ids"`
	StatementTime           *time.Time    `json:"statement_time"`
	// Outcome is how an unknown order is settled, or restored for one that a restored book did not know; Settled says
	// that it was. Empty for one that is held.
	Outcome topup.NullString `json:"outcome"`
	Settled bool             `json:"settled"`
	// Disputed says that the order, which is final, was marked as disputed.
	Disputed bool `json:"disputed"`
	// Candidates of an unknown order are charges of its phone, amount and time that no order claims: for a person to
	// compare. At most maxCandidates.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Detail says the rest, for people.
	Detail string `json:"detail"`
}

// Candidate is a charge that may be an order's.
type Candidate struct {
	Line int64 `json:"line"` // of the statement, from 1
	// ID is what the line has in the place of our id.
	ID            string    `json:"distributor_transaction_id"`
	TransactionID string    `json:"transaction_id"`
	Reference     string    `json:"reference"`
	AuthCode      string    `json:"auth_code"`
	Time          time.Time `json:"time"`
}

// name is the first of its ids that it has.
func (c Candidate) name() string { return cmp.Or(c.TransactionID, c.Reference, c.AuthCode, c.ID) }

// Differs distinguishes a finding that somebody must look at from an order that was settled.
func (f Finding) Differs() bool {
	return !f.Settled || f.Class != UnknownFound && f.Class != UnknownAbsent && f.Class != Restored
}

// Total is a number of purchases, and what they cost together in MXN.
type Total struct {
	// Count is how many, and Amount their sum in MXN.
	Count  int64        `json:"count"`
	Amount topup.Amount `json:"amount"`
}

// Period is a time, both ends included.
type Period struct {
	// From and Until are in UTC.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

func (p Period) holds(from, until time.Time, margin time.Duration) bool {
	return !from.Add(-margin).Before(p.From) && !until.Add(margin).After(p.Until)
}

func (p Period) touches(from, until time.Time, margin time.Duration) bool {
	return !until.Add(margin).Before(p.From) && !from.Add(-margin).After(p.Until)
}

// Summary is the end of every reconciliation.
type Summary struct {
	// Statement is its file name, and SHA256 that of its bytes, by which the orders' records name it.
	Statement string `json:"statement"`
	SHA256    string `json:"sha256"`
	// Lines are all that hold something, with the bad ones, without the header.
	Lines int64 `json:"lines"`
	// Columns are those that were found, by what they hold.
	Columns map[string]string `json:"columns"`
	// Covers is the time in which absence from the statement means something; nil where it is not known.
	Covers *Period `json:"covers"`
	// Matched counts the orders that both sides say the same of.
	Matched int64 `json:"matched"`
	// Charged are the charges of the statement; Sold are the orders we call succeeded that it names or covers.
	Charged Total `json:"charged"`
	Sold    Total `json:"sold"`
	// Findings counts them by class; a class that is absent has none.
	Findings map[Class]int64 `json:"findings"`
	// Settled counts the orders that were settled or restored, by outcome; in a dry run, those that would be.
	Settled map[topup.ResolvedAs]int64 `json:"settled"`
	DryRun  bool                       `json:"dry_run"`
	// Disputed counts the final orders that were marked as disputed.
	Disputed int64 `json:"disputed"`
	// Outside counts orders that no line names and that the statement does not cover.
	Outside int64 `json:"outside"`
	// Notes say what was not compared, and why.
	Notes []string `json:"notes"`
	// NotUnderstood says what of the statement is not understood. As long as there is anything, nothing is settled.
	NotUnderstood []string `json:"not_understood"`
	// Agrees says that nothing is left to be looked at.
	Agrees bool `json:"agrees"`
}

// Progress says how far a reconciliation is.
type Progress struct {
	// Step is what is being done, and Done how many lines or orders of it, of so many.
	Step string `json:"step"`
	Done int64  `json:"done"`
	Of   int64  `json:"of"`
}

// Result is one line of the answer: one of its fields is set. The last line has the summary.
type Result struct {
	// Finding comes as soon as it is known, Progress now and then, and Summary once, last.
	Finding  *Finding  `json:"finding,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	Summary  *Summary  `json:"summary,omitempty"`
}

// ParseResult reads one line of an answer.
func ParseResult(line []byte) (r Result, err error) { return r, json.Unmarshal(line, &r) }
