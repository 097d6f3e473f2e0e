package queue

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"recarga/internal/queue/link"
)

// asynq finds new tasks by polling: with its default of one second a lone order waits that long, and with 5 ms the
// polls cost a tenth of a core for ever. Here the polls are held back instead: a dequeue that found nothing waits
// until somebody says that there is something, or for restPoll, whichever is first.
//
// Whoever enqueues a task wakes a server of its own process, or one of another: it puts a token into a list of the
// queue, from which Redis gives it to the process that has waited longest. So a task wakes one server, however many
// there are. Nothing depends on a token: the process that leads looks for tasks that wait (lead.go).
const (
	// restPoll bounds the wait of a process that hears of tasks.
	restPoll = 10 * time.Second
	// pollEvery bounds the wait of a process that does not, because it has no other process, or may not wait in Redis.
	pollEvery = 250 * time.Millisecond
	// checkInterval is what asynq sleeps after a dequeue that found nothing, behind our own wait.
	checkInterval = 200 * time.Microsecond
	// errorPause is the wait after a dequeue that failed: asynq itself would ask again at once.
	errorPause = 200 * time.Millisecond
	// announceEvery bounds the messages under load, when nobody is waiting for one anyway.
	announceEvery = 2 * time.Millisecond
	// serveTimeout bounds a pipeline of the servers' scripts.
	serveTimeout = 5 * time.Second
	// restTimeout bounds a pipeline of what is neither the servers' nor enqueued: a purchase waits for some of it.
	restTimeout = time.Second
	// blockFor is how long a process waits for a token before it asks anew, and answerWithin what Redis may take beyond.
	blockFor, answerWithin = 5 * time.Second, time.Second
	// deafPause is the wait after a wait for a token that failed.
	deafPause = time.Second
	// mostTokens bounds the tokens that nobody has taken.
	mostTokens = 16
	// ownTokens bounds those of the servers of one process.
	ownTokens = 4
)

//go:embed push.lua
var pushSource string

var pushScript = redis.NewScript(pushSource)

// waker passes the news "there is a task" from whoever enqueued it to one waiting server.
type waker struct {
	// list is that of Redis which has the tokens for servers of all processes.
	list string
	// news has a token for each server of this process that should ask for a task.
	news chan struct{}
	// waiting counts the servers of this process that wait for news.
	waiting atomic.Int32
	// idle has a token when a server of this process has begun to wait.
	idle chan struct{}
	// enqueued counts the tasks that Redis does not know of yet, and report has a token when there are some.
	enqueued atomic.Int64
	report   chan struct{}
	// hears: news of other processes come.
	hears atomic.Bool
}

func (q *Queue) startWakers(background context.Context) {
	q.wake = map[string]*waker{}
	for _, queue := range ourQueues() {
		w := &waker{list: "recarga:wake:{" + queue + "}", news: make(chan struct{}, ownTokens),
			idle: make(chan struct{}, 1), report: make(chan struct{}, 1)}
		q.wake[queue] = w
		if q.embedded == nil { // whose every process is this one
			go w.publish(background, q.rest)
		}
	}
	q.serve.AddHook(&pollHook{wake: q.wake, quit: background.Done()})
}

// listen waits for tokens from other processes while servers run here, and whenever one of them waits.
func (w *waker) listen(ctx context.Context, rdb redis.UniversalClient) {
	defer w.hears.Store(false)
	for ctx.Err() == nil {
		if w.waiting.Load() == 0 {
			select {
			case <-ctx.Done():
			case <-w.idle:
			}
			continue
		}
		err := w.take(ctx, rdb)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if w.hears.Swap(false) {
			w.wakeAll() // to wait for less long
		}
		select {
		case <-ctx.Done():
		case <-time.After(deafPause):
		}
	}
}

// take waits for a token. Where no server waits any more, somebody else gets it.
func (w *waker) take(ctx context.Context, rdb redis.UniversalClient) error {
	waiting, cancel := context.WithTimeout(ctx, blockFor+answerWithin)
	defer cancel()
	err := rdb.BLPop(waiting, blockFor, w.list).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	w.hears.Store(true)
	switch {
	case err != nil: // there was none
	case w.waiting.Load() > 0:
		w.wakeServer()
	default:
		w.announceElsewhere(1)
	}
	return nil
}

// wakeServer wakes one server of this process.
func (w *waker) wakeServer() { offer(w.news) }

// wakeUntil wakes whoever waits, until ended is closed.
func (w *waker) wakeUntil(ended <-chan struct{}) {
	for {
		select {
		case w.news <- struct{}{}:
		case <-ended:
			return
		}
	}
}

func (w *waker) wakeAll() {
	for range ownTokens {
		w.wakeServer()
	}
}

// announce says that n tasks were enqueued: to servers of this process that wait, and of the others to one of any.
func (w *waker) announce(n int) {
	for ; n > 0 && int(w.waiting.Load()) > len(w.news); n-- {
		w.wakeServer()
	}
	if n > 0 {
		w.wakeServer() // one that is about to wait
		w.announceElsewhere(n)
	}
}

func (w *waker) announceElsewhere(n int) {
	w.enqueued.Add(int64(n))
	offer(w.report)
}

func offer(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *waker) publish(ctx context.Context, rdb redis.UniversalClient) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.report:
		}
		// Whoever leads finds a task whose token got lost, so an error says nothing.
		n := min(w.enqueued.Swap(0), mostTokens)
		_ = pushScript.Run(ctx, rdb, []string{w.list}, n, mostTokens).Err()
		pause.Reset(announceEvery)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// pollHook is a hook on the servers' Redis client that holds back asynq's polls.
type pollHook struct {
	link.NoHook
	// wake has the waker of each queue, by its name.
	wake map[string]*waker
	// quit is closed when the queue is.
	quit <-chan struct{}
}

func (p *pollHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil || redis.HasErrorPrefix(err, "NOSCRIPT") {
			return err
		}
		if redis.HasErrorPrefix(err, "WRONGTYPE") { // of one task, which has left the list by now
			return err
		}
		if queue, ok := dequeuedFrom(cmd); ok {
			p.wait(queue, err)
		}
		return err
	}
}

func (p *pollHook) wait(queue string, err error) {
	w := p.wake[queue]
	if w == nil || !errors.Is(err, redis.Nil) {
		p.pause(errorPause, nil)
		return
	}
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	offer(w.idle)
	limit := pollEvery
	if w.hears.Load() {
		limit = restPoll
	}
	p.pause(limit, w.news)
}

func (p *pollHook) pause(limit time.Duration, news <-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-p.quit:
	}
}

// dequeuedFrom reports whether cmd is asynq's dequeue script, by its keys (pending, paused, active,
// lease), and of which queue.
func dequeuedFrom(cmd redis.Cmder) (queue string, ok bool) {
	const keys = 4
	args := cmd.Args()
	if (cmd.Name() != "evalsha" && cmd.Name() != "eval") || len(args) < 3+keys || args[2] != keys {
		return "", false
	}
	pending, _ := args[3].(string)
	paused, _ := args[4].(string)
	active, _ := args[5].(string)
	queue, found := queueOf(pending, "pending")
	return queue, found && strings.HasSuffix(paused, ":paused") && strings.HasSuffix(active, ":active")
}

// queueOf is the queue that one of asynq's keys is of.
func queueOf(key, of string) (queue string, ok bool) {
	queue, ok = strings.CutSuffix(strings.TrimPrefix(key, "asynq:{"), "}:"+of)
	return queue, ok
}
