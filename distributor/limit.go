package distributor

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// limitsOne reports whether a 429 is about one number or customer, and not the general rate limit: its body has, at
// any depth, a field such as daily_limit_mxn, or a text such as "daily limit of this number".
//
// The vendor's document has neither. Where this errs, no money moves: the other orders wait without need,
// or get a 429 each.
func limitsOne(body []byte) bool {
	var v any
	d := json.NewDecoder(bytes.NewReader(withoutBOM(body)))
	d.UseNumber() // one beyond a float's range is no error then
	return d.Decode(&v) == nil && limits(v)
}

func limits(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if limits(value) || namesLimit(name) && value != nil && value != false && value != "" {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, limits)
	case string:
		return namesLimit(v)
	}
	return false
}

// namesLimit reports whether a name or sentence joins a limit with a number, a customer, an amount or a span of days,
// and does not mention requests.
func namesLimit(text string) bool {
	limit, one := false, false
	for _, word := range words(text) {
		switch word {
		case "limit", "limits", "limite", "límite", "quota", "cupo", "tope":
			limit = true
		case "daily", "day", "today", "weekly", "monthly", "diario", "diaria", "dia", "día", "hoy", "semanal",
			"mensual", "mxn", "amount", "monto", "phone", "msisdn", "number", "numero", "número", "customer",
			"cliente", "subscriber":
			one = true
		case "rate", "request", "requests", "call", "calls", "api", "solicitudes", "peticiones":
			return false
		}
	}
	return limit && one
}

// words are a text's, lower case: dailyLimit_MXN has three.
func words(text string) []string {
	var b strings.Builder
	lower := false
	for _, r := range text {
		switch {
		case !unicode.IsLetter(r):
			r = ' '
		case lower && unicode.IsUpper(r):
			b.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}
