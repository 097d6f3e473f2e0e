package link

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// TestNativeDoesWhatTheScriptsDo runs the same scripts as Lua and in Go, and compares what they say and what
// they leave.
func TestNativeDoesWhatTheScriptsDo(t *testing.T) {
	const prefix = "asynq:{topups}:"
	enqueue := func(id string) []any {
		return []any{luaEnqueue, prefix + "t:" + id, prefix + "pending", "message of " + id, id, int64(17)}
	}
	dequeue := []any{luaDequeue, prefix + "pending", prefix + "paused", prefix + "active", prefix + "lease", int64(1234),
		prefix + "t:"}
	done := func(id string) []any {
		return []any{luaDone, prefix + "active", prefix + "lease", prefix + "t:" + id, prefix + "processed:today",
			prefix + "processed", id, int64(4102444800), int64(math.MaxInt64)}
	}
	pause, resume := []any{"SET", prefix + "paused", "1"}, []any{"DEL", prefix + "paused"}
	fill := []any{"SET", prefix + "processed", fmt.Sprint(math.MaxInt64)}
	steps := [][]any{
		enqueue("A"), enqueue("A"), enqueue("B"), enqueue("C"), pause, dequeue, resume, dequeue, dequeue, done("A"),
		done("A"), done("C"), fill, done("B"), dequeue, dequeue, {"HDEL", prefix + "t:C", "msg"}, done("C"), enqueue("D"),
		{"DEL", prefix + "t:D"}, dequeue, done("D"),
		enqueue("E"), dequeue, {"DEL", prefix + "t:E"}, done("E"),
	}
	lua, goes := newSide(t, false), newSide(t, true)
	for i, step := range steps {
		want, got := lua.do(t, step), goes.do(t, step)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("step %d, %.20q: Lua and Go differ:\n%s", i, step, diff)
		}
	}
}

// side is an embedded Redis with one client.
type side struct {
	redis  *miniredis.Miniredis
	client *redis.Client
}

func newSide(t testing.TB, hooked bool) side {
	s := side{redis: miniredis.RunT(t)}
	s.client = redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	t.Cleanup(func() { _ = s.client.Close() })
	if hooked {
		n, err := newNative(t.Context(), s.redis, s.client)
		if err != nil {
			t.Fatal(err)
		}
		s.client.AddHook(n)
	}
	return s
}

// run runs a command, or a script.
func (s side) run(t testing.TB, args []any) (any, error) {
	keys, script := map[string]int{luaEnqueue: 2, luaDequeue: 4, luaDone: 5}[fmt.Sprint(args[0])]
	if !script {
		return s.client.Do(t.Context(), args...).Result()
	}
	var names []string
	for _, key := range args[1 : 1+keys] {
		names = append(names, fmt.Sprint(key))
	}
	return redis.NewScript(fmt.Sprint(args[0])).Run(t.Context(), s.client, names, args[1+keys:]...).Result()
}

// do describes what run said, and everything afterwards.
func (s side) do(t *testing.T, args []any) string {
	value, err := s.run(t, args)
	until := s.redis.TTL("asynq:{topups}:processed:today").Hours()
	return fmt.Sprintf("%T %v, %v, nil: %v, expires in %.0f h\n%s", value, value, err, errors.Is(err, redis.Nil), until,
		s.redis.Dump())
}

// BenchmarkScripts is a task's way through the embedded Redis: enqueued, fetched, done.
func BenchmarkScripts(b *testing.B) {
	const prefix = "asynq:{topups}:"
	for name, hooked := range map[string]bool{"lua": false, "go": true} {
		b.Run(name, func(b *testing.B) {
			s := newSide(b, hooked)
			for b.Loop() {
				for _, step := range [][]any{
					{luaEnqueue, prefix + "t:A", prefix + "pending", "message", "A", int64(17)},
					{luaDequeue, prefix + "pending", prefix + "paused", prefix + "active", prefix + "lease", int64(1234),
						prefix + "t:"},
					{luaDone, prefix + "active", prefix + "lease", prefix + "t:A", prefix + "processed:today",
						prefix + "processed", "A", int64(4102444800), int64(math.MaxInt64)},
				} {
					if _, err := s.run(b, step); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
