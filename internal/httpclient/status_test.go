package httpclient_test

import (
	"testing"
	"time"

	"recarga/internal/httpclient"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, "7200": time.Hour, "18446744073709551615": time.Hour,
		"Sat, 31 Jan 2026 18:00:30 GMT": 30 * time.Second, "Sat, 31 Jan 2026 17:00:00 GMT": 0,
		"Sun, 31 Jan 2027 18:00:00 GMT": time.Hour,
	} {
		if got, ok := httpclient.RetryAfter(value, now, time.Hour); got != want || !ok {
			t.Errorf("%q: %s, %v, want %s", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "-1", "1.5", "soon"} {
		if got, ok := httpclient.RetryAfter(value, now, time.Hour); got != 0 || ok {
			t.Errorf("%q: %s, %v, want none", value, got, ok)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status                int
		succeeded, mayRecover bool
	}{
		{0, false, false}, {199, false, false}, {200, true, false}, {299, true, false}, {304, false, false},
		{409, false, false},
		{429, false, true}, {499, false, false}, {500, false, true}, {503, false, true},
	} {
		if httpclient.Succeeded(c.status) != c.succeeded || httpclient.MayRecover(c.status) != c.mayRecover {
			t.Errorf("%d: succeeded %v, may recover %v", c.status, httpclient.Succeeded(c.status),
				httpclient.MayRecover(c.status))
		}
	}
}
