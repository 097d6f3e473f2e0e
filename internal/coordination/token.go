package coordination

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

	"recarga/internal/seal"
)

// TokenStore shares the distributor's token between all processes on one Redis. It is sealed there with the secret key
// for the customer and the URL: somebody who can write to Redis cannot have purchases made with a token of their own.
type TokenStore struct {
	rdb  redis.UniversalClient
	lock *redislock.Client
	// key is the token's in Redis; the lock of a login has it with :login behind it.
	key    string
	sealed sealed
	// customerID and url are sealed with the token.
	customerID, url string
	// reject is that of Redis, never nil.
	reject func(ctx context.Context, kind, key, why string)
}

const (
	// loginLock is how long a process that dies in a login stops the others. One that lives prolongs
	// it: a vendor of one session would end the token of a login that is overtaken.
	loginLock = 10 * time.Second
	// loginPoll is how often a process that waits for another's login asks for the lock.
	loginPoll = 100 * time.Millisecond
	// lockTimeout is how long a login waits for another one, which takes less, before it no longer waits.
	lockTimeout = 30 * time.Second
	// maxSealed bounds what is read as a token: one of the largest that the client takes, with all around it.
	maxSealed = 16 << 10
)

// TokenStore keeps the token of one customer at one distributor.
func (r Redis) TokenStore(customerID, secretKey, url string) *TokenStore {
	sum := sha256.Sum256([]byte(url + "\x00" + customerID))
	return &TokenStore{
		rdb: r.Client, lock: redislock.New(r.Client), key: "recarga:distributor:token:" + hex.EncodeToString(sum[:8]),
		sealed: sealed{seal.New(secretKey), "distributor token"}, customerID: customerID, url: url, reject: r.rejecting(),
	}
}

// stored is the token as Redis has it, sealed.
type stored struct {
	// Token is the distributor's bearer token, in plain text once it is opened.
	Token string `json:"token"`
	// Expires is when the token is to be renewed.
	Expires time.Time `json:"expires"`
}

// Load returns the shared token and when it is to be renewed; an empty one when there is none.
func (s *TokenStore) Load(ctx context.Context) (token string, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	value, err := s.rdb.GetRange(ctx, s.key, 0, maxSealed).Result()
	switch {
	case err != nil:
		return "", time.Time{}, fmt.Errorf("load token: %w", err)
	case value == "":
		return "", time.Time{}, nil
	}
	var t stored
	data, err := s.sealed.open(value, s.customerID, s.url)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil { // the next login puts another in its place
		s.reject(ctx, KindToken, s.key, err.Error())
		return "", time.Time{}, nil
	}
	return t.Token, t.Expires, nil
}

// Save shares a token until it is to be renewed.
func (s *TokenStore) Save(ctx context.Context, token string, expires time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	data, err := json.Marshal(stored{Token: token, Expires: expires})
	if err == nil {
		value := s.sealed.seal(data, s.customerID, s.url)
		err = s.rdb.Set(ctx, s.key, value, max(time.Until(expires), time.Millisecond)).Err()
	}
	if err != nil {
		return fmt.Errorf("save token: %w", err)
	}
	return nil
}

// Lock waits until no other process logs in, or until its login should have come to an end.
func (s *TokenStore) Lock(ctx context.Context) (unlock func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	key := s.key + ":login"
	if freed, err := free(waiting, s.rdb, key, loginLock); err == nil && freed {
		s.reject(ctx, KindLock, key, "it is held for longer than a process of ours would")
	}
	lock, err := s.lock.Obtain(waiting, key, loginLock,
		&redislock.Options{RetryStrategy: redislock.LinearBackoff(loginPoll)})
	if err != nil {
		return nil, fmt.Errorf("lock for login: %w", err)
	}
	held, release := context.WithTimeout(ctx, lockTimeout) // a login that hangs must not stop the others
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
