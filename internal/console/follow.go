package console

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"recarga/topup"
)

const (
	// mostFollowers bounds the pages that follow what happens in one process: the others ask.
	mostFollowers = 200
	// followPace is the least time between two messages to one page.
	followPace = time.Second
	// followBeat is how often a page hears that it is still heard, and its session is checked.
	followBeat = 10 * time.Second
)

// followers are the open pages that hear that something has changed. They read it themselves.
type followers struct {
	mu    sync.Mutex
	all   map[*follower]struct{}
	ended chan struct{} // closed by end
	end   func()
}

// follower is one page.
type follower struct {
	// order is the one that it shows; empty: it shows many.
	order topup.ID
	news  chan struct{}
}

func newFollowers() *followers {
	ended := make(chan struct{})
	return &followers{all: map[*follower]struct{}{}, ended: ended, end: sync.OnceFunc(func() { close(ended) })}
}

// enter is nil where as many follow as may.
func (f *followers) enter(order topup.ID) *follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) >= mostFollowers {
		return nil
	}
	one := &follower{order: order, news: make(chan struct{}, 1)}
	f.all[one] = struct{}{}
	return one
}

func (f *followers) leave(one *follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, one)
}

func (f *followers) changed(id topup.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for one := range f.all {
		if one.order != "" && one.order != id {
			continue
		}
		select {
		case one.news <- struct{}{}:
		default:
		}
	}
}

// Changed says that an order may have changed, here or in another process. It does not block.
func (c *Console) Changed(id topup.ID) { c.followers.changed(id) }

// End ends all streams, so that the server can stop.
func (c *Console) End() { c.followers.end() }

// follow is a stream of server-sent events: a message for each change of what a page shows, in a second at most one.
func (c *Console) follow(w http.ResponseWriter, r *http.Request, _ operator) error {
	one := c.followers.enter(topup.ID(r.URL.Query().Get("order")))
	if one == nil {
		return &problem{http.StatusServiceUnavailable, "As many pages follow as this process lets."}
	}
	defer c.followers.leave(one)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not collect it
	stream := http.NewResponseController(w)
	say := func(text string) error {
		_, err := fmt.Fprint(w, text, "\n\n")
		if err == nil {
			err = stream.Flush()
		}
		return err
	}
	beat := time.NewTicker(followBeat)
	defer beat.Stop()
	for err := say("retry: 3000"); err == nil; {
		select {
		case <-r.Context().Done():
			return nil
		case <-c.followers.ended:
			return nil
		case <-one.news:
			err = say("event: changed\ndata:")
			c.followers.pause(r)
		case <-beat.C:
			if _, ended := c.sessions.of(r); ended != nil {
				_ = say("event: ended\ndata:") // the browser may be gone
				return nil
			}
			err = say(":")
		}
	}
	return nil // the browser is gone
}

// pause keeps a page from asking all the time while much happens.
func (f *followers) pause(r *http.Request) {
	timer := time.NewTimer(followPace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.ended:
	case <-r.Context().Done():
	}
}
