package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// What becomes of a distributor_transaction_id that has been charged before. An id that was declined is free.
const (
	RepeatCharge = "charge" // charged again: the document promises nothing else
	RepeatReplay = "replay" // answered with the first result
	RepeatRefuse = "refuse" // refused with code 12
)

// Config is everything that can be set, at the start or later by POST /sandbox/config, which takes any part of it.
// [DefaultConfig] is the vendor on a good day; the zero value is not valid.
type Config struct {
	// CustomerID and SecretKey are what POST /login accepts. Both default to "demo". The secret is never shown.
	CustomerID string `json:"customer_id"`
	SecretKey  string `json:"secret_key,omitempty"`
	// ExpiresIn is the life of a token in seconds, from 1. Defaults to 3600, as in the document.
	ExpiresIn int `json:"expires_in"`
	// OneSession makes a login end all older tokens.
	OneSession bool `json:"one_session"`

	// InitialBalance is the balance at the start and after a reset, in units of the balance. Posting it sets the balance
	// there and then. Defaults to 100,000.00.
	InitialBalance Money `json:"initial_balance"`
	// ExchangeRate is what one unit of the balance is worth in pesos. Defaults to 1, as in the document's example.
	ExchangeRate Money `json:"exchange_rate"`
	// ExchangeStep is by how much each charge moves the rate: ten steps up, back, ten down, and back. 0 holds it still.
	ExchangeStep Money `json:"exchange_step"`
	// BalanceMaxAgeMS makes get_balance repeat its last answer for so many milliseconds. 0 is always fresh.
	BalanceMaxAgeMS int `json:"balance_max_age_ms"`

	// LatencyMinMS and LatencyMaxMS bound the milliseconds that every call of the distributor's API takes at least.
	LatencyMinMS int `json:"latency_min_ms"`
	LatencyMaxMS int `json:"latency_max_ms"`
	// SlowAnswerMS is how long 5500000504 is kept waiting. Defaults to 60000.
	SlowAnswerMS int `json:"slow_answer_ms"`
	// ApproveDelayMS is how long 5500000000 takes. Defaults to 5000.
	ApproveDelayMS int `json:"approve_delay_ms"`

	// Shares of the purchases of ordinary numbers, 0 to 1, together at most 1, that end so. The draw depends on Seed, the
	// id and how often that id has come, so that a run can be repeated whatever its concurrency.
	Rate91         float64 `json:"rate_91"`
	Rate96         float64 `json:"rate_96"`
	Rate500        float64 `json:"rate_500"`         // HTTP 500 without a code, not charged
	Rate500Charged float64 `json:"rate_500_charged"` // HTTP 500 without a code, after charging
	RateCut        float64 `json:"rate_cut"`         // connection cut, not charged
	RateCutCharged float64 `json:"rate_cut_charged"` // connection cut, after charging
	Seed           uint64  `json:"seed"`

	// RepeatedID is [RepeatCharge] (the default), [RepeatReplay] or [RepeatRefuse].
	RepeatedID string `json:"repeated_id"`

	// ChargeUnavailable charges the first purchase of an id that is answered with 91 or 96, against the document.
	ChargeUnavailable bool `json:"charge_unavailable"`

	// LimitRequests is how many calls of the distributor's API are served in each LimitWindowMS; the others get 429.
	// 0 is no limit. The window defaults to 60000.
	LimitRequests int `json:"limit_requests"`
	LimitWindowMS int `json:"limit_window_ms"`

	// OddAnswers bends the answers to login, get_balance and product_purchase, after they were decided and charged:
	// the world's vendors keep to no document.
	OddAnswers map[string]OddAnswer `json:"odd_answers"`

	// The statement's lies: ids it leaves out, rows it adds, and rows it alters (found by distributor_transaction_id;
	// only the columns that are given change).
	StatementLeaveOut []string       `json:"statement_leave_out"`
	StatementAdd      []StatementRow `json:"statement_add"`
	StatementAlter    []StatementRow `json:"statement_alter"`
}

// OddAnswer is how the answers to one call differ from the document.
type OddAnswer struct {
	// Status replaces the HTTP status. 0 leaves it.
	Status int `json:"status,omitempty"`
	// Set puts these fields in, or in place of those that are there; Omit leaves some out.
	Set  map[string]json.RawMessage `json:"set,omitempty"`
	Omit []string                   `json:"omit,omitempty"`
}

