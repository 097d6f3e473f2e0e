-- name: insert
INSERT INTO orders (id, caller, fingerprint, state, reason, phone, product, amount, operator, metadata,
    callback_url, response_message, event_count, created_at, updated_at, process_at, expires_at,
    next_attempt_at, finished_at, due_at, priority, line, waits_for, ends_at)
SELECT given.id, given.caller, given.fingerprint, given.state, given.reason, given.phone, given.product,
    given.amount, given.operator, given.metadata, given.callback_url, given.response_message, given.event_count,
    given.created_at, given.updated_at, given.process_at, given.expires_at, given.next_attempt_at,
    given.finished_at, given.due_at, given.priority, given.line, given.waits_for, given.ends_at
FROM (
    SELECT
        unnest($1::text[]) AS id, unnest($2::text[]) AS caller, unnest($3::bytea[]) AS fingerprint,
        unnest($4::text[]) AS state, unnest($5::text[]) AS reason, unnest($6::text[]) AS phone,
        unnest($7::text[]) AS product, unnest($8::bigint[]) AS amount, unnest($9::text[]) AS operator,
        unnest($10::text[]) AS metadata, unnest($11::text[]) AS callback_url,
        unnest($12::text[]) AS response_message, unnest($13::bigint[]) AS event_count,
        unnest($14::bigint[]) AS created_at, unnest($15::bigint[]) AS updated_at,
        unnest($16::bigint[]) AS process_at, unnest($17::bigint[]) AS expires_at,
        unnest($18::bigint[]) AS next_attempt_at, unnest($19::bigint[]) AS finished_at,
        unnest($20::bigint[]) AS due_at, unnest($21::bigint[]) AS priority, unnest($22::bigint[]) AS line,
        unnest($23::text[]) AS waits_for, unnest($24::bigint[]) AS ends_at
) AS given
WHERE NOT EXISTS (SELECT 1 FROM archived WHERE archived.id = given.id)
    AND NOT EXISTS (
        SELECT 1 FROM (SELECT name, id_prefix FROM callers WHERE id_prefix <> '' AND id_prefix <= given.id
            ORDER BY id_prefix DESC LIMIT 1) AS nearest
        WHERE nearest.name <> given.caller AND substr(given.id, 1, length(nearest.id_prefix)) = nearest.id_prefix)
    AND NOT EXISTS (
        SELECT 1 FROM callers
        WHERE name = given.caller AND id_prefix <> '' AND substr(given.id, 1, length(id_prefix)) <> id_prefix)
ON CONFLICT (id) DO NOTHING
RETURNING id
