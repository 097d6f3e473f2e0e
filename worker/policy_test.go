package worker

import (
	"testing"
	"time"

	"recarga/topup"
)

// tried is the time for tries, which the journal counts.
const tried = 30 * time.Minute

var policy = Policy{Initial: 2 * time.Second, Max: 2 * time.Minute, MaxAttempts: 10}

func TestWaitsGrowAndAreVaried(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 50 {
		before := time.Duration(0)
		for n := 1; n <= 6; n++ {
			wait, nominal := policy.Wait(n), policy.Initial<<(n-1)
			if wait <= before {
				t.Fatalf("wait %d is %s, not more than the %s before it", n, wait, before)
			}
			if wait < nominal*4/5 || wait > nominal*6/5 {
				t.Errorf("wait %d is %s, want %s give or take a fifth", n, wait, nominal)
			}
			before = wait
			seen[wait] = true
		}
		if wait := policy.Wait(1000); wait > policy.Max*6/5 {
			t.Errorf("wait 1000 is %s", wait)
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d different waits of 300: no jitter", len(seen))
	}
}

func TestDecide(t *testing.T) {
	now := time.Now()
	unavailable := topup.Result{Outcome: topup.OutcomeUnavailable, Code: "91"}
	unknown := topup.Result{Outcome: topup.OutcomeUnknown}
	begun := func(n int, ago time.Duration, outcomes ...topup.Outcome) []topup.Attempt {
		earlier := make([]topup.Attempt, n-1)
		for i := range earlier {
			earlier[i] = topup.Attempt{Number: i + 1, StartedAt: now.Add(-ago), Outcome: topup.OutcomeUnavailable}
			if i < len(outcomes) {
				earlier[i].Outcome = outcomes[i]
			}
		}
		return earlier
	}
	resend := policy
	resend.ResendUnknown = true
	cases := []struct {
		name    string
		policy  Policy
		result  topup.Result
		earlier []topup.Attempt
		resent  int
		state   topup.State
		reason  topup.Reason
	}{
		{"approved", policy, topup.Result{Outcome: topup.OutcomeApproved}, nil, 0, topup.StateSucceeded, ""},
		{"declined", policy, topup.Result{Outcome: topup.OutcomeDeclined, Code: "51"}, nil, 0, topup.StateFailed,
			topup.ReasonDeclined},
		{"declined after 91", policy, topup.Result{Outcome: topup.OutcomeDeclined}, begun(3, time.Minute), 0,
			topup.StateFailed, topup.ReasonDeclined},
		{"91", policy, unavailable, nil, 0, topup.StateRetrying, ""},
		{"not sent", policy, topup.Result{Outcome: topup.OutcomeNotSent}, nil, 0, topup.StateRetrying, ""},
		{"91, the last try", policy, unavailable, begun(10, time.Minute), 0, topup.StateFailed,
			topup.ReasonRetriesExhausted},
		{"91, out of time", policy, unavailable, begun(3, 30*time.Minute-time.Millisecond), 0, topup.StateFailed,
			topup.ReasonRetriesExhausted},
		{"429 beyond the time", policy, topup.Result{Outcome: topup.OutcomeNotSent, RetryAfter: time.Hour}, nil, 0,
			topup.StateFailed, topup.ReasonRetriesExhausted},
		{"91, a new schedule", policy, unavailable, begun(10, time.Hour, topup.OutcomeUnknown), 9, topup.StateRetrying, ""},
		{"91, out of tries of the new schedule", policy, unavailable, begun(15, time.Minute, topup.OutcomeUnknown), 5,
			topup.StateFailed, topup.ReasonRetriesExhausted},
		{"declined after an unknown", resend, topup.Result{Outcome: topup.OutcomeDeclined, Code: "51"},
			begun(2, time.Minute, topup.OutcomeUnknown), 0, topup.StateFailed, topup.ReasonDeclined},
		{"unknown", policy, unknown, nil, 0, topup.StateUnknown, ""},
		{"unknown, the last try", policy, unknown, begun(10, time.Hour), 0, topup.StateUnknown, ""},
		{"no outcome at all", policy, topup.Result{}, nil, 0, topup.StateUnknown, ""},
		{"unknown, resent", resend, unknown, nil, 0, topup.StateRetrying, ""},
		{"unknown, resent for the last time", resend, unknown, begun(10, time.Minute), 0, topup.StateUnknown, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := topup.Order{ID: "A", AttemptCount: len(c.earlier) + 1, EndsAt: new(now.Add(tried))}
			if len(c.earlier) > c.resent {
				o.EndsAt = new(c.earlier[c.resent].StartedAt.Add(tried))
			}
			s := c.policy.Decide(o, c.result, c.earlier, c.resent, now)
			if s.State != c.state || s.Reason != c.reason {
				t.Errorf("%s/%s, want %s/%s", s.State, s.Reason, c.state, c.reason)
			}
			if (s.NextAttemptAt != nil) != (c.state == topup.StateRetrying) {
				t.Errorf("next attempt at %v in state %s", s.NextAttemptAt, s.State)
			}
		})
	}
}

