package reconcile

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"recarga/topup"
)

// kind is what a line says of money.
type kind int

const (
	charged  kind = iota // it moved
	declined             // it did not
	reversed             // it moved, and came back
	pending              // not decided
	unreadable
)

func (k kind) String() string {
	return [...]string{"charged", "declined", "reversed", "pending", "not readable"}[k]
}

// words are what statements call each kind, as plain has them.
func words() map[kind][]string {
	return map[kind][]string{
		charged: {
			"approved", "success", "successful", "succeeded", "completed", "complete", "charged", "paid", "settled", "ok", "00", "true",
			"aprobado", "aprobada", "exito", "exitoso", "exitosa", "completado", "completada", "cobrado", "cobrada", "pagado", "pagada", "liquidado", "liquidada",
			"aplicado", "aplicada", "procesado", "procesada", "acreditado", "acreditada",
		},
		declined: {
			"declined", "denied", "rejected", "failed", "failure", "error", "false", "rechazado", "rechazada", "denegado", "denegada", "declinado", "declinada",
			"fallido", "fallida", "no exitoso", "no exitosa", "no aprobado", "no aprobada",
		},
		reversed: {
			"reversed", "reversal", "refunded", "refund", "voided", "void", "canceled", "cancelled", "chargeback", "reverso", "reversa", "reversado", "reversada",
			"revertido", "revertida", "reembolso", "reembolsado", "reembolsada", "devuelto", "devuelta", "devolucion", "cancelado", "cancelada", "anulado", "anulada",
		},
		pending: {"pending", "processing", "in process", "in progress", "pendiente", "en proceso", "procesando"},
	}
}

// dictionary is what each status word says; extra are words that the operator has added.
func dictionary(extra map[kind][]string) map[string]kind {
	says := map[string]kind{}
	for _, list := range []map[kind][]string{words(), extra} {
		for k, some := range list {
			for _, word := range some {
				says[word] = k
			}
		}
	}
	return says
}

var (
	// A number is its groups of digits with the marks between them.
	numberPattern = regexp.MustCompile(`^\$?\s*([0-9][0-9.,]*)\s*(?:MXN|MN|M\.N\.)?$`)
	codePattern   = regexp.MustCompile(`^[0-9A-Za-z]{1,4}$`)
)

// Decimal is how a statement writes the decimals of an amount.
type Decimal string

// The decimal marks. DecimalAuto takes the one that can be meant, and refuses what could be either.
const (
	DecimalAuto  Decimal = ""
	DecimalPoint Decimal = "point"
	DecimalComma Decimal = "comma"
)

const amountAllowed = `an amount of MXN such as 10, 10.50 or 1,234.50, not negative, with at most 2 decimals that are not 0; ` +
	`one that could be read in two ways, such as 1,234, needs decimal=point or decimal=comma`

// parseAmount reads an amount as people and spreadsheets write it, or not at all.
func parseAmount(s string, mark Decimal) (topup.Amount, bool) {
	found := numberPattern.FindStringSubmatch(strings.ToUpper(s))
	if found == nil {
		return 0, false
	}
	text := found[1]
	point, ok := decimalMark(text, mark)
	if !ok {
		return 0, false
	}
	whole, cents := text, ""
	if point != 0 {
		i := strings.LastIndexByte(text, point)
		whole, cents = text[:i], strings.TrimRight(text[i+1:], "0")
	}
	whole, ok = ungrouped(whole)
	if !ok || len(cents) > 2 || strings.ContainsAny(cents, ".,") {
		return 0, false
	}
	amount, err := topup.ParseAmount(strings.TrimSuffix(whole+"."+cents, "."))
	return amount, err == nil
}

