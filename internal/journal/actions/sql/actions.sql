-- name: add_action
INSERT INTO bulk_actions (id, kind, filter, outcome, forced, reason, asked_by, created_at, members)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING

-- name: add_page
INSERT INTO bulk_pages (action_id, number, members) VALUES ($1, $2, $3) ON CONFLICT (action_id, number) DO NOTHING

-- name: ready
UPDATE bulk_actions SET ready_at = $2 WHERE id = $1 AND ready_at IS NULL

-- name: forget_pages
DELETE FROM bulk_pages WHERE action_id IN (SELECT id FROM bulk_actions WHERE ended_at < $1)

-- What was confirmed, and never had all of its pages: whoever asked was answered that it failed.
-- name: forget_unready
DELETE FROM bulk_actions WHERE ended_at IS NULL AND ready_at IS NULL AND created_at < $1

-- name: action
SELECT id, kind, filter, outcome, forced, reason, asked_by, created_at, members, done, refused, stopped_at,
    stopped_by, ended_at
FROM bulk_actions
WHERE id = $1 AND ready_at IS NOT NULL

-- Who began it: the first that the audit has of it.
-- name: starter
SELECT by_whom, role, via, address, reason FROM audit
WHERE target = $1 AND opens = 1
ORDER BY key LIMIT 1

-- name: actions
SELECT id, kind, filter, outcome, forced, reason, asked_by, created_at, members, done, refused, stopped_at,
    stopped_by, ended_at
FROM bulk_actions
WHERE id < $1 AND ready_at IS NOT NULL
ORDER BY id DESC LIMIT $2

-- name: open_actions
SELECT id, kind, filter, outcome, forced, reason, asked_by, created_at, members, done, refused, stopped_at,
    stopped_by, ended_at
FROM bulk_actions
WHERE ended_at IS NULL AND ready_at IS NOT NULL AND (claimed_until <= $1 OR worker = $2)
ORDER BY created_at LIMIT 100

-- name: claim
UPDATE bulk_actions SET worker = $2, claimed_until = $3
WHERE id = $1 AND ended_at IS NULL AND stopped_at IS NULL AND (worker = $2 OR claimed_until <= $4)

-- name: next_page
SELECT number, members FROM bulk_pages
WHERE action_id = $1 AND finished_at IS NULL
ORDER BY number LIMIT 1

-- name: finish_page
UPDATE bulk_pages SET finished_at = $3, refusals = $4
WHERE action_id = $1 AND number = $2 AND finished_at IS NULL

-- name: count
UPDATE bulk_actions SET done = done + $2, refused = refused + $3 WHERE id = $1

-- name: end_action
UPDATE bulk_actions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL

-- name: stop
UPDATE bulk_actions SET stopped_at = $2, stopped_by = $3
WHERE id = $1 AND ended_at IS NULL AND stopped_at IS NULL

-- name: refusals
SELECT refusals FROM bulk_pages
WHERE action_id = $1 AND refusals <> ''
ORDER BY number LIMIT $2
