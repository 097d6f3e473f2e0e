-- Goes through the oldest active tasks, where those that are stuck gather. Times are Redis' own, in seconds, so that
-- workers whose clocks differ agree; but where TIME is not permitted.
-- KEYS: active, lease, strays (when each task was first seen active without a lease).
-- ARGV: prefix of the task keys, how many to read, age of an overdue lease, grace of a stray, the sender's time.
-- Returns: active tasks without a lease, leases given, tasks removed that have no message.
local function has(key)
	return redis.call("TYPE", key).ok == "hash" and redis.call("HEXISTS", key, "msg") == 1
end
local time = redis.pcall("TIME") -- where it is not permitted, the sender's
local now = tonumber(time.err and ARGV[#ARGV] or time[1])
local strays, leases, vanished, seen = 0, 0, 0, {}
for _, id in ipairs(redis.call("LRANGE", KEYS[1], -ARGV[2], -1)) do
	local lease = redis.call("ZSCORE", KEYS[2], id)
	if not has(ARGV[1] .. id) then
		if not lease or tonumber(lease) < now - ARGV[3] then
			redis.call("LREM", KEYS[1], 0, id)
			redis.call("ZREM", KEYS[2], id)
			redis.call("DEL", ARGV[1] .. id)
			vanished = vanished + 1
		end
	elseif not lease then
		redis.call("ZADD", KEYS[3], "NX", now, id)
		if tonumber(redis.call("ZSCORE", KEYS[3], id)) <= now - ARGV[4] then
			redis.call("ZADD", KEYS[2], "NX", 0, id)
			leases = leases + 1
		else
			seen[id] = true
			strays = strays + 1
		end
	end
end
for _, id in ipairs(redis.call("ZRANGE", KEYS[3], 0, -1)) do
	if not seen[id] then redis.call("ZREM", KEYS[3], id) end
end
return {strays, leases, vanished}
