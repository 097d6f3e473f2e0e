package reference_test

import (
	"fmt"
	"slices"
	"time"

	"recarga/topup"
)

func (a *author) try() step {
	event, next, now := a.event(), pick(a, topup.EventPending, topup.EventPending, topup.EventDelivered,
		topup.EventExhausted), a.at()
	less := 0
	if a.seldom(5) {
		less = 1
	}
	try := topup.Try{At: now, Error: topup.NullString(pick(a, texts...)), DurationMS: int64(a.IntN(2000))}
	if !a.seldom(3) {
		try.Status = new(pick(a, 200, 410, 500))
	}
	due := now.Add(time.Duration(a.IntN(300)) * time.Second)
	text := fmt.Sprintf("record try %d fewer of %s at %s: %q after %d ms; %s, due %s", less, event, since(now), try.Error,
		try.DurationMS, next, since(due))
	return withEvent(text, event, func(s *side, ev topup.Event) answer {
		ev.TryCount -= less
		return answered(s.RecordTry(ctx, ev, try, next, due))
	})
}

func (a *author) fanOut() step {
	event, now := a.event(), a.at()
	names := [][]string{{"erp"}, {"erp", "crm"}, {"crm"}, {"crm", "erp"}}[a.IntN(4)]
	adopt := a.seldom(3)
	text := fmt.Sprintf("fan out %s to %v, adopt %v, at %s", event, names, adopt, since(now))
	return withEvent(text, event, func(s *side, ev topup.Event) answer {
		if ev.TryCount > 0 || ev.Endpoint != "" {
			return answer{kind: "it was expanded before"}
		}
		copies, err := s.FanOut(ctx, ev, names, adopt, now)
		for _, c := range copies {
			s.toOperator(c)
		}
		return answered(err, copies)
	})
}

func (a *author) redeliver() step {
	event, most, now := a.event(), pick(a, 0, 0, 1, 2), a.at()
	if event == nobodys {
		most = 0 // producer.Producer reads an event before it has it redelivered
	}
	text := fmt.Sprintf("redeliver %s at most %d times at %s", event, most, since(now))
	return withEvent(text, event, func(s *side, ev topup.Event) answer {
		return answered(s.RedeliverWithin(ctx, ev, most, now))
	})
}

func (a *author) redeliverAll() step {
	f := topup.EventFilter{
		State: pick(a, "", "", topup.EventExhausted, topup.EventDelivered), Caller: pick(a, "", "shop", topup.OperatorCaller),
		Type: pick(a, "", "", topup.EventTypeOf(topup.StateFailed)), Endpoint: pick(a, "", "", "erp", topup.DefaultEndpoint),
		Limit: pick(a, 0, 1, 2), MostRedeliveries: pick(a, 0, 1),
	}
	if a.seldom(6) {
		f.Since = noon // later than any id
	}
	now := a.at()
	return step{text: fmt.Sprintf("redeliver all of %+v at %s", f, since(now)), do: func(s *side) answer {
		var done []string
		names := map[string]string{"": ""}
		for name, ev := range s.events {
			names[ev.ID] = name
		}
		count, next, err := s.RedeliverAll(ctx, f, now, func(ev topup.Event) { done = append(done, names[ev.ID]) })
		return answered(err, count, names[next], done)
	}}
}

func (a *author) health() step {
	url, now := pick(a, urls...), a.at()
	if a.seldom(3) {
		return step{text: "healthy " + url, do: func(s *side) answer { return answered(s.EndpointHealthy(ctx, "shop", url)) }}
	}
	return step{text: fmt.Sprintf("failed %s at %s", url, since(now)), do: func(s *side) answer {
		at, err := s.EndpointFailed(ctx, "shop", url, now)
		return answered(err, at)
	}}
}

func (a *author) disable() step {
	d := topup.DisabledEndpoint{Caller: "shop", Endpoint: pick(a, topup.DefaultEndpoint, "erp"), URL: pick(a, urls...),
		Reason: pick(a, texts...)}
	notify, now := a.seldom(2), a.at()
	if a.seldom(2) {
		d.FailingSince = new(now.Add(-time.Duration(a.IntN(50)) * time.Hour))
	}
	return step{text: fmt.Sprintf("disable %s %s failing since %s for %q, notify %v, at %s", d.Endpoint, d.URL,
		sinceOrNil(d.FailingSince), d.Reason, notify, since(now)), do: func(s *side) answer {
		disabled, ev, err := s.DisableEndpoint(ctx, d, notify, now)
		if ev != nil {
			s.toOperator(*ev)
		}
		return answered(err, disabled, ev)
	}}
}

