-- name: try
UPDATE events SET
    try_count = events.try_count + 1, tries = events.tries || given.line, state = given.state,
    due_at = given.due_at, delivered_at = given.delivered_at
FROM (
    SELECT
        unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS tries, unnest($3::text[]) AS line,
        unnest($4::text[]) AS state, unnest($5::bigint[]) AS due_at, unnest($6::bigint[]) AS delivered_at,
        unnest($7::text[]) AS endpoint
) AS given
WHERE events.id = given.id AND events.try_count = given.tries AND events.state = 'pending'
    AND events.endpoint = given.endpoint
RETURNING given.id
