package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// TokenStore shares the distributor's token between all processes on one Redis.
type TokenStore struct {
	rdb  redis.UniversalClient
	lock *redislock.Client
	key  string
}

const (
	// loginLock is how long a process that dies in a login stops the others. One that lives prolongs
	// it: a vendor of one session would end the token of a login that is overtaken.
	loginLock = 10 * time.Second
	// loginPoll is how often somebody who waits for another's login looks.
	loginPoll = 100 * time.Millisecond
	// tokenTimeout bounds what a purchase waits for Redis here.
	tokenTimeout = time.Second
)

// NewTokenStore keeps the token of one customer at one distributor.
func NewTokenStore(rdb redis.UniversalClient, customerID, url string) *TokenStore {
	sum := sha256.Sum256([]byte(url + "\x00" + customerID))
	return &TokenStore{rdb: rdb, lock: redislock.New(rdb), key: "recarga:distributor:token:" + hex.EncodeToString(sum[:8])}
}

// stored is the token as Redis has it.
type stored struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Load returns the shared token and when it is to be renewed; an empty one when there is none.
func (s *TokenStore) Load(ctx context.Context) (token string, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	data, err := s.rdb.Get(ctx, s.key).Bytes()
	if errors.Is(err, redis.Nil) {
		return "", time.Time{}, nil
	}
	var t stored
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("load token: %w", err)
	}
	return t.Token, t.Expires, nil
}

// Save shares a token until it is to be renewed.
func (s *TokenStore) Save(ctx context.Context, token string, expires time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	data, err := json.Marshal(stored{Token: token, Expires: expires})
	if err == nil {
		err = s.rdb.Set(ctx, s.key, data, max(time.Until(expires), time.Millisecond)).Err()
	}
	if err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	return nil
}

// Lock waits until no other process logs in.
func (s *TokenStore) Lock(ctx context.Context) (unlock func(), err error) {
	lock, err := s.lock.Obtain(ctx, s.key+":login", loginLock, &redislock.Options{RetryStrategy: redislock.LinearBackoff(loginPoll)})
	if err != nil {
		return nil, fmt.Errorf("lock for login: %w", err)
	}
	held, release := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { keep(held, lock) })
	return func() {
		release()
		keeping.Wait()
		_ = lock.Release(context.WithoutCancel(ctx)) // it expires by itself
	}, nil
}

// keep prolongs a lock until ctx ends, or the lock is lost.
func keep(ctx context.Context, lock *redislock.Lock) {
	tick := time.NewTicker(loginLock / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if errors.Is(lock.Refresh(ctx, loginLock, nil), redislock.ErrNotObtained) {
			return
		}
	}
}
