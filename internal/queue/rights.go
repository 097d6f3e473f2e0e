package queue

import (
	"slices"
	"strings"
)

// Right is a command that Recarga sends to Redis, or that one of its or asynq's scripts runs there.
type Right struct {
	// Command is its name as ACL SETUSER takes it, in small letters: "get", "config|get".
	Command string
	// Without is what Redis does not say, and so nobody knows, where the command is not permitted. Empty: without it
	// orders are not bought, or a button does nothing.
	Without string
	// Cluster: only a Redis Cluster is asked.
	Cluster bool
}

// Rights are all that Recarga needs in Redis: workers, api, console, asynq's page of the queues and the doctor.
func Rights() (all []Right) {
	for command := range strings.FieldsSeq(`
		decrby del eval evalsha exists expire expireat get getrange
		hdel hexists hget hgetall hkeys hlen hmget hset hstrlen hvals
		incr incrby lindex llen lpos lpush lrange lrem
		pexpire ping pttl publish rpoplpush rpush
		sadd set setex sismember smembers srem strlen subscribe type
		zadd zcard zcount zrange zrangebyscore zrem zremrangebyrank zremrangebyscore zscore`) {
		all = append(all, Right{Command: command})
	}
	all = append(all,
		Right{Command: "blpop", Without: "when there is a task: each worker's servers ask four times a second"},
		Right{Command: "select", Without: "nothing new; only database 0 can be used"},
		Right{Command: "config|get", Without: "how Redis keeps its data (`recarga doctor`)"},
		Right{Command: "info", Without: "Redis' version and memory (`recarga doctor`, the metric " +
			"`recarga_redis_memory_bytes`, the page of Redis in /queues), and without `CONFIG GET` too the eviction policy"},
		Right{Command: "memory|usage", Without: "the memory of a queue: /queues shows 0"},
		Right{Command: "time", Without: "whether the clocks of Redis and the workers agree: a rate limit and the repair " +
			"of lost tasks then go by the workers' clocks, which must agree within a second"},
	)
	for command := range strings.FieldsSeq("cluster|info cluster|keyslot cluster|nodes cluster|slots command") {
		all = append(all, Right{Command: command, Cluster: true})
	}
	return all
}

// RightsRules are the rules of ACL SETUSER that permit the Rights, and nothing else.
func RightsRules(cluster bool) []string {
	var commands []string
	for _, r := range Rights() {
		if cluster || !r.Cluster {
			commands = append(commands, "+"+r.Command)
		}
	}
	slices.Sort(commands)
	return slices.Concat([]string{"resetkeys", "~asynq:*", "~recarga:*", "resetchannels", "&asynq:*", "&recarga:*",
		"-@all"}, commands)
}

// SentinelRules are the rules of ACL SETUSER for the user of a Sentinel.
func SentinelRules() []string {
	return []string{"resetchannels", "&+switch-master", "&+replica-reconf-done", "-@all",
		"+ping", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels", "+subscribe"}
}
