package link

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // asynq's scripts
	"errors"
	"fmt"
	"strconv"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// native is a hook on the clients of the embedded Redis that does in Go the three scripts which asynq runs
// for every task. The embedded Redis builds a Lua interpreter anew for each run of a script, which was
// more than half of all that an order cost.
//
// A script is known by its hash: where asynq changes one, it is run as Lua again. Like a script, it is one
// step for everybody else, because it runs its commands as scripts do, under the lock of the Redis.
type native struct {
	NoHook
	redis *miniredis.Miniredis
	// scripts are by their hash.
	scripts map[string]func(*native, []string) (any, error)

	// What follows is used under the lock of the Redis.
	// buffer receives what the Redis sends to peer, a connection of no client, and reply reads it.
	buffer bytes.Buffer
	peer   *server.Peer
	reply  *bufio.Reader
}

// nestedCommand is a command of our own, through which a script shows what its commands run with.
const nestedCommand = "RECARGA.NESTED"

// Native is a hook on clients of an embedded Redis that runs asynq's scripts in Go. It learns from a script of ours,
// sent by the client, how commands of scripts are run.
func Native(ctx context.Context, m *miniredis.Miniredis, client redis.UniversalClient) (redis.Hook, error) {
	return newNative(ctx, m, client)
}

func newNative(ctx context.Context, m *miniredis.Miniredis, client redis.UniversalClient) (*native, error) {
	n := &native{redis: m, scripts: nativeScripts()}
	n.peer, n.reply = server.NewPeer(bufio.NewWriter(&n.buffer)), bufio.NewReader(nil)
	err := m.Server().Register(nestedCommand, func(c *server.Peer, _ string, _ []string) {
		n.peer.Ctx = c.Ctx
		c.WriteOK()
	})
	if err == nil {
		err = client.Eval(ctx, `return redis.call("`+nestedCommand+`")`, nil).Err()
	}
	if err != nil {
		return nil, fmt.Errorf("embedded redis: %w", err)
	}
	return n, nil
}

// The scripts of asynq, to the letter.
var (
	//go:embed asynq_enqueue.lua
	luaEnqueue string
	//go:embed asynq_dequeue.lua
	luaDequeue string
	//go:embed asynq_done.lua
	luaDone string
)

// nativeScripts are by the hash of the Lua that they stand for.
func nativeScripts() map[string]func(*native, []string) (any, error) {
	scripts := map[string]func(*native, []string) (any, error){}
	for lua, run := range map[string]func(*native, []string) (any, error){
		luaEnqueue: (*native).enqueue, luaDequeue: (*native).dequeue, luaDone: (*native).done,
	} {
		scripts[redis.NewScript(lua).Hash()] = run
	}
	return scripts
}

func (n *native) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		result, ok := cmd.(*redis.Cmd)
		if !ok || cmd.Name() != "evalsha" || len(cmd.Args()) < 3 {
			return next(ctx, cmd)
		}
		args := texts(cmd.Args()[1:])
		run, known := n.scripts[args[0]]
		if !known {
			return next(ctx, cmd)
		}
		value, err := n.run(run, args[2:]) // behind the hash and the number of keys
		if errors.Is(err, errStopped) {
			return next(ctx, cmd)
		}
		result.SetVal(value)
		result.SetErr(err)
		return err
	}
}

var errStopped = errors.New("the embedded redis has been stopped")

func (n *native) run(script func(*native, []string) (any, error), args []string) (any, error) {
	n.redis.Lock()
	defer n.redis.Unlock()
	if n.redis.Server() == nil {
		return nil, errStopped
	}
	value, err := script(n, args)
	if err == nil && value == nil {
		return nil, redis.Nil
	}
	return value, err
}

// texts are a command's arguments as they would be sent.
func texts(args []any) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			out[i] = v
		case []byte:
			out[i] = string(v)
		case int64:
			out[i] = strconv.FormatInt(v, 10)
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}

// call runs one command as a script's.
func (n *native) call(args ...string) (any, error) {
	n.buffer.Reset()
	n.redis.Server().Dispatch(n.peer, args)
	n.peer.Flush()
	n.reply.Reset(&n.buffer)
	return server.ParseReply(n.reply)
}

// calls runs commands up to one that fails, and returns what the last one said.
func (n *native) calls(all ...[]string) (last any, err error) {
	for _, args := range all {
		if last, err = n.call(args...); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// errNotFound is what asynq's scripts say of a task that is not there.
var errNotFound = errors.New("NOT FOUND")

// enqueue is luaEnqueue.
func (n *native) enqueue(args []string) (any, error) {
	if len(args) != 5 {
		return nil, fmt.Errorf("enqueue has %d arguments", len(args))
	}
	task, pending, message, id, now := args[0], args[1], args[2], args[3], args[4]
	taken, err := n.call("EXISTS", task)
	if err != nil || taken == 1 {
		return int64(0), err
	}
	_, err = n.calls(
		[]string{"HSET", task, "msg", message, "state", "pending", "pending_since", now},
		[]string{"LPUSH", pending, id})
	return int64(1), err
}

// dequeue is luaDequeue.
func (n *native) dequeue(args []string) (any, error) {
	if len(args) != 6 {
		return nil, fmt.Errorf("dequeue has %d arguments", len(args))
	}
	pending, paused, active, lease, until, prefix := args[0], args[1], args[2], args[3], args[4], args[5]
	if stopped, err := n.call("EXISTS", paused); err != nil || stopped != 0 {
		return nil, err
	}
	id, err := n.call("RPOPLPUSH", pending, active)
	if err != nil || id == nil {
		return nil, err
	}
	name := fmt.Sprint(id)
	task := prefix + name
	return n.calls(
		[]string{"HSET", task, "state", "active"},
		[]string{"HDEL", task, "pending_since"},
		[]string{"ZADD", lease, until, name},
		[]string{"HGET", task, "msg"})
}

// done is luaDone.
func (n *native) done(args []string) (any, error) {
	if len(args) != 8 {
		return nil, fmt.Errorf("done has %d arguments", len(args))
	}
	active, lease, task, today, total := args[0], args[1], args[2], args[3], args[4]
	id, until, most := args[5], args[6], args[7]
	for _, remove := range [][]string{{"LREM", active, "0", id}, {"ZREM", lease, id}, {"DEL", task}} {
		if removed, err := n.call(remove...); err != nil || removed == 0 {
			return nil, errors.Join(err, errNotFound)
		}
	}
	first, err := n.call("INCR", today)
	if err == nil && first == 1 {
		_, err = n.call("EXPIREAT", today, until)
	}
	if err != nil {
		return nil, err
	}
	count := []string{"INCR", total}
	if now, err := n.call("GET", total); err != nil || now == most {
		count = []string{"SET", total, "1"}
	}
	_, err = n.call(count...)
	return "OK", err
}
