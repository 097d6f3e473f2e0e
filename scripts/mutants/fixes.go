package main

// fixes are those of former faults, taken out again, one at a time. The simulator alone must find each by itself: it
// has no scenario of any of them.
var fixes = []change{
	// A doubt is never forgotten.
	{journal, "finish", "a decline makes every doubt forgotten",
		`state = CASE WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN 'unknown' ELSE $4 END,
    reason = CASE WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN '' ELSE $5 END,
    response_code = $6, response_message = $7, transaction_id = $8, reference = $9, auth_code = $10,
    balance_after = $11, updated_at = $12,
    finished_at = CASE
        WHEN $4 = 'failed' AND unknown_attempts + $16 > 0 THEN NULL
        ELSE CAST($13 AS BIGINT) END,
    next_attempt_at = $14,
    due_at = CASE WHEN ends_at < $14 THEN ends_at ELSE $14 END,
    event_count = event_count + $15, unknown_attempts = unknown_attempts + $16,`,
		`state = $4, reason = $5,
    response_code = $6, response_message = $7, transaction_id = $8, reference = $9, auth_code = $10,
    balance_after = $11, updated_at = $12, finished_at = CAST($13 AS BIGINT), next_attempt_at = $14,
    due_at = CASE WHEN ends_at < $14 THEN ends_at ELSE $14 END, event_count = event_count + $15,
    unknown_attempts = CASE WHEN $4 = 'failed' THEN 0 ELSE unknown_attempts + $16 END,`},
	{journal, "end", "its end makes every doubt of an order forgotten",
		`state = CASE WHEN unknown_attempts > 0 THEN 'unknown' ELSE 'failed' END,
    reason = CASE WHEN unknown_attempts > 0 THEN '' WHEN expires_at <= $2 OR attempt_count = 0 THEN 'expired'
    ELSE 'retries_exhausted' END,
    finished_at = CASE WHEN unknown_attempts > 0 THEN NULL ELSE CAST($2 AS BIGINT) END`,
		"state = 'failed', reason = 'expired', unknown_attempts = 0, finished_at = CAST($2 AS BIGINT)"},
	{journal, "cancel", "a person's cancellation makes every doubt forgotten",
		"finished_at = $2\nWHERE id = $1 AND state IN ('queued', 'retrying') AND unknown_attempts = 0",
		"finished_at = $2, unknown_attempts = 0\nWHERE id = $1 AND state IN ('queued', 'retrying')"},
	{journal, "finish", "an approval of an earlier attempt changes nothing", "attempt_count >= $2", "attempt_count = $2"},
	{journal, "tx.approvedLate", "a second approval is no dispute",
		`_, err := t.dispute(r, evidence, "a late answer of the distributor", now)`,
		`_, err := t.Known(r.ID); _ = evidence`},

	// What does not matter does not decide.
	{"distributor", "withoutBOM", "an answer after a byte order mark is no answer",
		`bytes.TrimPrefix(data, []byte("\ufeff"))`, "bytes.TrimSpace(data)"},
	{"distributor", "take", "a field of another form spoils the answer",
		"r.Evidence = o.note()", "if r.Evidence = o.note(); r.Evidence != `` { r.Outcome = topup.OutcomeUnknown }"},
	{"distributor", "tokenOf", "a login whose expires_in is no number has no token",
		"life := lifeOf(",
		"if kindOf(o.value(`expires_in`)) != `a number` {\n\t\treturn token{}, false\n\t}\n\tlife := lifeOf("},
	{"internal/httpclient", "Guard.RoundTrip", "an answer of 101 hands over the connection",
		"err == nil && res.StatusCode == http.StatusSwitchingProtocols", "err != nil && res != nil"},
}