// decimalMark is the mark before the decimals of a number, 0 where it has none; not ok where that
// cannot be known.
func decimalMark(text string, mark Decimal) (point byte, ok bool) {
	switch mark {
	case DecimalPoint, DecimalComma:
		point, other := byte('.'), byte(',')
		if mark == DecimalComma {
			point, other = other, point
		}
		if strings.Count(text, string(point)) > 1 || strings.LastIndexByte(text, other) > strings.IndexByte(text, point) && strings.Contains(text, string(point)) {
			return 0, false
		}
		if strings.Contains(text, string(point)) {
			return point, true
		}
		return 0, true
	}
	i := strings.LastIndexAny(text, ".,")
	if i < 0 {
		return 0, true
	}
	last := text[i]
	single := strings.Count(text, string(last)) == 1
	mixed := strings.ContainsAny(text[:i], ".,")
	switch {
	case !single: // 1.234.567
		return 0, true
	case !mixed && len(text)-i-1 == 3: // 1,234
		return 0, false
	default:
		return last, true
	}
}

// ungrouped takes the marks out of 1,234,567, and refuses 12,34.
func ungrouped(s string) (string, bool) {
	groups := strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == ',' })
	if len(groups) == 0 || strings.Contains(s, ".") && strings.Contains(s, ",") || strings.Count(s, ".")+strings.Count(s, ",") != len(groups)-1 {
		return "", false
	}
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return "", false
		}
	}
	return strings.Join(groups, ""), true
}

// Dates is the order of day and month in a date like 05/11/2026.
type Dates string

// The orders of day and month.
const (
	DatesDayFirst   Dates = "dmy"
	DatesMonthFirst Dates = "mdy"
)

// moment is a line's time: an instant to the second or minute, or any in the whole day of a date.
type moment struct {
	at  time.Time
	day bool
}

func (m moment) isZero() bool { return m.at.IsZero() }

// last is the latest instant that the line can mean.
func (m moment) last() time.Time {
	if m.day {
		return m.at.AddDate(0, 0, 1)
	}
	return m.at
}

var meridiem = strings.NewReplacer("A. M.", "AM", "P. M.", "PM", "A.M.", "AM", "P.M.", "PM")

// parseMoment reads a time as statements write it; one without an offset is in the zone.
func parseMoment(s string, order Dates, zone *time.Location) (moment, bool) {
	s = strings.TrimSuffix(meridiem.Replace(strings.ToUpper(strings.Join(strings.Fields(s), " "))), " UTC")
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return moment{at: t}, true
	}
	for _, date := range dateLayouts(order) {
		if t, err := time.ParseInLocation(date, s, zone); err == nil {
			return moment{at: t, day: true}, true
		}
		if len(s) <= len(date) {
			continue
		}
		for _, clock := range clockLayouts() {
			if t, err := time.ParseInLocation(date+clock, s, zone); err == nil {
				return moment{at: t}, true
			}
		}
	}
	return moment{}, false
}

func dateLayouts(order Dates) []string {
	if order == DatesMonthFirst {
		return []string{"2006-01-02", "1/2/2006", "2006/01/02", "1-2-2006", "1.2.2006", "20060102"}
	}
	return []string{"2006-01-02", "2/1/2006", "2006/01/02", "2-1-2006", "2.1.2006", "20060102"}
}

// clockLayouts: a fraction after the seconds is read with any of them.
func clockLayouts() []string {
	var layouts []string
	for _, between := range []string{" ", "T"} {
		for _, clock := range []string{"15:04:05", "15:04:05Z07:00", "15:04:05-0700", "15:04:05 -0700", "15:04", "3:04:05 PM", "3:04 PM", "3:04:05PM", "3:04PM"} {
			layouts = append(layouts, between+clock)
		}
	}
	return append(layouts, "150405")
}

func momentAllowed(order Dates) string {
	example := "31/01/2026 18:00:00"
	if order == DatesMonthFirst {
		example = "01/31/2026 18:00:00"
	}
	return fmt.Sprintf("a time such as 2026-01-31 18:00:00, 2026-01-31T18:00:00-06:00 or %s", example)
}
