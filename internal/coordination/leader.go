package coordination

import (
	"context"
	_ "embed"
	"encoding/json"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"recarga/internal/seal"
)

// LeaderLease says which of the processes on one Redis does what needs to be done once for all of them.
//
// It saves work, and guards nothing. A process rests only while it knows that another one leads: what it knows is
// younger than LeaderSilence. Where the leader dies, where Redis is away or says what none of ours wrote, all of them
// do the work. So two may do it at once, and it must be harmless when repeated.
type LeaderLease struct {
	rdb    redis.UniversalClient
	sealed sealed
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)
	// id is this process's, and now its clock.
	id  string
	now func() time.Time

	mu sync.Mutex
	// restsUntil is until when this process rests.
	restsUntil time.Time
	// newest is the latest lease that was seen, by its At. An older one is nothing new: somebody may have kept it.
	newest int64
	// rejected is the last value that was.
	rejected string
}

const (
	// leaderKey has the lease.
	leaderKey = "recarga:leader"
	// leaderTick is the time between two renewals of the lease, and between two looks at it.
	leaderTick = 2 * time.Second
	// LeaderSilence is how long the leader may say nothing. What it did is done again within LeaderSilence and one
	// leaderTick of its death.
	LeaderSilence = 5 * time.Second
	// leaseLife is when Redis forgets a lease: nobody waits for that.
	leaseLife = 30 * time.Second
	// maxLease bounds what is read as a lease, in bytes.
	maxLease = 1 << 10
)

//go:embed lead.lua
var leadSource string

// leadScript replaces the lease that was read.
var leadScript = redis.NewScript(leadSource)

// lease is what the leader writes, sealed.
type lease struct {
	// ID is the leader's.
	ID string `json:"id"`
	// At rises with every lease: it is the leader's clock in milliseconds, or more.
	At int64 `json:"at"`
}

// LeaderLease is the lease on this Redis, for processes with the distributor's secret key. Run keeps it.
func (r Redis) LeaderLease(secretKey string) *LeaderLease {
	return &LeaderLease{
		rdb: r.Client, sealed: sealed{seal.New(secretKey), "leader"}, reject: r.rejecting(), id: uuid.NewString(),
		now: time.Now,
	}
}

// Leads reports whether this process must do what is done for all. It asks nobody.
func (l *LeaderLease) Leads() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.now().Before(l.restsUntil)
}

// Run looks for a leader, or leads, until ctx ends. Then another process may lead at once.
func (l *LeaderLease) Run(ctx context.Context) {
	tick := time.NewTicker(leaderTick)
	defer tick.Stop()
	for {
		l.renew(ctx) // without Redis, all of them lead
		select {
		case <-ctx.Done():
			l.resign(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// renew takes the lease, unless another process has it.
func (l *LeaderLease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	value, err := l.read(ctx)
	if err != nil || l.follows(ctx, value) {
		return
	}
	next, err := l.next()
	if err != nil {
		return
	}
	taken, err := l.replace(ctx, value, next)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
	case taken:
		l.restsUntil = time.Time{}
	default: // another process was first
		l.restsUntil = l.now().Add(LeaderSilence)
	}
}

func (l *LeaderLease) read(ctx context.Context) (string, error) {
	value, err := l.rdb.GetRange(ctx, leaderKey, 0, maxLease).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return "", nil // to be replaced
	}
	return value, err
}

// replace reports whether it did.
func (l *LeaderLease) replace(ctx context.Context, old, next string) (bool, error) {
	n, err := leadScript.Run(ctx, l.rdb, []string{leaderKey}, old, maxLease, next, leaseLife.Milliseconds()).Int()
	return n == 1, err
}

// follows reports whether another process leads, as far as a lease says: a new one of it, or one that was new a moment
// ago.
func (l *LeaderLease) follows(ctx context.Context, value string) bool {
	found, ok := l.open(ctx, value)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !ok || found.ID == l.id {
		l.restsUntil = time.Time{}
		return false
	}
	if found.At > l.newest {
		l.newest, l.restsUntil = found.At, now.Add(LeaderSilence)
	}
	return now.Before(l.restsUntil)
}

func (l *LeaderLease) open(ctx context.Context, value string) (found lease, ok bool) {
	if value == "" {
		return found, false
	}
	data, err := l.sealed.open(value)
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil && value != l.rejected {
		l.rejected = value
		l.reject(ctx, KindLease, leaderKey, err.Error())
	}
	return found, err == nil
}

// next is this process's next lease.
func (l *LeaderLease) next() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = max(l.now().UnixMilli(), l.newest+1)
	data, err := json.Marshal(lease{ID: l.id, At: l.newest})
	if err != nil {
		return "", err
	}
	return l.sealed.seal(data), nil
}

// resign ends this process's lease.
func (l *LeaderLease) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	value, err := l.read(ctx)
	if err != nil {
		return
	}
	if found, ok := l.open(ctx, value); ok && found.ID == l.id {
		_, _ = l.replace(ctx, value, "") // it lapses by itself
	}
}
