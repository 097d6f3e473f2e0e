-- Reads the shared state, and removes what is too large to be of it.
-- KEYS: the shared state. ARGV: how many fields at most, bytes of each at most. Returns: field, value, ...
local is = redis.call("TYPE", KEYS[1]).ok
if is == "none" then return {} end
if is ~= "hash" or redis.call("HLEN", KEYS[1]) > tonumber(ARGV[1]) then
	redis.call("DEL", KEYS[1])
	return {}
end
for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
	local size = math.max(#field, redis.call("HSTRLEN", KEYS[1], field))
	if size > tonumber(ARGV[2]) then redis.call("HDEL", KEYS[1], field) end
end
return redis.call("HGETALL", KEYS[1])
