// Package story describes an order's life, by time: its attempts, what people decided, and its events.
package story

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/topup"
)

// Step is one line of an order's life.
type Step struct {
	At time.Time // when it happened
	// Kind chooses the mark: good, bad, doubt, open, plain.
	Kind, Title, Text string
	// Took is how long it took; zero is not shown.
	Took time.Duration
	// Lines say more.
	Lines []string
	// Event can be sent again.
	Event string
}

// Of is an order's life, the oldest step first; an open order's last step is what it waits for. Times are in that of
// the machine.
func Of(d topup.Details) []Step { return In(time.Local, d) }

// In is Of with the times of a zone.
func In(zone *time.Location, d topup.Details) []Step {
	caller := cmp.Or(d.Caller, "a caller that is not known")
	steps := []Step{{At: d.CreatedAt, Kind: "open", Title: "Accepted", Text: "from " + caller}}
	if d.ProcessAt != nil && d.ProcessAt.After(d.CreatedAt) {
		steps[0].Lines = append(steps[0].Lines, "to be bought at "+clock(zone, *d.ProcessAt))
	}
	for _, a := range d.Attempts {
		steps = append(steps, attemptStep(a))
	}
	for _, r := range d.Resolutions {
		steps = append(steps, resolutionStep(d, r))
	}
	for _, c := range d.Corrections {
		steps = append(steps, Step{At: c.At, Kind: "plain", Title: "Corrected to " + string(c.Outcome),
			Text: decided(c.By, c.Reason), Lines: []string{"was " + string(c.Was)}})
	}
	for _, c := range d.Disputes {
		steps = append(steps, Step{At: c.Since, Kind: "doubt", Title: "Disputed", Text: decided(c.RaisedBy, c.Evidence)})
		if c.EndedAt != nil {
			steps = append(steps, Step{At: *c.EndedAt, Kind: "plain", Title: "Dispute ended: " + string(c.Outcome),
				Text: decided(c.EndedBy, c.Reason)})
		}
	}
	for _, a := range d.Actions {
		if s, ok := actionStep(a); ok {
			if s.At.Before(d.CreatedAt) { // the request that placed it
				s.At = d.CreatedAt
			}
			steps = append(steps, s)
		}
	}
	for _, ev := range d.Events {
		steps = append(steps, eventSteps(zone, ev, d.UpdatedAt)...)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return a.At.Compare(b.At) })
	if d.State.Final() {
		return steps
	}
	return append(steps, now(zone, d))
}

// Clock is a time as a person reads it, in the time of the machine.
func Clock(t time.Time) string { return clock(time.Local, t) }

func clock(zone *time.Location, t time.Time) string { return t.In(zone).Format(time.DateTime) }

// StateKind is the mark of a state; its name always stands beside it.
func StateKind(s topup.State) string {
	return cmp.Or(map[topup.State]string{
		topup.StateSucceeded: "good", topup.StateUnknown: "doubt", topup.StateFailed: "bad", topup.StateCanceled: "plain",
	}[s], "open")
}

func resolutionStep(d topup.Details, r topup.Resolution) Step {
	s := Step{At: r.At, Kind: "plain", Title: "Resolved as " + string(r.Outcome), Text: decided(r.By, r.Reason)}
	switch r.Outcome {
	case topup.ResolvedHeld:
		s.Kind, s.Title = "doubt", "Held, and not sent again"
	case topup.ResolvedRestored:
		s.Title = "Taken as charged from a statement, after a restore"
		if d.Product == "" {
			s.Lines = []string{"its product is not known until its caller places it again: the statement does not say it"}
		}
	}
	if r.Forced {
		s.Lines = append(s.Lines, "forced: a worker might still have been acting on it")
	}
	return s
}

// actionStep is what somebody did; ok is false where the order has a step of its own for it.
func actionStep(a topup.Action) (s Step, ok bool) {
	title, known := map[string]string{
		"placeTopup": "Placed for the caller", "placeTopups": "Placed for the caller", "holdTopup": "Held back",
		"releaseTopup": "Released", "cancelTopup": "Canceled", "redeliverEvent": "Event sent again",
		"redeliverEvents": "Event sent again", "resolveTopup": "", "correctTopup": "", "endDispute": "", "reconcile": "",
	}[a.Action]
	if !known {
		title = a.Action
	}
	s = Step{At: a.At, Kind: "plain", Title: title, Text: strings.TrimSuffix(decided(a.By, string(a.Reason)), ": ")}
	if strings.HasPrefix(a.Action, "redeliver") {
		s.Lines = []string{"event " + string(a.On)}
	}
	return s, title != ""
}

// decided is empty with a caller's key, which is not shown who decided.
func decided(by, why string) string {
	if by == "" {
		return ""
	}
	return "by " + by + ": " + why
}

