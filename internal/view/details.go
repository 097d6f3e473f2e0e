package view

import (
	"fmt"
	"slices"
	"time"

	"recarga/internal/terminal"
	"recarga/topup"
)

// Details shows an order's life: what it is, each attempt, each event with its tries.
func Details(s terminal.Screen, d topup.Details) error {
	if err := Orders(s, d.Order); err != nil {
		return err
	}
	priority := ""
	if d.Priority != topup.PriorityNormal {
		priority = string(d.Priority)
	}
	for _, fact := range [][2]string{
		{"priority", priority}, {"waits for", string(d.WaitsFor)}, {"message", string(d.ResponseMessage)},
		{"transaction", string(d.TransactionID)},
		{"reference", string(d.Reference)}, {"auth code", string(d.AuthCode)},
	} {
		if fact[1] != "" {
			if _, err := fmt.Fprintf(s, "%s: %s\n", fact[0], terminal.Printable(fact[1])); err != nil {
				return err
			}
		}
	}
	return life(s, d)
}

func life(s terminal.Screen, d topup.Details) error {
	moments := momentsOf(d)
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	var rows [][]string
	for _, m := range moments {
		rows = append(rows, []string{Local(m.at), m.what, m.result})
		if m.evidence != "" {
			rows = append(rows, []string{"", "  evidence", m.evidence})
		}
	}
	for _, ev := range d.Events {
		if len(ev.Tries) == 0 {
			rows = append(rows, []string{"", nameOf(ev), "not tried yet"})
		}
	}
	if d.NextAttemptAt != nil {
		rows = append(rows, []string{Local(*d.NextAttemptAt), "next attempt", ""})
	}
	if d.ExpiresAt != nil && !d.State.Final() {
		rows = append(rows, []string{Local(*d.ExpiresAt), "expires", ""})
	}
	if _, err := fmt.Fprintln(s); err != nil {
		return err
	}
	return s.Table([]string{"TIME", "WHAT", "RESULT"}, rows)
}

// moment is one line of an order's life.
type moment struct {
	at                     time.Time
	what, result, evidence string
}

func momentsOf(d topup.Details) []moment {
	all := []moment{{at: d.CreatedAt, what: "accepted"}}
	for _, a := range d.Attempts {
		all = append(all, moment{a.StartedAt, fmt.Sprintf("attempt %d", a.Number), describeAttempt(a), a.Evidence})
	}
	for _, r := range d.Resolutions {
		what := "resolved"
		if r.Outcome == topup.ResolvedHeld {
			what = "held"
		}
		all = append(all, moment{at: r.At, what: what, result: describeResolution(r)})
	}
	for _, c := range d.Corrections {
		result := fmt.Sprintf("%s, was %s", c.Outcome, c.Was) + decidedBy(", by ", c.By, c.Reason)
		all = append(all, moment{at: c.At, what: "corrected", result: result})
	}
	for _, c := range d.Disputes {
		all = append(all, moment{at: c.Since, what: "disputed", result: "by " + c.RaisedBy,
			evidence: c.Evidence})
		if c.EndedAt != nil {
			all = append(all, moment{at: *c.EndedAt, what: "dispute ended",
				result: fmt.Sprintf("%s by %s: %s", c.Outcome, c.EndedBy, c.Reason)})
		}
	}
	for _, ev := range d.Events {
		for _, try := range ev.Tries {
			all = append(all, moment{at: try.At, what: nameOf(ev), result: describeTry(try)})
		}
	}
	return all
}

func nameOf(ev topup.Event) string { return fmt.Sprintf("%s #%d", ev.Type, ev.Sequence) }

func describeAttempt(a topup.Attempt) string {
	if a.Outcome == "" {
		return "under way"
	}
	text := string(a.Outcome)
	if a.ResponseCode != "" {
		text += fmt.Sprintf(" (code %s)", a.ResponseCode)
	}
	if a.FinishedAt != nil {
		text += fmt.Sprintf(" in %d ms", a.FinishedAt.Sub(a.StartedAt).Milliseconds())
	}
	if a.Error != "" {
		text += ": " + string(a.Error)
	}
	return text
}

// decidedBy is empty with a caller's key, which is not shown who decided.
func decidedBy(joint, by, reason string) string {
	if by == "" {
		return ""
	}
	return fmt.Sprintf("%s%s: %s", joint, by, reason)
}

func describeResolution(r topup.Resolution) string {
	text := string(r.Outcome)
	by := " by "
	if r.Outcome == topup.ResolvedHeld {
		text, by = "not sent again", ", by "
	}
	text += decidedBy(by, r.By, r.Reason)
	if r.Forced {
		text += " (forced)"
	}
	return text
}

func describeTry(t topup.Try) string {
	switch {
	case t.Error != "" && t.DurationMS == 0:
		return fmt.Sprintf("not delivered: %s", t.Error)
	case t.Error != "":
		return fmt.Sprintf("not delivered in %d ms: %s", t.DurationMS, t.Error)
	}
	return fmt.Sprintf("delivered in %d ms", t.DurationMS)
}
