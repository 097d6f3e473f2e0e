-- Removes a task, if its message is still the one that was read, and keeps the message where there is room.
-- KEYS: task, active, lease, quarantine. ARGV: id, message, room. Returns: 1 if it did.
if redis.call("HGET", KEYS[1], "msg") ~= ARGV[2] then return 0 end
if redis.call("HLEN", KEYS[4]) < tonumber(ARGV[3]) then redis.call("HSET", KEYS[4], ARGV[1], ARGV[2]) end
redis.call("DEL", KEYS[1])
redis.call("LREM", KEYS[2], 0, ARGV[1])
redis.call("ZREM", KEYS[3], ARGV[1])
return 1
