-- name: new_event
INSERT INTO events (id, order_key, sequence, type, state, body, created_at, due_at)
SELECT given.id, given.order_key, given.sequence, given.type, given.state, given.body, given.created_at,
    given.due_at
FROM (
    SELECT
        unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS order_key, unnest($3::bigint[]) AS sequence,
        unnest($4::text[]) AS type, unnest($5::text[]) AS state, unnest($6::bytea[]) AS body,
        unnest($7::bigint[]) AS created_at, unnest($8::bigint[]) AS due_at
) AS given
RETURNING id
