// Package coordination is what processes share through one Redis: how many purchases may be made, what they know of
// the distributor (a pause, outages of its operators), and its token.
//
// Redis is not trusted: others may be able to write to it. Two rules follow.
//
//   - What decides about purchases, beside the journal, is sealed with the distributor's secret key. Every process
//     that uses it has that key, so the key cannot be missing; and whoever has it could make purchases anyway.
//   - What scripts calculate with cannot be sealed, so it is bounded: a value that is none of ours is removed.
package coordination

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/seal"
)

// Redis is where the processes share it.
type Redis struct {
	// Client is connected; whoever made it closes it.
	Client redis.UniversalClient
	// Embedded: it serves this process alone, nobody else writes to it, and its scripts know whole numbers only.
	Embedded bool
	// Reject is called for what no process of ours has written, after it was removed or ignored; kind is one of Kinds.
	// It must not block. Nil: nothing is called.
	Reject func(ctx context.Context, kind, key, why string)
}

// The kinds of what is rejected, as the metrics have them.
const (
	KindToken = "token"
	KindLock  = "lock"
	KindState = "notice"
	KindRate  = "pace"
	KindProbe = "probe"
	KindLease = "lease"

	KindChanges = "changes"
)

// Kinds are all of them.
func Kinds() []string {
	return []string{KindToken, KindLock, KindState, KindRate, KindProbe, KindLease, KindChanges}
}

func (r Redis) rejecting() func(ctx context.Context, kind, key, why string) {
	if r.Reject == nil {
		return func(context.Context, string, string, string) {}
	}
	return r.Reject
}

const (
	// askTimeout bounds what a purchase waits for Redis here.
	askTimeout = time.Second
	// maxSkew is how far the clocks of the workers may differ (see queue.Check).
	maxSkew = 30 * time.Second
)

// sealed opens and seals values of one purpose.
type sealed struct {
	box     *seal.Box
	purpose string
}

func (s sealed) seal(value []byte, context ...string) string {
	return string(s.box.Seal(s.purpose, value, context...))
}

func (s sealed) open(value string, context ...string) ([]byte, error) {
	return s.box.Open(s.purpose, []byte(value), context...)
}

//go:embed free.lua
var freeSource string

// freeScript removes a key that lives longer than any of ours.
var freeScript = redis.NewScript(freeSource)

func free(ctx context.Context, rdb redis.UniversalClient, key string, life time.Duration) (freed bool, err error) {
	n, err := freeScript.Run(ctx, rdb, []string{key}, life.Milliseconds()).Int()
	return n > 0, err
}
