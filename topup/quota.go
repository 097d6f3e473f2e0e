package topup

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Quota bounds what one caller may have under way. The zero value bounds nothing.
type Quota struct {
	// MaxOpen is how many of its orders may be open: accepted, and not final; 0: any number.
	MaxOpen int
	// MaxRate is how many orders it may place in a time; the zero Rate: any number.
	MaxRate Rate
}

// Rate is at most Count in every Per; the zero value is no limit.
type Rate struct {
	Count int           // at most so many
	Per   time.Duration // in each such time
}

var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// maxRateCount bounds a rate's count.
const maxRateCount = 1_000_000

// ParseRate reads a rate, as in 5/s, 300/m or 1000/h. An empty text is the zero Rate.
func ParseRate(field, s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	count, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	for _, u := range rateUnits {
		if err == nil && n > 0 && n <= maxRateCount && u.name == unit {
			return Rate{n, u.per}, nil
		}
	}
	return Rate{}, &FieldError{Field: field, Value: s, Allowed: "COUNT/s, COUNT/m or COUNT/h, as in 5/s"}
}

// String is the rate as ParseRate reads it.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if r.Count > 0 && u.per == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, u.name)
		}
	}
	return ""
}

// PerSecond is the rate as a number; 0 is no limit.
func (r Rate) PerSecond() float64 {
	if r.Count == 0 {
		return 0
	}
	return float64(r.Count) / r.Per.Seconds()
}

// QuotaError is an order that is refused by one of its caller's quotas.
type QuotaError struct {
	// Reason names the quota, and says when there is room again.
	Reason string
	// After is when it may be placed again.
	After time.Duration
}

func (e *QuotaError) Error() string { return e.Reason }
