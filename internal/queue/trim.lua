-- Deletes the oldest archived tasks. Times are Redis' own, in seconds.
-- KEYS: archived. ARGV: prefix of the task keys, how many at most, their age. Returns: how many.
local old = redis.call("TIME")[1] - ARGV[3]
local ids = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", old, "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
	redis.call("DEL", ARGV[1] .. id)
	redis.call("ZREM", KEYS[1], id)
end
return #ids
