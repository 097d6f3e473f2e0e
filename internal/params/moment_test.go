package params_test

import (
	"testing"
	"time"

	"recarga/internal/params"
	"recarga/topup"
)

func TestMoment(t *testing.T) {
	west := time.FixedZone("west", -6*3600)
	now := time.Date(2026, 3, 1, 20, 30, 0, 0, west) // the next day, in UTC
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 6, 0, 0, 0, time.UTC) }
	for text, want := range map[string]time.Time{
		"1h": now.Add(-time.Hour), "1h30m": now.Add(-90 * time.Minute), "90s": now.Add(-90 * time.Second), "0s": now,
		"2d": now.AddDate(0, 0, -2), "1w": now.AddDate(0, 0, -7), "today": day(3, 1), "yesterday": day(2, 28),
		"2026-02-28": day(2, 28), "2026-02-28T06:00:00Z": day(2, 28), "2026-02-28T01:00:00 05:00": day(2, 28).Add(-10 * time.Hour),
	} {
		got, err := params.Moment("since", now)(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"-1h", "1", "h", "99999d", "1.5d", "1d2h", "tomorrow", "Today", "2026-02-30", "0001-01-01",
		"0001-01-01T00:00:00Z", "2026-02-28T06:00", "12:00", "1h\x00"} {
		got, err := params.Moment("since", now)(text)
		if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Allowed != params.MomentAllowed || !got.IsZero() {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}
