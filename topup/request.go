package topup

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recarga/internal/clip"
	"recarga/internal/strictjson"
)

// Request is what a caller asks for: a valid order that has not been accepted yet. Make one with
// ParseRequest or Fields.Request, or with those of a Catalog; its JSON is what the queue carries.
type Request struct {
	ID          ID                `json:"distributor_transaction_id"` // globally unique, for ever
	Caller      string            `json:"caller,omitempty"`           // empty: the one who sends it, or DefaultCaller
	Phone       Phone             `json:"phone_number"`               // the number that is topped up
	Product     string            `json:"product_id"`                 // of the catalogue
	Amount      Amount            `json:"amount"`                     // in MXN; one that the product can be bought for
	Operator    string            `json:"operator,omitempty"`         // sent to the distributor as it is; empty: none
	CallbackURL string            `json:"callback_url,omitempty"`     // overrides the caller's own; empty: that one
	ProcessAt   *time.Time        `json:"process_at,omitempty"`       // not bought before; nil: at once
	ExpiresAt   *time.Time        `json:"expires_at,omitempty"`       // not bought from then on; nil: no such time
	Priority    Priority          `json:"priority,omitempty"`         // empty: PriorityNormal
	Metadata    map[string]string `json:"metadata,omitempty"`         // the caller's own, of at most MaxMetadata bytes
}

// Fields are a request's fields as text, before anything is known to be valid: a row of a CSV file,
// a command line's flags. An empty text is an absent field.
type Fields struct {
	// Each is written as in the JSON of a Request, or as people write phone numbers and amounts.
	ID, Caller, Phone, Product, Amount, Operator, CallbackURL, ProcessAt, ExpiresAt, Priority string
	// Metadata is the caller's own.
	Metadata map[string]string
}

// MaxMetadata is the size limit of an order's metadata, in bytes of its shortest JSON: without blanks between its
// texts, and without an escape that JSON does not demand. So whoever sends no more bytes than that is accepted,
// however it was written on its way.
const MaxMetadata = 4 << 10

// MaxFaults is how many wrong fields an error names at most. There may be as many of them as a body has room for.
const MaxFaults = 20

// MostNamed ends an error that names MaxFaults.
const MostNamed = "20 wrong fields at most are named"

var operatorPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._&-]{0,31}$`)

// Request validates every field, the product and its price by the DefaultCatalog; see Catalog.Request.
func (f Fields) Request() (Request, error) { return DefaultCatalog().Request(f) }

// Request validates every field. The error, if any, joins one *FieldError for each wrong field
// (FieldErrors takes it apart). Whether ExpiresAt has passed is not judged here: see CheckTimes.
func (c Catalog) Request(f Fields) (Request, error) {
	var r Request
	var errs errorList
	r.ID = check(&errs, ParseID, f.ID)
	r.Phone = check(&errs, ParsePhone, f.Phone)
	r.Product = check(&errs, c.parseProduct, f.Product)
	r.Amount = check(&errs, parsePrice, f.Amount)
	r.Operator = check(&errs, optional(parseOperator), f.Operator)
	r.Caller = check(&errs, optional(parseCaller), f.Caller)
	r.CallbackURL = check(&errs, optional(parseCallback), f.CallbackURL)
	r.ProcessAt = check(&errs, optional(parseTime(FieldProcessAt)), f.ProcessAt)
	r.ExpiresAt = check(&errs, optional(parseTime(FieldExpiresAt)), f.ExpiresAt)
	r.Priority = check(&errs, optional(parsePriority), f.Priority)
	if r.ProcessAt != nil && r.ExpiresAt != nil && !r.ExpiresAt.After(*r.ProcessAt) {
		errs.add(&FieldError{Field: FieldExpiresAt, Value: f.ExpiresAt, Allowed: "later than process_at"})
	}
	r.Metadata = check(&errs, parseMetadata, f.Metadata)
	c.judge(&errs, r, f.Amount)
	return r, errs.join()
}

// CheckTimes refuses an order that expires before it could be bought. It applies to new orders only:
// the repeat of an accepted order is answered whatever the time is.
func (r Request) CheckTimes(now time.Time) error {
	if r.ExpiresAt != nil && !r.ExpiresAt.After(now) {
		return &FieldError{Field: FieldExpiresAt, Value: r.ExpiresAt.Format(time.RFC3339), Allowed: "in the future"}
	}
	return nil
}

// Fingerprint identifies the request's content: two requests with the same id are the same order if
// their fingerprints are equal. Neither callback_url nor priority is content.
func (r Request) Fingerprint() [sha256.Size]byte {
	r.CallbackURL, r.Priority = "", ""
	content, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("a valid request has no JSON: %v", err)) // only strings, numbers and times
	}
	return sha256.Sum256(content)
}

// Order is the accepted order of the request, queued at now.
func (r Request) Order(now time.Time) Order {
	metadata := r.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	return Order{
		ID: r.ID, Caller: r.Caller, State: StateQueued, Phone: r.Phone, Product: r.Product, Amount: r.Amount,
		Currency: Currency, Operator: NullString(r.Operator), Metadata: metadata, CreatedAt: now, UpdatedAt: now,
		ProcessAt: r.ProcessAt, ExpiresAt: r.ExpiresAt, NextAttemptAt: r.ProcessAt, CallbackURL: r.CallbackURL,
		Priority: cmp.Or(r.Priority, PriorityNormal),
	}
}

// Request is what was asked for, as the queue carries it.
func (o Order) Request() Request {
	priority := o.Priority
	if priority == PriorityNormal {
		priority = ""
	}
	return Request{
		Priority: priority, ID: o.ID, Caller: o.Caller, Phone: o.Phone, Product: o.Product, Amount: o.Amount,
		Operator: string(o.Operator), CallbackURL: o.CallbackURL, ProcessAt: o.ProcessAt, ExpiresAt: o.ExpiresAt,
		Metadata: o.Metadata,
	}
}

// ParseRequest reads a request from its JSON object, and judges its product and price by the DefaultCatalog;
// see Catalog.ParseRequest.
func ParseRequest(data []byte) (Request, error) { return DefaultCatalog().ParseRequest(data) }

// ParseRequest reads a request from its JSON object. Unknown, repeated and wrongly typed fields are
// refused like wrong values are: the error joins one *FieldError for each, up to MaxFaults; an input that is no JSON
// object in UTF-8 at all gives ErrNotObject.
func (c Catalog) ParseRequest(data []byte) (Request, error) {
	o, err := strictjson.Read(data)
	if err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrNotObject, err)
	}
	raw := o.Fields
	errs := repeatedFields(o)
	f := Fields{
		ID: errs.text(raw, FieldID), Caller: errs.text(raw, FieldCaller), Phone: errs.text(raw, FieldPhone),
		Product: errs.text(raw, FieldProduct), Amount: errs.amount(raw), Operator: errs.text(raw, FieldOperator),
		CallbackURL: errs.text(raw, FieldCallbackURL), ProcessAt: errs.text(raw, FieldProcessAt),
		ExpiresAt: errs.text(raw, FieldExpiresAt), Priority: errs.text(raw, FieldPriority),
		Metadata: errs.texts(raw, FieldMetadata),
	}
	c.lenient = c.lenient && len(errs)+len(raw) == 0 // what is left in raw is unknown
	r, err := c.Request(f)
	if errs.has(FieldID) {
		r.ID = "" // of two, neither is meant for sure
	}
	for _, e := range FieldErrors(err) {
		if !errs.has(e.Field) {
			errs.add(e)
		}
	}
	// Last: what is wrong with the fields that there are says more.
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		errs.add(UnknownField(name, string(raw[name]), slices.Values(requestFields)))
	}
	return r, errs.join()
}

// RequestID is the id that a request's JSON object names, whatever else is wrong with it.
func RequestID(data []byte) (ID, error) {
	o, err := strictjson.Read(data)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotObject, err)
	}
	errs := repeatedFields(o)
	id := errs.text(o.Fields, FieldID)
	if errs.has(FieldID) {
		return "", errs.join()
	}
	return ParseID(id)
}

// ErrNotObject is an input that is not one JSON object.
var ErrNotObject = errors.New("not a JSON object")

// requestFields are all fields of a request.
var requestFields = []string{
	FieldID, FieldPhone, FieldProduct, FieldAmount, FieldOperator, FieldPriority, FieldCallbackURL, FieldProcessAt,
	FieldExpiresAt, FieldMetadata, FieldCaller,
}

// UnknownField refuses a field that is none of those known.
func UnknownField(name, value string, known iter.Seq[string]) *FieldError {
	e := &FieldError{Field: clip.Marked(name, maxShown), Value: value, Allowed: "absent: there is no such field"}
	for field := range known {
		if strings.EqualFold(field, name) {
			e.Cause = "did you mean " + field + "?"
		}
	}
	return e
}

// repeatedFields refuses what is given twice: readers of JSON disagree on which one counts. Of what is repeated within
// a field it names the first. A field that is unknown as well is refused for that later.
func repeatedFields(o strictjson.Object) (errs errorList) {
	named := map[string]bool{}
	for _, path := range o.Repeated {
		field, _, _ := strings.Cut(path, ".")
		if slices.Contains(requestFields, field) && !named[field] {
			named[field] = true
			errs.add(RepeatedField(path))
		}
	}
	return errs
}

// RepeatedField refuses a field that is given more than once.
func RepeatedField(path string) *FieldError {
	return &FieldError{Field: path, Value: "several values", Allowed: "given once"}
}

// errorList has the FieldErrors found so far.
type errorList []error

func (l *errorList) add(e *FieldError) { *l = append(*l, e) }

func (l errorList) has(field string) bool {
	return slices.ContainsFunc(l, func(err error) bool {
		var f *FieldError
		return errors.As(err, &f) && f.Field == field
	})
}

// join is all of them, or as many as are named.
func (l errorList) join() error {
	if len(l) > MaxFaults {
		l = append(l[:MaxFaults:MaxFaults], fmt.Errorf("and %d more", len(l)-MaxFaults))
	}
	return errors.Join(l...)
}

// take removes a field from raw; null counts as absent.
func take(raw map[string]json.RawMessage, field string) json.RawMessage {
	value := raw[field]
	delete(raw, field)
	if string(value) == "null" {
		return nil
	}
	return value
}

func (l *errorList) text(raw map[string]json.RawMessage, field string) string {
	value := take(raw, field)
	var s string
	if value != nil && json.Unmarshal(value, &s) != nil {
		l.add(&FieldError{Field: field, Value: string(value), Allowed: "a JSON string"})
	}
	return s
}

// amount is the amount as ParseAmount reads it: a JSON number has one meaning, also one such as 1e1 or 10.000.
func (l *errorList) amount(raw map[string]json.RawMessage) string {
	value := take(raw, FieldAmount)
	if value == nil {
		return ""
	}
	a, err := amountOfJSON(string(value))
	switch {
	case err != nil:
		l.add(FieldErrors(err)[0])
		return ""
	case a <= 0:
		l.add(&FieldError{Field: FieldAmount, Value: string(value), Allowed: priceAllowed})
		return ""
	}
	return a.String()
}

func (l *errorList) texts(raw map[string]json.RawMessage, field string) map[string]string {
	value := take(raw, field)
	var m map[string]*string
	bad := value != nil && json.Unmarshal(value, &m) != nil
	out := make(map[string]string, len(m))
	for k, v := range m {
		if v == nil {
			bad = true
			continue
		}
		out[k] = *v
	}
	if bad {
		l.add(&FieldError{Field: field, Value: string(value), Allowed: "a JSON object whose values are strings"})
	}
	return out
}

// check parses a value and adds what is wrong with it to errs.
func check[In, Out any](errs *errorList, parse func(In) (Out, error), value In) Out {
	out, err := parse(value)
	for _, e := range FieldErrors(err) {
		errs.add(e)
	}
	return out
}

// optional makes a parser accept an absent value.
func optional[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(s string) (T, error) {
		if s == "" {
			var zero T
			return zero, nil
		}
		return parse(s)
	}
}

func parseOperator(s string) (string, error) {
	return matching(FieldOperator, s, operatorPattern,
		"a carrier's name of 1 to 32 letters, digits, spaces or . _ & -")
}

func parseCaller(s string) (string, error) { return matching(FieldCaller, s, namePattern, nameAllowed) }

func parseCallback(s string) (string, error) {
	const most = 2048
	u, err := url.Parse(s)
	if err != nil || len(s) > most || !utf8.ValidString(s) || u.Host == "" || u.User != nil || u.Fragment != "" ||
		u.Scheme != "https" && u.Scheme != "http" {
		allowed := "an absolute https URL without user or fragment, of at most 2048 characters"
		return "", &FieldError{Field: FieldCallbackURL, Value: s, Allowed: allowed}
	}
	return s, nil
}

func parseTime(field string) func(string) (*time.Time, error) {
	return func(s string) (*time.Time, error) {
		t, err := time.Parse(time.RFC3339, s)
		// Before the year is judged: 9999-12-31T23:59-01:00 is in 10000, which has no JSON.
		t = t.UTC().Truncate(time.Microsecond)
		if err != nil || t.Year() < 2000 || t.Year() > 9999 {
			return nil, &FieldError{Field: field, Value: s, Allowed: "a time of RFC 3339, as in 2026-01-31T18:00:00Z"}
		}
		return &t, nil
	}
}

func parseMetadata(m map[string]string) (map[string]string, error) {
	if len(m) == 0 {
		return nil, nil
	}
	for k, v := range m {
		if !utf8.ValidString(k) || !utf8.ValidString(v) || strings.ContainsRune(k+v, 0) {
			return nil, &FieldError{Field: FieldMetadata, Value: k, Allowed: "UTF-8 text without NUL"}
		}
	}
	size := metadataSize(m)
	if size > MaxMetadata {
		allowed := fmt.Sprintf("at most %d bytes of JSON", MaxMetadata)
		return nil, &FieldError{Field: FieldMetadata, Value: fmt.Sprintf("%d bytes", size), Allowed: allowed}
	}
	return m, nil
}

// metadataSize is the length of the shortest JSON of m.
func metadataSize(m map[string]string) int {
	size := len("{}") + len(m) - 1 // a comma between two
	for k, v := range m {
		size += jsonLength(k) + len(":") + jsonLength(v)
	}
	return size
}

// jsonLength is the length of the shortest JSON of a text.
func jsonLength(s string) int {
	size := len(`""`) + len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\b', c == '\f', c == '\n', c == '\r', c == '\t':
			size += len(`\n`) - 1
		case c < ' ':
			size += len(`\u0000`) - 1
		}
	}
	return size
}
