-- Counts, and changes nothing. Times are Redis' own, in seconds; but where TIME is not permitted.
-- KEYS: pending, active, scheduled, retry, archived, completed, lease, paused, quarantine.
-- ARGV: prefix of the task keys, age of an overdue lease, the sender's time.
-- Returns: the six depths, overdue leases but those that fix.lua gave, paused (0 or 1), quarantined messages, and
-- since when the next task waits, in Unix nanoseconds as text ("0" when none does).
local time = redis.pcall("TIME") -- where it is not permitted, the sender's
local now = tonumber(time.err and ARGV[#ARGV] or time[1])
local found = {}
for i = 1, 2 do table.insert(found, redis.call("LLEN", KEYS[i])) end
for i = 3, 6 do table.insert(found, redis.call("ZCARD", KEYS[i])) end
table.insert(found, redis.call("ZCOUNT", KEYS[7], "(0", now - ARGV[2]))
table.insert(found, redis.call("EXISTS", KEYS[8]))
table.insert(found, redis.call("HLEN", KEYS[9]))
local id = redis.call("LINDEX", KEYS[1], -1)
local task = id and ARGV[1] .. id
table.insert(found, task and redis.call("TYPE", task).ok == "hash" and redis.call("HGET", task,
	"pending_since") or "0")
return found
