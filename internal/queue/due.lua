-- Makes tasks that wait for their time pending.
-- KEYS: the queue's pending, scheduled and retry. ARGV: the prefix of its tasks' keys, the time in nanoseconds, and the
-- ids. Returns the ids of those that are still active: their next time is not written yet.
local active = {}
for i = 3, #ARGV do
	local task = ARGV[1] .. ARGV[i]
	local state = redis.call("HGET", task, "state")
	if state == "active" then
		active[#active + 1] = ARGV[i]
	elseif redis.call("ZREM", KEYS[2], ARGV[i]) + redis.call("ZREM", KEYS[3], ARGV[i]) > 0 then
		redis.call("LPUSH", KEYS[1], ARGV[i])
		redis.call("HSET", task, "state", "pending", "pending_since", ARGV[2])
	end
end
return active