func (a *author) caller() topup.Caller {
	name := pick(a, tenants...)
	return topup.Caller{
		Name: name, CallbackURL: pick(a, urls...), IDPrefix: pick(a, "", "", "s-", "s", "k.", "A", "A.", "k"),
		Secrets: []byte("sealed"), CreatedAt: noon,
		Keys:  []topup.CallerKey{{Hash: []byte(name), Hint: "wxyz", CreatedAt: noon}},
		Quota: topup.Quota{MaxOpen: a.IntN(3), MaxRate: topup.Rate{Count: 5, Per: time.Second}},
	}
}

func (a *author) addCaller() step {
	c := a.caller()
	return step{text: fmt.Sprintf("add caller %s with prefix %q", c.Name, c.IDPrefix), do: func(s *side) answer {
		return answered(s.AddCaller(ctx, c))
	}}
}

func (a *author) changeCaller() step {
	is := a.caller()
	was := is
	was.Version, was.IDPrefix = int64(1+a.IntN(3)), ""
	for _, c := range a.now.Callers {
		if c.Name == is.Name && !a.seldom(6) {
			was = c
		}
	}
	if a.seldom(6) {
		was.Secrets = []byte("sealed by another key")
	}
	return step{text: fmt.Sprintf("change caller %s from version %d with prefix %q to prefix %q, secrets %q", is.Name,
		was.Version, was.IDPrefix, is.IDPrefix, was.Secrets), do: func(s *side) answer {
		return answered(s.ChangeCaller(ctx, is, was))
	}}
}

func (a *author) read() step {
	_, id := a.order()
	event, caller := a.event(), pick(a, append(tenants, "nobody")...)
	switch a.IntN(4) {
	case 0:
		return withEvent("read event "+event, event, func(s *side, ev topup.Event) answer {
			ev, err := s.Event(ctx, ev.ID)
			return answered(err, &ev)
		})
	case 1:
		return step{text: "read caller " + caller, do: func(s *side) answer {
			c, err := s.Caller(ctx, caller)
			byKey, keyErr := s.CallerByKey(ctx, []byte(caller))
			return answered(err, c, byKey, kind(keyErr))
		}}
	case 2:
		return step{text: fmt.Sprintf("read details of %s", id), do: func(s *side) answer {
			d, err := s.Details(ctx, id)
			for i := range d.Events {
				d.Events[i].ID = name(d.Events[i])
			}
			d.Resolutions, d.Corrections, d.Disputes = noneIsNil(d.Resolutions), noneIsNil(d.Corrections),
				noneIsNil(d.Disputes)
			return answered(err, d)
		}}
	}
	return step{text: fmt.Sprintf("read order %s", id), do: func(s *side) answer {
		o, err := s.Order(ctx, id)
		return answered(err, o)
	}}
}

// pages reads what is due page by page, and the foremost of what waits.
func (a *author) pages() step {
	now, limit := a.at(), 1+a.IntN(3)
	return step{text: fmt.Sprintf("read pages of %d at %s", limit, since(now)), do: func(s *side) answer {
		var orders []topup.Due
		var events []string
		for after := (topup.Due{}); ; {
			page, err := s.Due(ctx, now, after, limit)
			if err != nil || len(page) == 0 {
				break
			}
			orders, after = append(orders, page...), page[len(page)-1]
		}
		names := map[string]string{}
		for name, ev := range s.events {
			names[ev.ID] = name
		}
		for after := (topup.DueEvent{}); ; {
			page, err := s.DueEvents(ctx, now, after, limit)
			if err != nil || len(page) == 0 {
				break
			}
			for _, ev := range page {
				events = append(events, names[ev.ID])
			}
			after = page[len(page)-1]
		}
		overdue, err := s.Overdue(ctx, now, limit)
		foremost, waitErr := s.Waiting(ctx, limit)
		placed(foremost)
		return answered(err, slices.Clip(orders), events, overdue, foremost, kind(waitErr))
	}}
}
