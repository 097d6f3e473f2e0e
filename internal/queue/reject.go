package queue

import "context"

// KindKey is the kind of a key of another type than asynq's or ours, which would make every script on it fail.
const KindKey = "key"

// OnRejected has f called for everything that is rejected; it must not block. Call it before the queue is used.
func (q *Queue) OnRejected(f func(kind string)) { q.onRejected = f }

// Reject counts and logs what no process of ours has written into Redis. The caller has removed or ignored it.
func (q *Queue) Reject(ctx context.Context, kind, key, why string) {
	q.onRejected(kind)
	q.log.WarnContext(ctx, "redis has what no process of ours wrote; removed", "kind", kind, "key", key, "why", why)
}
