package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"recarga/internal/httpclient"
	"recarga/topup"
)

// maxRetryAfter bounds what an endpoint may ask for: its longest wait is that of the schedule.
const maxRetryAfter = 24 * time.Hour

// DefaultSchedule are the waits between tries that the specification recommends: ten tries in three days.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// ParseSchedule reads waits between tries, as in "5s,5m,2h".
func ParseSchedule(s string) ([]time.Duration, error) {
	var waits []time.Duration
	for i, text := range strings.Split(s, ",") {
		wait, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || wait <= 0 {
			return nil, fmt.Errorf("wait %d of the schedule is %q; must be a positive duration, as in 5s", i+1, text)
		}
		waits = append(waits, wait)
	}
	return waits, nil
}

// after decides what follows from a try that ended now: the event's state and, while it is pending,
// when the next try is due.
func (d *Deliverer) after(ev topup.Event, a answer, now time.Time) (topup.EventState, time.Time) {
	ofProxy := failuresOfProxy(ev)
	done := ev.TryCount - ev.ScheduleStart - ofProxy // tries of this schedule before this one
	switch {
	case a.delivered():
		return topup.EventDelivered, time.Time{}
	case a.kept():
		return topup.EventKept, time.Time{}
	case a.ofProxy() && ofProxy < maxProxyFailures:
		return topup.EventPending, now.Add(d.jitter(d.proxyWait(ofProxy)))
	case a.ofProxy(), a.hopeless(), done >= len(d.cfg.Schedule):
		return topup.EventExhausted, time.Time{}
	}
	return topup.EventPending, now.Add(max(d.jitter(d.cfg.Schedule[done]), d.spread(a.retryAfter)))
}

const (
	// maxProxyFailures bounds the failures of the proxy that spend no try of an event: about four days of them.
	maxProxyFailures = 200
	// longestProxyWait bounds the wait after one.
	longestProxyWait = 30 * time.Minute
)

// failuresOfProxy counts the tries of an event's present schedule that failed at the proxy: they are recorded, and
// spend none of the schedule.
func failuresOfProxy(ev topup.Event) (n int) {
	for _, try := range ev.Tries[min(ev.ScheduleStart, len(ev.Tries)):] {
		if strings.HasPrefix(string(try.Error), proxyFailed) {
			n++
		}
	}
	return n
}

// proxyWait is the wait after the proxy has failed, and had failed n times before.
func (d *Deliverer) proxyWait(n int) time.Duration {
	if len(d.cfg.Schedule) == 0 {
		return longestProxyWait
	}
	return min(d.cfg.Schedule[min(n, len(d.cfg.Schedule)-1)], longestProxyWait)
}

// The least and the most that a wait which an endpoint asked for is spread by.
const minSpread, maxSpread = time.Second, time.Minute

// spread varies a wait that an endpoint asked for, by a tenth: never before, since it asked all that it refused at one
// moment for the same wait.
func (d *Deliverer) spread(asked time.Duration) time.Duration {
	if asked == 0 {
		return 0
	}
	return asked + time.Duration(d.cfg.Random()*float64(min(max(asked/10, minSpread), maxSpread)))
}

// jitter varies a wait by a tenth either way, so that events that failed together do not return together.
func (d *Deliverer) jitter(wait time.Duration) time.Duration {
	return wait - wait/10 + time.Duration(d.cfg.Random()*float64(wait/5+1))
}

// retryAfter is how long a response of status 429 or 503 asks to wait: RFC 9110 allows seconds or a date.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	wait, _ := httpclient.RetryAfter(resp.Header.Get("Retry-After"), now, maxRetryAfter)
	return wait
}
