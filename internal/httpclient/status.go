package httpclient

import (
	"net/http"
	"strconv"
	"time"
)

// Succeeded reports whether a status is one of 2xx.
func Succeeded(status int) bool { return status/100 == 2 }

// MayRecover reports whether the same request may succeed later: a server's own fault, too many requests, or one that
// came too slowly or too early. A server that does not know the method or the protocol will not learn it.
func MayRecover(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= http.StatusInternalServerError
}

// RetryAfter reads the value of a Retry-After header (RFC 9110: seconds, or a date), bounded by most. ok is false
// where it is neither.
func RetryAfter(value string, now time.Time, most time.Duration) (wait time.Duration, ok bool) {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(most/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), most), true
}
