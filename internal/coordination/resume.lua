-- Takes as many as are left of a total. All of its numbers are whole ones: the embedded Redis knows no others.
-- KEYS: how many were taken. ARGV: the total, how many are wanted, seconds until the key is forgotten.
-- Returns: how many it took.
local left = tonumber(ARGV[1]) - tonumber(redis.call("GET", KEYS[1]) or "0")
local granted = math.max(0, math.min(left, tonumber(ARGV[2])))
if granted > 0 then
	redis.call("INCRBY", KEYS[1], string.format("%d", granted))
	redis.call("EXPIRE", KEYS[1], ARGV[3])
end
return granted
