WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata,
callback_url, attempt_count, event_count, response_code, transaction_id, reference, created_at, updated_at,
finished_at, due_at)
SELECT 'ORD-' || i, CASE i % 3 WHEN 0 THEN 'shop' ELSE 'kiosk' END, {bytes}, state,
'55' || (30000000 + i / 10), 'MOVISTAR_TAE', 1000,
'MOVISTAR', '{}', '', 1, 1, '00', CASE state WHEN 'succeeded' THEN 'TXN-' || i ELSE '' END,
CASE state WHEN 'succeeded' THEN 'RRN-' || i ELSE '' END,
at, at, CASE state WHEN 'succeeded' THEN at + 2000000 END, CASE state WHEN 'queued' THEN at END
FROM (SELECT i, CASE WHEN i % 1000 = 0 THEN 'unknown' WHEN i <= 10000 AND i % 10 = 1 THEN 'queued'
ELSE 'succeeded' END AS state,
CASE WHEN i <= 10000 THEN {now} - i * 360000 ELSE {now} - 3600000000 - i * {apart} END AS at FROM n) orders;

INSERT INTO attempts (order_key, number, worker, nonce, started_at, give_up_at, finished_at, outcome)
SELECT key, 1, 'worker', key, created_at, created_at + 120000000, finished_at, 'approved' FROM orders
WHERE finished_at IS NOT NULL;

INSERT INTO events (order_key, sequence, id, type, state, body, created_at, due_at, tries)
SELECT key, 1, {event}, 'topup.succeeded', CASE WHEN key % 100 = 0 THEN 'pending' ELSE 'delivered' END,
{bytes}, created_at, CASE WHEN key % 100 = 0 THEN created_at END, '[1,200,12,""]' FROM orders;

INSERT INTO tallies (state, writer, orders) SELECT state, 0, COUNT(*) FROM orders
WHERE finished_at IS NOT NULL GROUP BY state;

-- A trigger took them all for ended just now.
DELETE FROM ended;

INSERT INTO ended (span, at, state, writer, orders)
SELECT 60, finished_at / 60000000 * 60, state, key % 16, COUNT(*) FROM orders WHERE finished_at IS NOT NULL
GROUP BY 2, 3, 4;

INSERT INTO ended (span, at, state, writer, orders)
SELECT 3600, finished_at / 3600000000 * 3600, state, 16 + key % 16, COUNT(*) FROM orders
WHERE finished_at IS NOT NULL GROUP BY 2, 3, 4;

{settle};
