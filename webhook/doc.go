// Package webhook delivers events to callers, and helps callers to receive them.
//
// A receiver needs Verify, or Handler, which calls it:
//
//	http.Handle("POST /recarga", webhook.Handler(secret, func(ctx context.Context, ev webhook.Event) error {
//		return store.Settle(ctx, ev.Data.ID, ev.Data.State, ev.Data.Sequence)
//	}))
//
// An event is delivered at least once: expect repeats (the same Event.ID) and, rarely, an older event
// after a newer one (a lower Event.Data.Sequence), and ignore both.
//
// A sender needs a Deliverer. Content and signature follow the Standard Webhooks specification
// (https://www.standardwebhooks.com), so any of its libraries verifies them too.
package webhook
