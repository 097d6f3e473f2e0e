package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"recarga/internal/story"
	"recarga/topup"
)

// parsePages reads the pages, whose times are in a zone.
func parsePages(zone *time.Location) (map[string]*template.Template, error) {
	names := []string{"login", "overview", "orders", "order", "resolve", "correct", "uphold", "cancel", "events",
		"callers", "caller", "secret", "event", "hold", "queue", "audit", "controls", "control", "bulk", "bulks",
		"bulkaction", "redeliver", "enter", "error"}
	parsed := map[string]*template.Template{}
	for _, name := range names {
		t, err := template.New("").Funcs(template.FuncMap{
			"clock": clockIn(zone), "zone": func() string { return time.Now().In(zone).Format("MST") }, "ago": ago,
			"took": took, "stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
			"title": title, "kind": story.StateKind, "eventKind": eventKind,
			"page": func(parts ...any) string { return address(nil, parts...) }, "filtered": address, "query": query,
			"when":      func(t *time.Time) string { return clockIn(zone)(t) },
			"join":      func(texts []string) string { return strings.Join(texts, ", ") },
			"percent":   func(f float64) string { return fmt.Sprintf("%.1f %%", f) },
			"thousands": thousands, "money": money, "plural": plural[int], "count": plural[int64],
			"number": func(n int) string { return thousands(int64(n)) },
			"last":   func(tries []topup.Try) int { return len(tries) - 1 }, "phone": topup.Phone.Digits,
		}).ParseFS(pages, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("console page %s: %w", name, err)
		}
		parsed[name] = t
	}
	return parsed, nil
}

// clockIn writes times as a person in the zone reads them; of a pointer, what it leads to.
func clockIn(zone *time.Location) func(any) string {
	return func(at any) string {
		if p, ok := at.(*time.Time); ok {
			at = *p
		}
		t, _ := at.(time.Time)
		return t.In(zone).Format(time.DateTime)
	}
}

// ago is how long ago something was, in one unit or two.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	since := time.Since(t)
	if since < time.Second {
		return "a moment"
	}
	return took(since.Truncate(time.Second))
}

func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func thousands(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// money is an amount as it was written, its digits in groups.
func money(amount json.Number) string {
	whole, fraction, decimal := strings.Cut(amount.String(), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	if decimal {
		fraction = "." + fraction
	}
	return sign + grouped(whole) + fraction
}

func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// plural counts things: "1 try", "2 tries".
func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func eventKind(s topup.EventState) string {
	return cmp.Or(map[topup.EventState]string{topup.EventDelivered: "good", topup.EventKept: "good",
		topup.EventExhausted: "bad"}[s], "open")
}
