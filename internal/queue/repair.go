package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const (
	// strayGrace is how long a task must have been active without a lease before it is given one.
	strayGrace = 60 * time.Second
	// leaseOverdue is how long after its end a lease should be gone: asynq waits 30 s, against clocks
	// that differ, and asks once a minute.
	leaseOverdue = 90 * time.Second
	// archiveLife is after how long an archived task is deleted. asynq does so after 90 days, all at
	// once, and fails half way when they are more than some 8,000.
	archiveLife = 60 * 24 * time.Hour
	// watchPage bounds what one watch reads of a list, and archivePage what it deletes.
	watchPage, archivePage = 1000, 100
	// cleanPage is more than what asynq reads in one step of a sorted set.
	cleanPage = 200
	// quarantineSize bounds the messages that are kept for a person to read.
	quarantineSize = 1000
)

// The scripts of a watch. Each says what it does, its keys, arguments and results.
var (
	//go:embed clean.lua
	cleanScript string
	//go:embed fix.lua
	fixScript string
	//go:embed trim.lua
	trimScript string
	//go:embed overdue.lua
	overdueScript string
	//go:embed survey.lua
	surveyScript string
	//go:embed quarantine.lua
	quarantineScript string
)

// findings are the answers of one queue's scripts.
type findings struct{ clean, survey, fix, trim, overdue *redis.Cmd }

// repair puts one queue's scripts into a pipeline.
func repair(ctx context.Context, pipe redis.Pipeliner, queue string, now time.Time) *findings {
	key := func(name string) string { return "asynq:{" + queue + "}:" + name }
	task := key("t:")
	return &findings{
		clean: clean(ctx, pipe, queue, now), // first, because the others fail on what it removes
		fix: pipe.Eval(ctx, fixScript, []string{key("active"), key("lease"), straysOf(queue)},
			task, watchPage, leaseOverdue.Seconds(), strayGrace.Seconds(), now.Unix()),
		trim: pipe.Eval(ctx, trimScript, []string{key("archived")}, task, archivePage, archiveLife.Seconds(),
			now.Unix()),
		overdue: pipe.Eval(ctx, overdueScript, []string{key("lease")},
			task, watchPage, leaseOverdue.Seconds(), rand.Float64(), now.Unix()),
		survey: survey(ctx, pipe, queue, now),
	}
}

// survey puts the count of one queue into a pipeline.
func survey(ctx context.Context, pipe redis.Pipeliner, queue string, now time.Time) *redis.Cmd {
	key := func(name string) string { return "asynq:{" + queue + "}:" + name }
	return pipe.Eval(ctx, surveyScript, []string{
		key("pending"), key("active"), key("scheduled"), key("retry"), key("archived"), key("completed"),
		key("lease"), key("paused"), quarantineOf(queue),
	}, key("t:"), leaseOverdue.Seconds(), now.Unix())
}

func quarantineOf(queue string) string { return "recarga:{" + queue + "}:quarantine" }

func straysOf(queue string) string { return "recarga:{" + queue + "}:strays" }

// clean puts the check of a queue's keys into a pipeline.
func clean(ctx context.Context, pipe redis.Pipeliner, queue string, now time.Time) *redis.Cmd {
	var keys []string
	types := []any{"asynq:{" + queue + "}:t:", cleanPage}
	add := func(kind string, names ...string) {
		for _, name := range names {
			keys, types = append(keys, name), append(types, kind)
		}
	}
	own := func(name string) string { return "asynq:{" + queue + "}:" + name }
	add("list", own("pending"), own("active"))
	add("zset", own("scheduled"), own("retry"), own("archived"), own("completed"), own("lease"), straysOf(queue))
	add("hash", quarantineOf(queue))
	add("number", own("processed"), own("failed"))
	for _, day := range []time.Time{now.Add(-24 * time.Hour), now, now.Add(24 * time.Hour)} {
		date := day.UTC().Format(time.DateOnly)
		add("number", own("processed:"+date), own("failed:"+date))
	}
	return pipe.Eval(ctx, cleanScript, keys, types...)
}

// cleanShared removes those of asynq's keys for all queues that are of another type than they must be.
func (q *Queue) cleanShared(ctx context.Context) error {
	must := map[string]string{"asynq:queues": "set", "asynq:servers": "zset", "asynq:workers": "zset"}
	is := map[string]*redis.StatusCmd{}
	pipe := q.rest.Pipeline()
	for key := range must {
		is[key] = pipe.Type(ctx, key)
	}
	_, err := pipe.Exec(ctx)
	for key, kind := range must {
		if is := is[key].Val(); err == nil && is != kind && is != "none" {
			q.Reject(ctx, KindKey, key, "it is a "+is)
			err = q.rest.Del(ctx, key).Err()
		}
	}
	if err != nil {
		return fmt.Errorf("watch asynq's keys: %w", err)
	}
	return nil
}

// quarantine removes those overdue tasks that cannot be decoded: a single one keeps every server of
// its queue from taking back any task of a lost worker. A message that says that it is another task's could be taken
// back by nobody either.
func (q *Queue) quarantine(ctx context.Context, queue string, overdue []string) (removed int, err error) {
	for pair := range slices.Chunk(overdue, 2) {
		id, message := pair[0], pair[1]
		why := undecodable(queue, id, message)
		switch {
		case why == nil:
			continue
		case errors.Is(why, protoregistry.NotFound): // asynq has another type by now, so nothing is known
			return removed, why
		}
		prefix := "asynq:{" + queue + "}:"
		keys := []string{prefix + "t:" + id, prefix + "active", prefix + "lease", quarantineOf(queue)}
		n, err := q.rest.Eval(ctx, quarantineScript, keys, id, message, quarantineSize).Int()
		if err != nil {
			return removed, err
		}
		if removed += n; n > 0 {
			q.log.ErrorContext(ctx, "task cannot be decoded", "queue", queue, "task", id, "bytes", len(message),
				"kept_in", quarantineOf(queue), "error", why)
		}
	}
	return removed, nil
}

// undecodable says why a message cannot be one of this task; nil where it can.
func undecodable(queue, id, message string) error {
	m, err := decode("asynq.TaskMessage", message)
	if err != nil {
		return err
	}
	fields := m.Descriptor().Fields()
	if m.Get(fields.ByName("id")).String() != id || m.Get(fields.ByName("queue")).String() != queue {
		return errors.New("it says that it is another task")
	}
	return nil
}

// decode reads what asynq wrote exactly as asynq does: its message types are internal to it, but
// registered under their names.
func decode(name protoreflect.FullName, encoded string) (protoreflect.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return nil, err
	}
	m := kind.New()
	return m, proto.Unmarshal([]byte(encoded), m.Interface())
}
