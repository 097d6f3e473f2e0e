package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq finds new tasks by polling: with its default of one second a lone order waits that long, and
// with 5 ms the polls cost a tenth of a core for ever. Here the polls are held back instead: a
// dequeue that found nothing waits until somebody publishes that there is something in the channel of the queue,
// or for pollEvery, whichever is first. Nothing depends on the message: without it a task is found
// by the poll.
const (
	// pollEvery bounds the wait for a task that nobody announced: one enqueued by a program that
	// has only Redis, or one whose retry came due.
	pollEvery = 250 * time.Millisecond
	// checkInterval is what asynq sleeps after a dequeue that found nothing, behind our own wait.
	checkInterval = 200 * time.Microsecond
	// errorPause is the wait after a dequeue that failed: asynq itself would ask again at once.
	errorPause = 200 * time.Millisecond
	// announceEvery bounds the messages under load, when nobody is waiting for one anyway.
	announceEvery = 2 * time.Millisecond
	// serveTimeout bounds a pipeline of the servers' scripts.
	serveTimeout = 5 * time.Second
)

// waker passes the news "there is a task" from whoever enqueued it to one waiting server.
type waker struct {
	// channel is the one of Redis that the news is published in.
	channel string
	// news has a token for each server that should ask for a task; a full channel means that all will.
	news chan struct{}
	// enqueued has a token when a message must be published.
	enqueued chan struct{}
}

func (q *Queue) startWakers(background context.Context) {
	q.wake = map[string]*waker{}
	for _, queue := range ourQueues() {
		w := &waker{channel: "recarga:wake:" + queue, news: make(chan struct{}, 4), enqueued: make(chan struct{}, 1)}
		q.wake[queue] = w
		go w.publish(background, q.rest)
	}
	q.serve.AddHook(&pollHook{wake: q.wake, quit: background.Done()})
}

// listen waits for the messages of other processes while servers run here.
func (w *waker) listen(ctx context.Context, rdb redis.UniversalClient) {
	sub := rdb.Subscribe(ctx, w.channel)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-messages:
			if !open {
				return
			}
			w.wakeServer()
		}
	}
}

// wakeServer wakes one server of this process.
func (w *waker) wakeServer() { offer(w.news) }

// announce wakes one server of this process and one of every other.
func (w *waker) announce() {
	w.wakeServer()
	offer(w.enqueued)
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
		case <-w.enqueued:
		}
		// A message that is not delivered costs pollEvery at most, so its error says nothing.
		_ = rdb.Publish(ctx, w.channel, "").Err()
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
	noHook
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
	var news <-chan struct{}
	limit := errorPause
	if errors.Is(err, redis.Nil) {
		limit = pollEvery
		if w := p.wake[queue]; w != nil {
			news = w.news
		}
	}
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
	queue, found := strings.CutSuffix(strings.TrimPrefix(pending, "asynq:{"), "}:pending")
	return queue, found && strings.HasSuffix(paused, ":paused") && strings.HasSuffix(active, ":active")
}
