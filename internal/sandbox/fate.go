package sandbox

import (
	"context"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
)

// magicPrefix and four digits make a phone number that chooses its own fate.
const magicPrefix = "550000"

// call is one purchase on its way to its fate.
type call struct {
	s     *Server
	ctx   context.Context // ends when the client leaves
	cfg   Config
	in    order
	token string
	nth   int // which request of this id it is, from 1
}

// outcome brings a call to its end.
type outcome func(*call) answer

// fate is what a magic number does.
type fate struct {
	digits, does string
	run          outcome
}

// fates is the table of magic numbers. Any other number is approved, or meets the rates of the configuration.
func fates() []fate {
	return []fate{
		{"0000", "approved after approve_delay_ms, charged at the end of it", slowly},
		{"0002", "charged twice, answered once", charging(twice)},
		{"0005", "declined: 05 Not authorized", declining("05")},
		{"0012", "declined: 12 Invalid transaction", declining("12")},
		{"0013", "declined: 13 Invalid amount", declining("13")},
		{"0014", "declined: 14 Invalid package", declining("14")},
		{"0051", "declined: 51 Insufficient balance", declining("51")},
		{"0083", "declined: 83 Invalid phone number", declining("83")},
		{"0091", "91 Issuer not available, always", declining("91")},
		{"0096", "96 System error, always", declining("96")},
		{"0200", "charged, but the answer (200) is not JSON", charging(garbled)},
		{"0401", "401 once per id, the token expired; then approved", times(1, expiring)},
		{"0429", "429 with Retry-After: 1 once per id, then approved", times(1, busy)},
		{"0500", "HTTP 500 without a code, not charged", broken},
		{"0501", "HTTP 500 without a code, after charging", charging(brokenAfter)},
		{"0502", "charged, then the connection is cut with no answer", charging(cutAfter)},
		{"0503", "connection cut before charging", cutBefore},
		{"0504", "charged at once, answered after slow_answer_ms", charging(late)},
		{"0599", "charged, HTML 502 from a proxy", charging(proxied)},
		{"1091", "91 twice per id, then approved", times(2, declining("91"))},
		{"1096", "96 twice per id, then approved", times(2, declining("96"))},
	}
}

// charging charges, and then lets the answer come to grief. A call that was not charged anew (a repeated id, an empty
// balance) has no such fate: it is answered.
func charging(then func(*call, answer) answer) outcome {
	return func(c *call) answer {
		p, code, fresh := c.s.charge(c.in)
		switch {
		case code != "00":
			return declined(code, c.in.id)
		case !fresh:
			return approved(p)
		}
		return then(c, approved(p))
	}
}

// approve is the fate of an ordinary number.
func approve(c *call) answer {
	return charging(func(_ *call, a answer) answer { return a })(c)
}

// times gives the first n requests of an id one outcome and approves the rest.
func times(n int, first outcome) outcome {
	return func(c *call) answer {
		if c.nth <= n {
			return first(c)
		}
		return approve(c)
	}
}

func declining(code string) outcome {
	return func(c *call) answer {
		if c.cfg.ChargeUnavailable && c.nth == 1 && (code == "91" || code == "96") {
			c.s.charge(c.in)
		}
		return declined(code, c.in.id)
	}
}

// slowly charges late, and does so for a client that has left, too.
func slowly(c *call) answer {
	c.s.wait(context.WithoutCancel(c.ctx), millisToDuration(c.cfg.ApproveDelayMS))
	return approve(c)
}

func expiring(c *call) answer {
	c.s.expire(c.token)
	return unauthorized()
}

func busy(*call) answer {
	a := failed(http.StatusTooManyRequests, "Too many requests")
	a.retryAfter = "1"
	return a
}

func broken(*call) answer { return failed(http.StatusInternalServerError, "Internal Server Error") }

func cutBefore(*call) answer { return answer{} }

func brokenAfter(c *call, _ answer) answer { return broken(c) }

func cutAfter(*call, answer) answer { return answer{} }

func twice(c *call, a answer) answer {
	c.s.chargeAgain(c.in)
	return a
}

// late needs no end of its own when the client leaves: the money has moved.
func late(c *call, a answer) answer {
	c.s.wait(c.ctx, millisToDuration(c.cfg.SlowAnswerMS))
	return a
}

func garbled(*call, answer) answer {
	return answer{status: http.StatusOK, contentType: "application/json", body: []byte("Aprobado\n")}
}

func proxied(*call, answer) answer {
	const page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
	return answer{status: http.StatusBadGateway, contentType: "text/html", body: []byte(page)}
}

// draw is the fate of an ordinary number under the rates of the configuration. It depends on nothing but the seed, the
// id and the count of its requests.
func (c *call) draw() outcome {
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.in.id)
	lot := rand.New(rand.NewPCG(c.cfg.Seed, h.Sum64()+uint64(c.nth))).Float64()
	for _, share := range []struct {
		rate float64
		run  outcome
	}{
		{c.cfg.Rate91, declining("91")},
		{c.cfg.Rate96, declining("96")},
		{c.cfg.Rate500, broken},
		{c.cfg.Rate500Charged, charging(brokenAfter)},
		{c.cfg.RateCut, cutBefore},
		{c.cfg.RateCutCharged, charging(cutAfter)},
	} {
		if lot < share.rate {
			return share.run
		}
		lot -= share.rate
	}
	return approve
}
