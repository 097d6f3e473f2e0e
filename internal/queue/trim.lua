-- Deletes the oldest archived tasks. Times are Redis' own, in seconds; but where TIME is not permitted.
-- KEYS: archived. ARGV: prefix of the task keys, how many at most, their age, the sender's time. Returns: how many.
local time = redis.pcall("TIME") -- where it is not permitted, the sender's
local now = tonumber(time.err and ARGV[#ARGV] or time[1])
local old = now - ARGV[3]
local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", old, "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
	redis.call("DEL", ARGV[1] .. id)
	redis.call("ZREM", KEYS[1], id)
end
return #ids
