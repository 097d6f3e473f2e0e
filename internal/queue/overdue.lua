-- Lists tasks whose lease ended long ago. Where they are too many, the page begins anywhere, so that the one that
-- holds up all others is found in the end. Times are Redis' own, in seconds; but where TIME is not permitted.
-- KEYS: lease.
-- ARGV: prefix of the task keys, how many at most, age of an overdue lease, where to begin (0 to 1), the
-- sender's time.
-- Returns: id, message, id, message, ...
local time = redis.pcall("TIME") -- where it is not permitted, the sender's
local now = tonumber(time.err and ARGV[#ARGV] or time[1])
local old = now - ARGV[3]
local rest = redis.call("ZCOUNT", KEYS[1], "-inf", old) - ARGV[2]
local from = math.floor(math.max(0, rest + 1) * ARGV[4])
local found = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", old, "LIMIT", from, ARGV[2])) do
	local message = redis.call("TYPE", ARGV[1] .. id).ok == "hash" and redis.call("HGET", ARGV[1] .. id, "msg")
	if message then
		table.insert(found, id)
		table.insert(found, message)
	end
end
return found
