-- name: commit
INSERT INTO commits (writer, number, at)
VALUES ($1, CAST($2 AS bigint) / CASE WHEN pg_backend_pid() = $4 THEN 1 ELSE 0 END, $3)
ON CONFLICT (writer) DO UPDATE SET at = excluded.at, number = excluded.number / CASE
    WHEN GREATEST(commits.asked, commits.number) < excluded.number THEN 1 ELSE 0 END

-- name: latest_commit
INSERT INTO commits (writer, number, asked, at)
VALUES ($1, 0 / CASE WHEN pg_backend_pid() = $4 THEN 1 ELSE 0 END, $2, $3)
ON CONFLICT (writer) DO UPDATE SET asked = excluded.asked
RETURNING number

-- name: forget_commits
DELETE FROM commits WHERE at < $1

-- name: ping
SELECT 1
