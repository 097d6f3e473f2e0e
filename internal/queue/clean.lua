-- Removes keys of another type than they must have, named ones and those among the first tasks of a sorted set: every
-- script that meets one fails, and with it all that is behind it.
-- KEYS: any.
-- ARGV: prefix of the task keys, how many of a sorted set to check, and the type of each key: one of Redis' or number.
-- Returns: those removed.
local removed = {}
local function drop(key)
	redis.call("DEL", key)
	table.insert(removed, key)
end
for i, key in ipairs(KEYS) do
	local must, is = ARGV[i + 2], redis.call("TYPE", key).ok
	if is == "none" then
	elseif must == "number" then
		local short = is == "string" and redis.call("STRLEN", key) <= 18
		if not (short and string.find(redis.call("GET", key), "^%d+$")) then drop(key) end
	elseif is ~= must then
		drop(key)
	elseif must == "zset" then
		for _, id in ipairs(redis.call("ZRANGE", key, 0, ARGV[2] - 1)) do
			local task = redis.call("TYPE", ARGV[1] .. id).ok
			if task ~= "hash" and task ~= "none" then
				drop(ARGV[1] .. id)
				redis.call("ZREM", key, id)
			end
		end
	end
end
return removed
