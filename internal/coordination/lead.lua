-- Puts a lease in the place of the one that was read, unless another process was first. Ends it where there is no new
-- one.
-- KEYS: the lease. ARGV: what was read ("" for none), the bytes to read, the new lease, its life in milliseconds.
-- Returns: 1 if it did.
local now = ""
if redis.call("TYPE", KEYS[1]).ok == "string" then now = redis.call("GETRANGE", KEYS[1], 0, ARGV[2]) end
if now ~= ARGV[1] then return 0 end
if ARGV[3] == "" then return redis.call("DEL", KEYS[1]) end
redis.call("SET", KEYS[1], ARGV[3], "PX", ARGV[4])
return 1