func (o OddAnswer) ok() bool {
	return o.Status == 0 || o.Status == http.StatusSwitchingProtocols || o.Status >= 200 && o.Status <= 599
}

// The calls that OddAnswers knows.
const (
	callLogin    = "login"
	callBalance  = "get_balance"
	callPurchase = "product_purchase"
)

// DefaultConfig is the vendor as its document describes it.
func DefaultConfig() Config {
	return Config{
		CustomerID:        "demo",
		SecretKey:         "demo",
		ExpiresIn:         3600,
		InitialBalance:    Money{decimal.NewFromInt(100_000)},
		ExchangeRate:      Money{decimal.NewFromInt(1)},
		SlowAnswerMS:      60_000,
		ApproveDelayMS:    5_000,
		RepeatedID:        RepeatCharge,
		LimitWindowMS:     60_000,
		OddAnswers:        map[string]OddAnswer{},
		StatementLeaveOut: []string{},
		StatementAdd:      []StatementRow{},
		StatementAlter:    []StatementRow{},
	}
}

// Mistake is one setting that can't be as it was given.
type Mistake struct {
	// Field is its name in JSON, Value what was given as JSON (of a secret ***), Allowed what may be.
	Field   string `json:"field"`
	Value   string `json:"value"`
	Allowed string `json:"allowed"`
}

// Mistakes are all that is wrong with a [Config].
type Mistakes []Mistake

// Error names every field, its value and what is allowed.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = fmt.Sprintf("%s: %s is not allowed (allowed: %s)", one.Field, one.Value, one.Allowed)
	}
	return strings.Join(lines, "; ")
}

// Validate returns nil or [Mistakes].
func (c Config) Validate() error {
	var mistakes Mistakes
	values := c.fields()
	for _, one := range settings() {
		if !one.ok(c) {
			mistakes = append(mistakes, one.mistake(values[one.field]))
		}
	}
	if mistakes == nil {
		return nil
	}
	return mistakes
}

// setting is the rule of one field, and its line in the help.
type setting struct {
	field, allowed string
	ok             func(Config) bool
}

func (s setting) mistake(value json.RawMessage) Mistake {
	if s.field == "secret_key" {
		value = json.RawMessage("***")
	}
	return Mistake{Field: s.field, Value: string(value), Allowed: s.allowed}
}

func settings() []setting {
	const day = 24 * 60 * 60
	list := "a list of rows, each an object of strings named as the statement's columns"
	return []setting{
		{"customer_id", "a string, not empty", func(c Config) bool { return c.CustomerID != "" }},
		{"secret_key", "a string, not empty", func(c Config) bool { return c.SecretKey != "" }},
		{"expires_in", "1 to 86400 (seconds)", func(c Config) bool { return c.ExpiresIn >= 1 && c.ExpiresIn <= day }},
		{"one_session", "true or false", anything},
		{"initial_balance", "0 or more, at most 2 decimals", func(c Config) bool {
			return !c.InitialBalance.IsNegative() && c.InitialBalance.Equal(c.InitialBalance.Truncate(2))
		}},
		{"exchange_rate", "more than 0, and more than ten times exchange_step", func(c Config) bool {
			return c.ExchangeRate.IsPositive() && c.lowestRate().IsPositive()
		}},
		{"exchange_step", "0 or more", func(c Config) bool { return !c.ExchangeStep.IsNegative() }},
		millis("balance_max_age_ms", func(c Config) int { return c.BalanceMaxAgeMS }),
		millis("latency_min_ms", func(c Config) int { return c.LatencyMinMS }),
		{"latency_max_ms", "latency_min_ms to 3600000 (milliseconds)", func(c Config) bool {
			return c.LatencyMaxMS >= c.LatencyMinMS && c.LatencyMaxMS <= maxMillis
		}},
		millis("slow_answer_ms", func(c Config) int { return c.SlowAnswerMS }),
		millis("approve_delay_ms", func(c Config) int { return c.ApproveDelayMS }),
		share("rate_91", func(c Config) float64 { return c.Rate91 }),
		share("rate_96", func(c Config) float64 { return c.Rate96 }),
		share("rate_500", func(c Config) float64 { return c.Rate500 }),
		share("rate_500_charged", func(c Config) float64 { return c.Rate500Charged }),
		share("rate_cut", func(c Config) float64 { return c.RateCut }),
		share("rate_cut_charged", func(c Config) float64 { return c.RateCutCharged }),
		{"seed", "a whole number from 0", anything},
		{"repeated_id", "charge, replay or refuse", func(c Config) bool {
			return slices.Contains([]string{RepeatCharge, RepeatReplay, RepeatRefuse}, c.RepeatedID)
		}},
		{"charge_unavailable", "true or false", anything},
		{"limit_requests", "a whole number from 0 (no limit)", func(c Config) bool { return c.LimitRequests >= 0 }},
		{"limit_window_ms", "1 to 3600000 (milliseconds)", func(c Config) bool {
			return c.LimitWindowMS >= 1 && c.LimitWindowMS <= maxMillis
		}},
		{"odd_answers", "an object of login, get_balance, product_purchase, each one of status (101, 200 to 599), set " +
			"(fields), omit (names)", func(c Config) bool {
			return !slices.ContainsFunc(slices.Collect(maps.Keys(c.OddAnswers)), func(call string) bool {
				return !slices.Contains([]string{callLogin, callBalance, callPurchase}, call) || !c.OddAnswers[call].ok()
			})
		}},
		{"statement_leave_out", "a list of distributor_transaction_ids", anything},
		{"statement_add", list, anything},
		{"statement_alter", list + ", with its distributor_transaction_id", func(c Config) bool {
			return !slices.ContainsFunc(c.StatementAlter, func(r StatementRow) bool { return r.DistributorTransactionID == "" })
		}},
	}
}

