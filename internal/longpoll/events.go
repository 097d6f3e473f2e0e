package longpoll

import (
	"context"
	"slices"
	"time"
)

// Events is somebody who waits for new events of a feed.
type Events struct {
	hub          *Hub
	caller, feed string
	// seen is the position that was read last.
	seen int64
	news chan struct{}
}

// Events has a caller wait for events of a feed, which are behind a position. Errors: ErrFull, ErrShare. Leave is to
// be called then.
func (h *Hub) Events(caller, feed string, seen int64) (*Events, error) {
	e := &Events{hub: h, caller: caller, feed: feed, seen: seen, news: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.enter(caller); err != nil {
		return nil, err
	}
	h.feeds[feed] = append(h.feeds[feed], e)
	return e, nil
}

// Wait returns when there may be new events; false: it is the end of the wait, of ctx, or of the Hub.
func (e *Events) Wait(ctx context.Context, over <-chan time.Time) (more bool) {
	select {
	case <-e.news:
		return true
	case <-over:
	case <-e.hub.ended:
	case <-ctx.Done():
	}
	return false
}

// Leave ends the wait.
func (e *Events) Leave() {
	h := e.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(e.caller)
	rest := slices.DeleteFunc(h.feeds[e.feed], func(other *Events) bool { return other == e })
	if h.feeds[e.feed] = rest; len(rest) == 0 {
		delete(h.feeds, e.feed)
	}
}

// Notified says that a caller's feed may have a new event. It does not block.
func (h *Hub) Notified(feed string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.feeds[feed] {
		e.wake()
	}
}

func (e *Events) wake() {
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// pollFeeds finds new events that nobody announced.
func (h *Hub) pollFeeds(ctx context.Context) {
	h.mu.Lock()
	feeds := make([]string, 0, len(h.feeds))
	for feed := range h.feeds {
		feeds = append(feeds, feed)
	}
	h.mu.Unlock()
	if len(feeds) == 0 {
		return
	}
	ends, err := bounded(ctx, func(ctx context.Context) (map[string]int64, error) {
		return h.cfg.Book.FeedEnds(ctx, feeds)
	})
	if err != nil {
		h.say(ctx, err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, feed := range feeds {
		for _, e := range h.feeds[feed] {
			if ends[feed] > e.seen {
				e.wake()
			}
		}
	}
}
