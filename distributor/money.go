package distributor

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"

	"recarga/topup"
)

// written are the texts that say one amount: 990, 990.00, 1,234.50, $ 990.00, 990.00 USD. The balance is in
// US dollars, so a text in another currency is none.
var written = regexp.MustCompile(`^(?:USD|US\$|\$)?\s*` +
	`(-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|[1-9]\d{0,2}(?:,\d{3})+\.\d+))\s*(?:USD)?$`)

// thousand is a text that is a thousand to some and one to others. The comma's are not in written.
var thousand = regexp.MustCompile(`^-?[1-9]\d{0,2}\.\d{3}$`)

// moneyOf is a number, or a text that plainly says one: digit for digit, or not at all.
func moneyOf(value json.RawMessage) (json.Number, bool) {
	s, ok := textOf(value)
	if !ok {
		return "", false
	}
	if value[0] == '"' {
		found := written.FindStringSubmatch(strings.TrimSpace(s))
		if found == nil || thousand.MatchString(found[1]) {
			return "", false
		}
		s = strings.ReplaceAll(found[1], ",", "")
	}
	n := json.Number(s)
	if _, err := topup.ParseBalance(n); err != nil { // of no sane size
		return "", false
	}
	if d, err := decimal.NewFromString(s); err == nil && strings.ContainsAny(s, "eE") {
		n = json.Number(d.String())
	}
	return n, true
}

// shown is a value, short.
func shown(value json.RawMessage) string {
	const most = 40
	if s, ok := textOf(value); ok && len(s) <= most {
		return string(value)
	}
	return kindOf(value)
}
