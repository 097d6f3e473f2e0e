package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"recarga/internal/csvsafe"
	"recarga/topup"
)

// exportColumn is a field of an order as a cell.
type exportColumn struct {
	name string
	of   func(*topup.Order) string
}

// exportColumns are the fields of an order's JSON, in its order. What is null or absent there is empty here.
func exportColumns() []exportColumn {
	return []exportColumn{
		{"distributor_transaction_id", func(o *topup.Order) string { return csvsafe.Harmless(string(o.ID)) }},
		{"caller", func(o *topup.Order) string { return csvsafe.Harmless(o.Caller) }},
		{"state", func(o *topup.Order) string { return string(o.State) }},
		{"reason", func(o *topup.Order) string { return string(o.Reason) }},
		{"phone_number", func(o *topup.Order) string { return csvsafe.Harmless(o.Phone.Digits()) }},
		{"product_id", func(o *topup.Order) string { return csvsafe.Harmless(o.Product) }},
		{"amount", func(o *topup.Order) string { return o.Amount.String() }},
		{"currency", func(o *topup.Order) string { return o.Currency }},
		{"operator", func(o *topup.Order) string { return csvsafe.Harmless(string(o.Operator)) }},
		{"priority", func(o *topup.Order) string { return string(o.Priority) }},
		{"metadata", func(o *topup.Order) string { return metadataText(o.Metadata) }},
		{"attempt_count", func(o *topup.Order) string { return strconv.Itoa(o.AttemptCount) }},
		{"response_code", func(o *topup.Order) string { return csvsafe.Harmless(string(o.ResponseCode)) }},
		{"response_message", func(o *topup.Order) string { return csvsafe.Harmless(string(o.ResponseMessage)) }},
		{"transaction_id", func(o *topup.Order) string { return csvsafe.Harmless(string(o.TransactionID)) }},
		{"reference", func(o *topup.Order) string { return csvsafe.Harmless(string(o.Reference)) }},
		{"auth_code", func(o *topup.Order) string { return csvsafe.Harmless(string(o.AuthCode)) }},
		{"balance_after", func(o *topup.Order) string { return numberText(o.BalanceAfter) }},
		{"created_at", func(o *topup.Order) string { return timeText(&o.CreatedAt) }},
		{"updated_at", func(o *topup.Order) string { return timeText(&o.UpdatedAt) }},
		{"process_at", func(o *topup.Order) string { return timeText(o.ProcessAt) }},
		{"expires_at", func(o *topup.Order) string { return timeText(o.ExpiresAt) }},
		{"next_attempt_at", func(o *topup.Order) string { return timeText(o.NextAttemptAt) }},
		{"finished_at", func(o *topup.Order) string { return timeText(o.FinishedAt) }},
		{"waits_for", func(o *topup.Order) string { return string(o.WaitsFor) }},
		{"disputed_at", func(o *topup.Order) string { return timeText(o.DisputedAt) }},
		{"conclusion", func(o *topup.Order) string { return string(cmp.Or(o.Conclusion, &topup.Conclusion{}).Call) }},
	}
}

// metadataText begins with a brace, which no spreadsheet runs.
func metadataText(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Sprint(m) // a map of strings has JSON
	}
	return string(text)
}

func numberText(n *json.Number) string {
	if n == nil {
		return ""
	}
	return n.String()
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
