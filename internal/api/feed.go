package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"recarga/internal/api/keys"
	"recarga/internal/api/problem"
	"recarga/internal/journal/search"
	"recarga/internal/params"
	"recarga/producer"
	"recarga/topup"
)

const afterParameter = "after"

// feedQuery is what a feed is asked for.
type feedQuery struct {
	caller string // whose feed
	after  search.FeedPlace
	limit  int
	wait   time.Duration
}

// feed answers with the events of a caller behind a place, the oldest first.
func (s *Server) feed(ctx context.Context, who keys.Identity, query url.Values) (page eventPage, err error) {
	q, err := s.parseFeed(who, query)
	if err != nil {
		return page, err
	}
	events, next, err := s.awaited(ctx, who, q)
	if errors.Is(err, search.ErrFeedGone) {
		return page, problem.New(problem.EventsGone, "events behind this place have left for the archive, or the book was "+
			"restored from a copy without them: find out with GET /v1/topups what you missed, and begin again with an "+
			"empty after")
	}
	if err != nil {
		return page, err
	}
	place, err := json.Marshal(next)
	if err != nil {
		return page, err
	}
	page = eventPage{Data: make([]producer.Event, len(events))}
	page.NextAfter = *s.cursors.seal(feedOf(q.caller), string(place))
	for i, ev := range events {
		page.Data[i] = shownEvent(who, ev)
		page.Data[i].Payload = ev.Body
	}
	return page, nil
}

// awaited reads a page; an empty one again while the request waits.
func (s *Server) awaited(
	ctx context.Context, who keys.Identity, q feedQuery,
) (events []topup.Event, next search.FeedPlace, err error) {
	events, next, err = s.cfg.Book.Feed(ctx, q.caller, q.after, q.limit)
	held := holdOf(ctx)
	if err != nil || len(events) > 0 || q.wait == 0 || s.cfg.Waits == nil || held.over && !held.more {
		return events, next, err
	}
	if held.place == nil {
		if held.place, err = s.cfg.Waits.Events(sharerOf(who), q.caller, next.Position); err != nil {
			return nil, next, noPlace(err)
		}
		held.until = time.Now().Add(q.wait)
		held.wait, held.more = func(context.Context) {}, true // an event may have come before there was a place
		return nil, next, nil
	}
	held.wait = func(ctx context.Context) {
		over := time.NewTimer(time.Until(held.until))
		defer over.Stop()
		held.more = held.place.Wait(ctx, over.C)
	}
	return nil, next, nil
}

// parseFeed reads the query of a feed. Other filters would leave out events of which nobody would know.
func (s *Server) parseFeed(who keys.Identity, query url.Values) (feedQuery, error) {
	q := params.Reader{Values: query}
	f := feedQuery{
		caller: params.Read(&q, topup.FieldCaller, params.AsIs), limit: params.Read(&q, "limit", limit),
		wait: params.Read(&q, waitParameter, wait),
	}
	wrong := []error{q.Err()}
	add := func(field, value, allowed string) {
		wrong = append(wrong, &topup.FieldError{Field: field, Value: value, Allowed: allowed})
	}
	for name, values := range query {
		if !slices.Contains([]string{topup.FieldCaller, "limit", waitParameter, afterParameter}, name) {
			add(name, values[0], "absent with after or wait: a feed has all events of its caller")
		}
	}
	if !query.Has(afterParameter) {
		add(waitParameter, query.Get(waitParameter), "given with after: the next_after that you have, or empty")
	}
	switch {
	case !who.SeesAll():
		f.caller = who.Caller
	case f.caller == "":
		add(topup.FieldCaller, "", "the name of the caller whose feed it is, with an operator's key")
	}
	f.limit = cmp.Or(f.limit, defaultLimit)
	var err error
	if f.after, err = s.placeOf(f.caller, query.Get(afterParameter)); err != nil {
		wrong = append(wrong, err)
	}
	return f, errors.Join(wrong...)
}

// placeOf opens the place of a feed.
func (s *Server) placeOf(caller, sealed string) (place search.FeedPlace, err error) {
	text, err := s.cursors.open(feedOf(caller), sealed)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &place)
	}
	if err != nil {
		return place, &topup.FieldError{Field: afterParameter, Value: sealed,
			Allowed: "empty, or the next_after of an earlier answer, for the same caller"}
	}
	return place, nil
}

// feedOf names a feed, as listOfEvents names a list.
func feedOf(caller string) string { return "feed " + caller }
