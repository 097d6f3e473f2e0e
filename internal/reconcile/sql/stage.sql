-- name: tables
CREATE TABLE lines (
    line INTEGER PRIMARY KEY, id TEXT NOT NULL, given TEXT NOT NULL DEFAULT '',
    txn TEXT NOT NULL, ref TEXT NOT NULL, auth TEXT NOT NULL,
    phone TEXT NOT NULL, amount INTEGER, at INTEGER, day INTEGER NOT NULL, kind INTEGER NOT NULL, status TEXT NOT NULL
) STRICT;
-- Lines that cannot be read: what is wrong, and all they say.
CREATE TABLE bad (line INTEGER PRIMARY KEY, id TEXT NOT NULL, wrong TEXT NOT NULL, raw TEXT NOT NULL) STRICT;
-- Charges that no order of ours accounts for. Their time is anywhere between since and until; NULL: not known.
CREATE TABLE unclaimed (line INTEGER PRIMARY KEY, phone TEXT NOT NULL, amount INTEGER, since INTEGER,
    until INTEGER) STRICT;
-- Orders that we call succeeded, when they can have been charged, and what the statement says of them: see named.
CREATE TABLE sold (
    id TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, approved INTEGER NOT NULL,
    txn TEXT NOT NULL, named INTEGER NOT NULL, phone TEXT NOT NULL, amount INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Orders that no charge names. line is one that says that they were not charged, 0 where there is none.
CREATE TABLE absent (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, phone TEXT NOT NULL, amount INTEGER NOT NULL,
    txn TEXT NOT NULL, ref TEXT NOT NULL, auth TEXT NOT NULL, attempt INTEGER NOT NULL, approved INTEGER NOT NULL,
    attempts INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, line INTEGER NOT NULL,
    status TEXT NOT NULL, held INTEGER NOT NULL
) STRICT;
-- Findings that wait until the whole statement is known: see later. what is JSON.
CREATE TABLE later (n INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT;

-- name: insert_line
INSERT INTO lines (line, id, txn, ref, auth, phone, amount, at, day, kind, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_bad
INSERT INTO bad (line, id, wrong, raw) VALUES (?, ?, ?, ?)

-- name: index_lines
CREATE INDEX lines_id ON lines (id, line)

-- name: lines
SELECT line, id, given, txn, ref, auth, phone, amount, at, day, kind, status FROM lines
WHERE (id, line) > (?, ?) ORDER BY id, line LIMIT ?

-- name: named
SELECT DISTINCT id FROM lines WHERE id IN (SELECT value FROM json_each(?))

-- name: insert_absent
INSERT OR IGNORE INTO absent (id, state, phone, amount, txn, ref, auth, attempt, approved, attempts, since, until,
    line, status, held)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_later
INSERT INTO later (what) VALUES (?)

-- name: later
SELECT n, what FROM later WHERE n > ? ORDER BY n LIMIT ?

-- name: absents
SELECT n, id, state, phone, amount, txn, ref, auth, attempt, approved, attempts, since, until, line, status, held
FROM absent WHERE state = ? AND n > ? ORDER BY n LIMIT ?

-- CROSS JOIN keeps SQLite from another order of the tables than this one: lines are many, absents few.
-- name: by_transaction
SELECT l.line, l.id, a.id FROM lines l CROSS JOIN absent a ON a.txn = l.txn
WHERE l.txn <> '' AND l.line > ? ORDER BY l.line LIMIT ?

-- name: by_reference
SELECT l.line, l.id, a.id FROM lines l CROSS JOIN absent a ON a.ref = l.ref
    AND (l.amount IS NULL OR l.amount = a.amount)
WHERE l.ref <> '' AND l.given = '' AND l.line > ? ORDER BY l.line LIMIT ?

-- An authorisation code has few digits: it names an order only together with the amount, the phone and the time.
-- name: by_auth_code
SELECT l.line, l.id, a.id FROM lines l CROSS JOIN absent a ON a.auth = l.auth
    AND (l.amount IS NULL OR l.amount = a.amount)
    AND l.phone IN ('', a.phone) AND (l.at IS NULL OR l.at BETWEEN a.since - ?3 AND a.until + ?3)
WHERE l.auth <> '' AND l.given = '' AND l.line > ?1 ORDER BY l.line LIMIT ?2

-- name: adopt
UPDATE lines SET given = CASE WHEN id = '' THEN '-' ELSE id END, id = ? WHERE line = ?

-- name: forget
DELETE FROM absent WHERE id IN (SELECT id FROM lines WHERE given <> '')

-- name: unclaim
INSERT OR IGNORE INTO unclaimed (line, phone, amount, since, until) VALUES (?, ?, ?, ?, ?)

-- name: unclaim_all
INSERT OR IGNORE INTO unclaimed (line, phone, amount, since, until)
SELECT line, phone, amount, at, at + day * ? FROM lines WHERE id = ? AND kind = ?

-- name: insert_sold
INSERT OR REPLACE INTO sold (id, since, until, approved, txn, named, phone, amount) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: undecided
SELECT EXISTS (SELECT 1 FROM later) OR EXISTS (SELECT 1 FROM absent)

-- name: add_lacking
INSERT OR IGNORE INTO sold (id, since, until, approved, txn, named, phone, amount)
SELECT id, since, until, approved, txn, 0, phone, amount FROM absent WHERE state = 'succeeded' AND attempts > 0;
-- The indexes that only decisions need.
CREATE INDEX lines_txn ON lines (txn) WHERE txn <> '';
CREATE INDEX sold_txn ON sold (txn) WHERE txn <> '';
CREATE INDEX sold_until ON sold (until) WHERE approved;
CREATE INDEX sold_since ON sold (since) WHERE approved;
CREATE INDEX sold_wrong ON sold (until) WHERE named < 3;
CREATE INDEX unclaimed_until ON unclaimed (until);
CREATE INDEX unclaimed_phone ON unclaimed (phone);
CREATE INDEX sold_phone ON sold (phone, amount) WHERE named < 2;

-- name: lacking
SELECT COUNT(*), COALESCE(MIN(id), '') FROM sold WHERE named < 0 OR named = 0 AND since >= ? AND until <= ?

-- name: sold_after
SELECT since, until - since FROM sold WHERE approved AND since > ? AND id <> ? ORDER BY since LIMIT ?

-- name: sold_before
SELECT until, until - since FROM sold WHERE approved AND until < ? AND id <> ? ORDER BY until DESC LIMIT ?

-- name: gap
SELECT id FROM sold WHERE named < 3 AND until >= ? AND since <= ? AND id <> ? ORDER BY until LIMIT 1

-- name: stray
SELECT * FROM (SELECT line FROM unclaimed WHERE until BETWEEN ? AND ? AND since <= ? ORDER BY until LIMIT 1)
UNION ALL SELECT * FROM (SELECT line FROM unclaimed WHERE until IS NULL LIMIT 1)
UNION ALL SELECT * FROM (SELECT line FROM unclaimed WHERE phone IN ('', ?) LIMIT 1) LIMIT 1

-- name: candidates
SELECT l.line, l.id, l.txn, l.ref, l.auth, l.at FROM unclaimed u JOIN lines l ON l.line = u.line
WHERE u.phone = ? AND u.amount = ? AND u.until >= ? AND u.since <= ? ORDER BY u.line LIMIT ?

-- name: contested
SELECT s.id FROM lines l JOIN sold s ON s.txn = l.txn AND s.txn <> '' AND s.id <> l.id
WHERE l.id = ?1 AND l.kind = ?2 AND l.txn <> ''
UNION ALL
SELECT 'line ' || o.line FROM lines l JOIN lines o ON o.txn = l.txn AND o.txn <> '' AND o.id <> l.id
WHERE l.id = ?1 AND l.kind = ?2 AND l.txn <> ''
UNION ALL
SELECT id FROM sold WHERE named < 2 AND (NOT ?7 OR phone = ?3) AND (NOT ?8 OR amount = ?4)
    AND until >= ?5 AND since <= ?6
LIMIT 1

-- name: mention
SELECT line FROM bad WHERE instr(raw, ?) > 0 ORDER BY line LIMIT 1

-- name: bad_lines
SELECT line, id, wrong FROM bad WHERE line > ? ORDER BY line LIMIT ?