func TestDecideHonoursTheDistributorsWish(t *testing.T) {
	now := time.Now()
	o := topup.Order{ID: "A", AttemptCount: 1}
	asked := policy.Decide(o, topup.Result{Outcome: topup.OutcomeNotSent, RetryAfter: time.Minute}, nil, 0, now)
	if got := asked.NextAttemptAt.Sub(now); got != time.Minute {
		t.Errorf("Retry-After of a minute is waited for %s", got)
	}
	login := policy.Decide(o, topup.Result{Outcome: topup.OutcomeNotSent, LoginAgain: true}, nil, 0, now)
	if got := login.NextAttemptAt.Sub(now); got != 0 {
		t.Errorf("a refused token is waited for %s", got)
	}
}

// TestExpiryIsWaitedFor: an order that expires before its tries end is not called exhausted.
func TestExpiryIsWaitedFor(t *testing.T) {
	now := time.Now()
	until := now.Add(time.Second)
	o := topup.Order{ID: "A", AttemptCount: 1, ExpiresAt: &until, EndsAt: &until}
	if s := policy.Decide(o, topup.Result{Outcome: topup.OutcomeUnavailable}, nil, 0,
		now); s.State != topup.StateRetrying {
		t.Errorf("it is %s", s.State)
	}
}

// TestFirstProbesSpendNoTry: an order's first three probes spend none of its tries, further ones do; and no probe
// lengthens its time.
func TestFirstProbesSpendNoTry(t *testing.T) {
	p := Policy{Initial: time.Second, Max: time.Second, MaxAttempts: 2}
	now := time.Now()
	const own, probe = false, true
	for _, c := range []struct {
		attempts []bool
		again    bool
	}{
		{[]bool{own}, true},
		{[]bool{own, own}, false},
		{[]bool{probe, probe, probe}, true},
		{[]bool{probe, probe, probe, own}, true},
		{[]bool{probe, probe, probe, own, own}, false},
		{[]bool{own, probe, probe, probe}, true},
		{[]bool{own, probe, probe, probe, probe}, false},
		{[]bool{probe, probe, probe, probe}, true},
		{[]bool{probe, probe, probe, probe, probe}, false},
	} {
		for _, left := range []time.Duration{time.Hour, 0} {
			var earlier []topup.Attempt
			n := len(c.attempts)
			for i, probe := range c.attempts[:n-1] {
				earlier = append(earlier, topup.Attempt{Number: i + 1, StartedAt: now.Add(-time.Minute),
					Outcome: topup.OutcomeUnavailable, Probe: probe})
			}
			result := topup.Result{Outcome: topup.OutcomeUnavailable, HTTPStatus: 500, Code: "91", Probe: c.attempts[n-1]}
			endsAt := now.Add(left)
			s := p.Decide(topup.Order{AttemptCount: n, EndsAt: &endsAt}, result, earlier, 0, now)
			again := c.again && left > 0
			if (s.State == topup.StateRetrying) != again {
				t.Errorf("after the attempts %v (probe: true), %s before its end, it is %s", c.attempts, left, s.State)
			}
		}
	}
}
