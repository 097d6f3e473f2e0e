package webhook

import (
	"sync"

	"golang.org/x/time/rate"
)

// maxRates bounds the endpoints whose rates are remembered; a forgotten one may begin with a burst.
const maxRates = 4096

// rates bounds the tries a second to each endpoint.
type rates struct {
	limit rate.Limit // 0: no bound

	mu sync.Mutex
	by map[string]*rate.Limiter
}

func newRates(perSecond float64) *rates {
	return &rates{limit: rate.Limit(perSecond), by: map[string]*rate.Limiter{}}
}

func (r *rates) allow(origin string) bool {
	if r.limit == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	limiter := r.by[origin]
	if limiter == nil {
		if len(r.by) >= maxRates {
			clear(r.by)
		}
		limiter = rate.NewLimiter(r.limit, max(1, int(r.limit)))
		r.by[origin] = limiter
	}
	return limiter.Allow()
}