// now is what an open order waits for.
func now(zone *time.Location, d topup.Details) Step {
	s := Step{At: d.UpdatedAt, Kind: StateKind(d.State), Title: "Now " + string(d.State), Text: string(d.Reason)}
	if d.WaitsFor != "" {
		s.Lines = append(s.Lines, "waits: "+cmp.Or(map[topup.Wait]string{
			topup.WaitFairShare: "bulk orders share what the others leave",
			topup.WaitRate:      "the distributor's limit of requests is used up",
			topup.WaitOutage:    "its operator, or the distributor, fails",
			topup.WaitBalance:   "the balance at the distributor is too low",
			topup.WaitOperator:  "an operator holds it back: it is not bought until it is released",
			topup.WaitLogin:     "the distributor refuses our credentials",
			topup.WaitPaused:    "somebody has paused its purchase",
		}[topup.Wait(d.WaitsFor)], string(d.WaitsFor)))
	}
	if d.NextAttemptAt != nil {
		s.Lines = append(s.Lines, "next attempt at "+clock(zone, *d.NextAttemptAt))
	}
	if d.ExpiresAt != nil {
		s.Lines = append(s.Lines, "expires at "+clock(zone, *d.ExpiresAt))
	}
	return s
}

func attemptStep(a topup.Attempt) Step {
	s := Step{At: a.StartedAt, Kind: outcomeKind(a.Outcome), Title: "Attempt " + strconv.Itoa(a.Number)}
	s.Text = cmp.Or(string(a.Outcome), "under way")
	if a.ResponseCode != "" {
		s.Text += ", code " + string(a.ResponseCode)
	}
	if a.ResponseMessage != "" {
		s.Text += " (" + string(a.ResponseMessage) + ")"
	}
	if a.HTTPStatus != nil {
		s.Text += ", HTTP " + strconv.Itoa(*a.HTTPStatus)
	}
	if a.FinishedAt != nil {
		s.Took = a.FinishedAt.Sub(a.StartedAt)
	}
	if a.Error != "" {
		s.Lines = append(s.Lines, string(a.Error))
	}
	evidence := strings.NewReplacer("; balance before", "\nbalance before", "; in between",
		"\nin between").Replace(a.Evidence)
	for line := range strings.SplitSeq(evidence, "\n") {
		if line != "" {
			s.Lines = append(s.Lines, line)
		}
	}
	return s
}

func outcomeKind(o topup.Outcome) string {
	return cmp.Or(map[topup.Outcome]string{
		topup.OutcomeApproved: "good", topup.OutcomeUnknown: "doubt", topup.OutcomeDeclined: "bad",
	}[o], "open")
}

// eventSteps are an event and its tries. The API says when it was tried only: one that was not stands with the last
// change of its order.
func eventSteps(zone *time.Location, ev topup.Event, changed time.Time) []Step {
	at, title := changed, "Event "+string(ev.Type)
	text := "#" + strconv.Itoa(ev.Sequence) + " for endpoint " + cmp.Or(ev.Endpoint, topup.DefaultEndpoint)
	if len(ev.Tries) > 0 {
		at = ev.Tries[0].At
	}
	if ev.State != "" {
		text += ": " + string(ev.State)
	}
	steps := []Step{{At: cmp.Or(ev.CreatedAt, at), Kind: "plain", Title: title, Text: text, Event: ev.ID}}
	if ev.State == topup.EventPending && !ev.DueAt.IsZero() {
		steps[0].Lines = append(steps[0].Lines, "next try at "+clock(zone, ev.DueAt))
	}
	for i, try := range ev.Tries {
		s := Step{At: try.At, Kind: "bad", Title: "Webhook try " + strconv.Itoa(i+1),
			Took: time.Duration(try.DurationMS) * time.Millisecond}
		s.Text, s.Lines = Tried(try)
		if try.Delivered() {
			s.Kind = "good"
		}
		steps = append(steps, s)
	}
	return steps
}

// Tried is what came of a try in a few words, and lines that say more of it.
func Tried(try topup.Try) (text string, lines []string) {
	switch {
	case try.Status == nil:
		text = "failed"
	case try.Delivered():
		text = "delivered, HTTP " + strconv.Itoa(*try.Status)
	default:
		text = "refused, HTTP " + strconv.Itoa(*try.Status)
	}
	return text, said(try)
}

// said are a try's error, the headers of the answer and its body, each in one line.
func said(try topup.Try) (lines []string) {
	if try.Error != "" {
		lines = append(lines, string(try.Error))
	}
	if try.Response == nil {
		return lines
	}
	var headers []string
	for _, name := range slices.Sorted(maps.Keys(try.Response.Headers)) {
		headers = append(headers, name+": "+try.Response.Headers[name])
	}
	for _, line := range []string{strings.Join(headers, "; "), try.Response.Body} {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, "answer: "+strings.Join(words, " "))
		}
	}
	return lines
}
