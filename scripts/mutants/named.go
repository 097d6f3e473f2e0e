package main

import (
	"errors"
	"fmt"
	"strings"
)

// change is a named mutant: what is broken, where, and how.
type change struct {
	dir, place string
	what       string
	// old stands once in the place, and new takes its place.
	old, new string
}

// mutants makes all of them from the sources below a root.
func mutants(root string) (all []mutant, wrong error) {
	sources, err := readSources(root)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		name := fmt.Sprintf("%s: %s: %s", c.dir, c.place, c.what)
		s, at, err := find(sources, c.dir, c.place)
		if err != nil {
			wrong = errors.Join(wrong, err)
			continue
		}
		if n := strings.Count(s.text[at.from:at.to], c.old); n != 1 {
			wrong = errors.Join(wrong, fmt.Errorf("%s: the text %q stands there %d times; the code has moved", name, c.old, n))
			continue
		}
		from := at.from + strings.Index(s.text[at.from:at.to], c.old)
		all = append(all, mutant{dir: c.dir, name: name, file: s.file, code: s.replaced(from, from+len(c.old), c.new)})
	}
	return all, wrong
}

const journal = "internal/journal"

var changes = []change{
	// Begin: who may send.
	{journal, "begin.sqlite", "whoever asks may send, whatever attempt he knows", "AND attempt_count = $2 ", ""},
	{journal, "begin.sqlite", "an unknown order is sent", "IN ('queued', 'retrying')", "IN ('queued', 'retrying', 'unknown')"},
	{journal, "begin.sqlite", "an order under way is sent", "IN ('queued', 'retrying')", "IN ('queued', 'retrying', 'submitting')"},
	{journal, "begin.sqlite", "an order is sent at its end", "ends_at > $3)", "ends_at >= $3)"},
	{journal, "begin.sqlite", "its time begins with each attempt", "WHEN attempt_count > 0 THEN ends_at\n", "WHEN attempt_count < 0 THEN ends_at\n"},
	{journal, "begin.sqlite", "it stays in the wait queue", "line = NULL, waits_for = '',", ""},
	{journal, "begin_first.sqlite", "an order is sent before its time", " AND due_at <= $3", ""},
	{journal, "begin.postgres", "whoever asks may send, whatever attempt he knows", "AND attempt_count = given.attempts ", ""},
	{journal, "begin.postgres", "an unknown order is sent", "IN ('queued', 'retrying')", "IN ('queued', 'retrying', 'unknown')"},
	{journal, "begin.postgres", "an order is sent at its end", "ends_at > given.at)", "ends_at >= given.at)"},
	{journal, "begin_first.postgres", "an order is sent before its time", " AND due_at <= given.at", ""},
	{journal, "own_attempt", "another's attempt is taken for one's own", " AND nonce = $4", ""},
	// Finish: what became of the money.
	{journal, "result", "a result overwrites one that is known", " AND outcome = $3", ""},
	{journal, "finish", "an order fails while an attempt is in doubt",
		"state = CASE WHEN $4 = 'failed' AND unknown_attempts + $16 > 0", "state = CASE WHEN FALSE"},
	{journal, "finish", "the result of an earlier attempt moves the order", " AND attempt_count = $2", ""},
	{journal, "finish", "a result moves an order whatever its state is", " AND state = $3", ""},
	{journal, "finish", "an unknown order is notified again", "AND NOT ($3 = 'unknown' AND $4 = 'failed' AND unknown_attempts + $16 > 0)\n", ""},
	{journal, "finish", "an answer ends what a statement holds", "AND (held_at IS NULL OR $4 = 'succeeded')\n", ""},
	{journal, "finish", "a doubt is not counted", ", unknown_attempts = unknown_attempts + $16", ""},
	{journal, "finish", "the next attempt may come after the order's end",
		"due_at = CASE WHEN ends_at < $14 THEN ends_at ELSE $14 END", "due_at = CAST($14 AS BIGINT)"},
	{journal, "finish_late", "a late approval of an earlier attempt is lost", "attempt_count >= $2", "attempt_count = $2"},
	{journal, "finish_late", "a late approval is lost while the next attempt is under way", "('submitting', 'retrying', 'unknown')", "('retrying', 'unknown')"},
	{journal, "settle.postgres", "an order fails while an attempt is in doubt",
		"state = CASE\n            WHEN given.state = 'failed' AND orders.unknown_attempts + given.doubts > 0", "state = CASE WHEN FALSE"},
	{journal, "settle.postgres", "a result moves an order whatever its state is", " AND orders.state = given.state_before", ""},
	{journal, "settle.postgres", "a result overwrites one that is known", " AND attempts.outcome = ''", ""},
	{journal, "settle.postgres", "a doubt is not counted", "unknown_attempts = orders.unknown_attempts + given.doubts", "unknown_attempts = orders.unknown_attempts"},
	{journal, "doubt", "a doubt that is gone still counts", "CASE WHEN finished_at IS NULL THEN $2 ELSE 0 END", "0 * CAST($2 AS BIGINT)"},
	{journal, "cleared", "an order fails with a doubt left", " AND unknown_attempts = 0", ""},
	{journal, "cleared", "an answer ends what a statement holds", " AND held_at IS NULL", ""},
	{journal, "other_approvals", "the approval itself is taken for another purchase", " AND number <> $2", " AND number <> 1000 + $2"},
	{journal, "finished_so", "another result is taken for the one that was written", " AND outcome = $9", " AND $9 <> ''"},
	// Ends, cancellations, people.
	{journal, "end", "an order ends before its time", " AND ends_at <= $2", " AND $2 > 0"},
	{journal, "end", "an order in doubt fails when its time is over", "state = CASE WHEN unknown_attempts > 0 THEN 'unknown' ELSE 'failed' END", "state = 'failed'"},
	{journal, "cancel", "an order in doubt is canceled", " AND unknown_attempts = 0", ""},
	{journal, "cancel", "an order under way is canceled", "IN ('queued', 'retrying')", "IN ('queued', 'retrying', 'submitting')"},
	{journal, "cancel", "anybody cancels it", " AND ($3 = '' OR caller = $3)", " AND $3 <> '?'"},
	{journal, "hold", "a statement's word is forgotten", ", held_at = $2", ""},
	{journal, "hold", "an order under way is held", "IN ('queued', 'retrying')", "IN ('queued', 'retrying', 'submitting')"},
	{journal, "resolve_succeeded", "an order that moved on is settled", " AND state IN ('unknown')", ""},
	{journal, "resolve_failed", "an order that moved on is settled", " AND state IN ('unknown')", ""},
	{journal, "resolve_resend", "an order that moved on is sent again", " AND state IN ('unknown')", ""},
	{journal, "resolve_failed", "the receipts stay", ", transaction_id = $3,\n    reference = $4, auth_code = $5", ""},
	{journal, "settled_by", "the first deadline counts", "MAX(give_up_at)", "MIN(give_up_at)"},
	{journal, "correct_succeeded", "an open order is corrected", "IN ('failed', 'canceled')", "IN ('failed', 'canceled', 'unknown')"},
	{journal, "correct_failed", "any order is corrected to failed", "IN ('succeeded')", "IN ('succeeded', 'failed')"},
	{journal, "dispute", "an order is disputed again and again", " AND disputed_at IS NULL", ""},
	// Placing, waiting, what is due.
	{journal, "insert.sqlite", "an id of another caller's prefix is taken", "nearest.name <> $2", "nearest.name <> nearest.name"},
	{journal, "insert.sqlite", "an archived id is taken again", "WHERE NOT EXISTS (SELECT 1 FROM archived WHERE id = $1)", "WHERE TRUE"},
	{journal, "defer", "an order under way waits", " AND state IN ('queued', 'retrying')", ""},
	{journal, "release", "an order is released twice", " AND line >= 0", ""},
	{journal, "due", "of those due at the same time, the first page's last hides the others", "(due_at, id) > ($2, $3)", "due_at > $2 AND $3 <> '?'"},
	{journal, "overdue", "an attempt is over before its deadline", " AND due_at <= $1", " AND $1 > 0"},
	// Events.
	{journal, "try.sqlite", "two workers record the same try", " AND try_count = $2", " AND $2 >= 0"},
	{journal, "try.sqlite", "a delivered event is tried again", " AND state = 'pending'", ""},
	{journal, "adopt", "an event is adopted that has a copy", "AND NOT EXISTS (\n    SELECT 1 FROM events AS copy\n    WHERE copy.order_key = events.order_key AND copy.sequence = events.sequence AND copy.endpoint = $2)", ""},
	{journal, "count_redelivery", "one redelivery more than allowed", "redeliveries.times < $3", "redeliveries.times <= $3"},
	// The workflow of a purchase.
	{"worker", "Worker.purchase", "a shutdown cuts the purchase off", "context.WithoutCancel(ctx)", "ctx"},
	{"worker", "Worker.settle", "a shutdown ends the writing of a result", "ctx = w.lasting(ctx)\n", ""},
	{"worker", "Worker.deadlines", "a request may leave when its attempt is over", "now.Add(w.Slack / 2)", "now.Add(w.Timeout + w.Slack)"},
	{"worker", "Worker.deadlines", "an attempt is called unknown while it is under way", "now.Add(w.Timeout + w.Slack)", "now.Add(w.Slack / 2)"},
	{"worker", "Worker.decide", "the latest attempt is counted twice", "details.Attempts[:o.AttemptCount-1]", "details.Attempts"},
	{"worker", "Worker.decide", "tries before a resend count", "resent(details.Resolutions)", "0 * resent(details.Resolutions)"},
	{"worker", "Worker.attempt", "a probe is not recorded as one", "result.Probe = how.probe\n", ""},
	{"worker", "Policy.next", "one try more than allowed", "tries >= p.MaxAttempts", "tries > p.MaxAttempts"},
	{"worker", "Policy.next", "the distributor's Retry-After is ignored", "max(p.Wait(max(grown, 1)), result.RetryAfter)", "p.Wait(max(grown, 1))"},
	{"distributor", "Client.Purchase", "net/http may send a purchase twice", "req.GetBody = nil // with it, net/http repeats a request by itself\n", ""},
	{"distributor", "onTime", "a suspended machine sends late", "time.Now().Round(0).Before(by.Round(0))", "true"},
	{"distributor", "reading.outcome", "code 00 is enough", "status != http.StatusOK || r.success != yes || r.id != ours", "false"},
	{"distributor", "reading.outcome", "an approval of nobody's order is ours", "|| r.id != ours", ""},
	{"webhook", "Deliverer.after", "one try more than the schedule has", "done >= len(d.cfg.Schedule)", "done > len(d.cfg.Schedule)"},
	{"webhook", "Deliverer.try", "a try is not recorded after its context's end", "context.WithoutCancel(ctx)", "ctx"},
	{"producer", "Producer.Place", "a refused order takes room for ever", "settle(err == nil && !replayed)", "settle(true)"},
}
