-- Adds tokens to a list, of which as many as are there wake as many servers.
-- KEYS: the list. ARGV: how many to add, the most that the list may have.
if redis.call("TYPE", KEYS[1]).ok ~= "list" then redis.call("DEL", KEYS[1]) end
for _ = 1, math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - redis.call("LLEN", KEYS[1])) do
	redis.call("RPUSH", KEYS[1], "")
end
return redis.status_reply("OK")
