-- Lists are the only statements that are composed: of whole sections, which list.go joins. Each condition has numbers
-- of its own for its parameters; the first section names all of them, so that PostgreSQL knows their types, and takes
-- every row. Conditions that are not asked for are absent, so that the engines plan each list by the index it needs.

-- name: list_orders
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM orders
WHERE (TRUE OR '' IN ($1, $2, $3, $4, $5, $13, $14, $15, $16, $17)
    OR CAST(0 AS BIGINT) IN ($6, $7, $8, $9, $10, $11, $12))

-- The labels lead to the orders, in the order of the list.
-- name: list_labeled
SELECT key, fingerprint, event_count, unknown_attempts, id, caller, state, reason, phone, product, amount,
    operator, metadata, callback_url, attempt_count, response_code, response_message, transaction_id, reference,
    auth_code, balance_after, created_at, updated_at, process_at, expires_at, next_attempt_at, finished_at,
    priority, line, waits_for, disputed_at, ends_at
FROM order_labels
CROSS JOIN orders
WHERE (TRUE OR '' IN ($1, $2, $3, $4, $5, $13, $14, $15, $16, $17)
    OR CAST(0 AS BIGINT) IN ($6, $7, $8, $9, $10, $11, $12))
    AND orders.key = order_labels.order_key AND order_labels.name = $15 AND order_labels.value = $16

-- name: labeled_before
AND (order_labels.placed_at, order_labels.order_key) < ($10, $11)

-- name: labeled_after
AND (order_labels.placed_at, order_labels.order_key) > ($10, $11)

-- name: newest_labeled
ORDER BY order_labels.placed_at DESC, order_labels.order_key DESC LIMIT $12

-- name: oldest_labeled
ORDER BY order_labels.placed_at, order_labels.order_key LIMIT $12

-- Of few orders that another index leads to.
-- name: orders_with_label
AND EXISTS (SELECT 1 FROM order_labels WHERE name = $15 AND value = $16 AND placed_at = orders.created_at
    AND order_key = orders.key)

-- name: orders_waiting_for
AND waits_for = $17 AND waits_for <> ''

-- name: orders_of_caller
AND caller = $1

-- Not by the caller's index: it leads through all orders of the caller, where another one leads to few.
-- name: few_orders_of_caller
AND caller || '' = $1

-- name: orders_in_state
AND state = $2

-- Not by the index of a state, where another one leads to fewer.
-- name: found_in_state
AND state || '' = $2

-- The words of the index of open orders.
-- name: open_orders
AND finished_at IS NULL

-- The words of the index of orders that failed or were canceled; an argument would not do.
-- name: failed_orders
AND state = 'failed' AND state IN ('failed', 'canceled')

-- name: canceled_orders
AND state = 'canceled' AND state IN ('failed', 'canceled')

-- name: orders_of_phone
AND phone = $3

-- name: orders_of_product
AND product = $4

-- name: orders_of_transaction
AND transaction_id = $5 AND transaction_id <> ''

-- The words of the index of codes, which leaves out those of nearly all orders.
-- name: orders_of_rare_code
AND response_code = $13 AND response_code NOT IN ('', '00')

-- name: orders_of_usual_code
AND response_code = $13

-- name: orders_of_code
AND response_code || '' = $13

-- name: orders_failed_for
AND reason = $14 AND reason <> ''

-- name: orders_of_reason
AND reason || '' = $14

-- By themselves, because they are few: SQLite would look for them among all orders, which it finds sorted.
-- name: disputed_orders
AND key IN (SELECT key FROM orders WHERE disputed_at IS NOT NULL)

-- name: orders_since
AND created_at >= $6

-- name: orders_until
AND created_at < $7

-- The plus keeps it from being looked up by the end, and then sorted by the beginning, for every page.
-- name: orders_finished_since
AND +finished_at >= $8

-- name: orders_finished_until
AND +finished_at < $9

-- name: orders_before
AND (created_at, key) < ($10, $11)

-- name: orders_after
AND (created_at, key) > ($10, $11)

-- name: newest_orders
ORDER BY created_at DESC, key DESC LIMIT $12

-- name: oldest_orders
ORDER BY created_at, key LIMIT $12

-- Where to stop, in the order of the lists.
-- name: far_before
SELECT created_at FROM orders WHERE (created_at, key) < ($1, $2)
ORDER BY created_at DESC, key DESC LIMIT 1 OFFSET $3

-- name: far_before_of_caller
SELECT created_at FROM orders WHERE (created_at, key) < ($1, $2) AND caller = $4
ORDER BY created_at DESC, key DESC LIMIT 1 OFFSET $3

-- name: far_after
SELECT created_at FROM orders WHERE (created_at, key) > ($1, $2)
ORDER BY created_at, key LIMIT 1 OFFSET $3

-- name: far_after_of_caller
SELECT created_at FROM orders WHERE (created_at, key) > ($1, $2) AND caller = $4
ORDER BY created_at, key LIMIT 1 OFFSET $3

-- name: far_event
SELECT id FROM events WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 1 OFFSET $3

-- name: list_events
SELECT e.id, e.type, e.sequence, e.endpoint, e.state, e.body, e.created_at, e.due_at, e.delivered_at,
    e.try_count, e.schedule_start, e.tries, COALESCE(o.id, ''), COALESCE(o.caller, 'operator'),
    COALESCE(o.callback_url, '')
FROM events e
LEFT JOIN orders o ON o.key = e.order_key
WHERE e.id >= $1 AND e.id < $2 AND (TRUE OR '' IN ($4, $5, $6))

-- A state is no argument: an index is for one state.
-- name: pending_events
AND e.state = 'pending'

-- name: delivered_events
AND e.state = 'delivered'

-- name: exhausted_events
AND e.state = 'exhausted'

-- name: kept_events
AND e.state = 'kept'

-- name: events_of_callback
AND e.endpoint = ''

-- name: events_of_endpoint
AND e.endpoint = $4

-- name: operator_events
AND e.order_key = 0

-- name: events_of_caller
AND o.caller = $5

-- name: events_of_type
AND e.type = $6

-- name: newest_events
ORDER BY e.id DESC LIMIT $3
