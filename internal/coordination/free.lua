-- Removes a key that lives longer than any of ours, so that what it keeps others from comes to an end.
-- KEYS: the key. ARGV: the longest life, in milliseconds. Returns: 1 if it did.
local left = redis.call("PTTL", KEYS[1])
if left == -1 or left > tonumber(ARGV[1]) then return redis.call("DEL", KEYS[1]) end
return 0