// maxMillis is an hour: a longer wait is a mistyped one.
const maxMillis = 3_600_000

func anything(Config) bool { return true }

func millis(field string, get func(Config) int) setting {
	return setting{field, "0 to 3600000 (milliseconds)",
		func(c Config) bool { return get(c) >= 0 && get(c) <= maxMillis }}
}

func share(field string, get func(Config) float64) setting {
	return setting{field, "0 to 1, all rates together at most 1", func(c Config) bool {
		sum := c.Rate91 + c.Rate96 + c.Rate500 + c.Rate500Charged + c.RateCut + c.RateCutCharged
		return get(c) == 0 || get(c) > 0 && sum <= 1+1e-9
	}}
}

// lowestRate is the bottom of the exchange rate's swing.
func (c Config) lowestRate() decimal.Decimal {
	return c.ExchangeRate.Sub(c.ExchangeStep.Mul(decimal.NewFromInt(swing)))
}

// fields is the configuration as JSON, by field.
func (c Config) fields() map[string]json.RawMessage {
	raw, err := json.Marshal(c)
	if err != nil { // only a NaN can do that, and it is then reported without its value
		return nil
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields)
	return fields
}

// mostMistakes is how many an answer names.
const mostMistakes = 20

// with is c changed by a JSON object of some of its fields. It returns [Mistakes] for the fields that can't be, and
// shares no memory with c, which other requests are reading.
func (c Config) with(change map[string]json.RawMessage) (Config, error) {
	rules := map[string]setting{}
	for _, one := range settings() {
		rules[one.field] = one
	}
	var mistakes Mistakes
	for _, field := range slices.Sorted(maps.Keys(change)) {
		if len(mistakes) == mostMistakes {
			break
		}
		rule, known := rules[field]
		switch {
		case !known:
			allowed := strings.Join(slices.Sorted(maps.Keys(rules)), ", ")
			mistakes = append(mistakes, Mistake{Field: field, Value: string(change[field]),
				Allowed: "one of these fields: " + allowed})
		case decodeField(field, change[field], &Config{}) != nil:
			mistakes = append(mistakes, rule.mistake(change[field]))
		}
	}
	if mistakes != nil {
		return Config{}, mistakes
	}
	fields := c.fields()
	maps.Copy(fields, change)
	var next Config
	for field, raw := range fields {
		if err := decodeField(field, raw, &next); err != nil {
			return Config{}, fmt.Errorf("%s: %w", field, err)
		}
	}
	return next, next.Validate()
}

// decodeField sets one field of c. A null is refused: encoding/json would take it for "leave it".
func decodeField(field string, raw json.RawMessage, c *Config) error {
	if string(raw) == "null" {
		return fmt.Errorf("null is not a value")
	}
	object, err := json.Marshal(map[string]json.RawMessage{field: raw})
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.DisallowUnknownFields()
	return dec.Decode(c)
}
