package producer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v4"

	"recarga/internal/httpclient"
	"recarga/topup"
)

const (
	// waitEach is how long one request of Wait waits: proxies on the way often end a request after a minute.
	waitEach = 30 * time.Second
	// waitAgain is the time before another request where one came back at once with nothing new: its server stops.
	waitAgain = 500 * time.Millisecond
)

// Wait returns an order once its caller would be notified of it: when it is final, or held as unknown. It asks anew as
// long as it takes, also what did not get through; give it a context with a deadline. At its end the order is as it
// was seen last, and the error is the context's. A *Problem says that there is no such order.
func (c *Client) Wait(ctx context.Context, id topup.ID) (d topup.Details, err error) {
	if _, err := topup.ParseID(string(id)); err != nil {
		return d, fmt.Errorf("wait for %s: %w", id, err)
	}
	path, tag := "/v1/topups/"+string(id), ""
	for {
		began := time.Now()
		changed := false
		err = c.repeat(ctx, func() (err error) {
			var now topup.Details
			if changed, err = c.unless(ctx, path, &tag, &now); err == nil && changed {
				if err = wholeOrder(now.Order, id); err == nil {
					d = now
				}
			}
			return err
		})
		if err != nil {
			return d, fmt.Errorf("wait for %s: %w", id, err)
		}
		if topup.EventTypeOf(d.State) != "" {
			return d, nil
		}
		path = "/v1/topups/" + string(id) + "?wait=" + waitEach.String()
		if !changed && time.Since(began) < waitAgain {
			select {
			case <-ctx.Done():
			case <-time.After(waitAgain):
			}
		}
	}
}

// unless asks for what has changed since a tag, and sets the tag; false: it has not.
func (c *Client) unless(ctx context.Context, path string, tag *string, into any) (changed bool, err error) {
	res, err := c.patiently(ctx, path, *tag, waitEach)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusNotModified {
		return false, nil
	}
	if err := newAnswer(res.Body).decode(into); err != nil {
		return false, fmt.Errorf("answer of GET %s: %w", path, err)
	}
	*tag = res.Header.Get("ETag")
	return true, nil
}

// patiently makes a request that may wait, beside the time that every request has. Its answer is of 2xx, or 304 where
// a tag is given.
func (c *Client) patiently(ctx context.Context, path, tag string, wait time.Duration) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, backoff.Permanent(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	by := *c.http
	if by.Timeout > 0 {
		by.Timeout += wait
	}
	res, err := by.Do(req)
	if err != nil || httpclient.Succeeded(res.StatusCode) || tag != "" && res.StatusCode == http.StatusNotModified {
		return res, err
	}
	defer func() { _ = res.Body.Close() }()
	return nil, problemOf(res)
}

// EventsAfter reads the feed of the key's caller: the events behind a place, each once, the oldest first, with the
// body of its webhook as Payload. next is the place to go on from; keep it when the events are handled. The empty
// place is before the oldest event that is kept. Without events it waits for one, for so long (60s at most), and then
// returns none.
//
// It is not repeated by itself. A *Problem with status 410 says that events behind the place are lost to the
// feed: find out otherwise what became of the orders that are open, and begin again from the empty place.
func (c *Client) EventsAfter(
	ctx context.Context, after string, wait time.Duration,
) (events []Event, next string, err error) {
	query := url.Values{"after": {after}, "wait": {wait.String()}}
	res, err := c.patiently(ctx, "/v1/events?"+query.Encode(), "", wait)
	if err != nil {
		return nil, after, fmt.Errorf("events: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var page struct {
		// Data are the events; NextAfter is never empty.
		Data      []Event `json:"data"`
		NextAfter string  `json:"next_after"`
	}
	if err = newAnswer(res.Body).decode(&page); err == nil && page.NextAfter == "" {
		err = fmt.Errorf("it is no feed; %w", errNotRecarga)
	}
	if err != nil {
		return nil, after, fmt.Errorf("events: answer: %w", err)
	}
	return page.Data, page.NextAfter, nil
}
