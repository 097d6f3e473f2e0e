package params

import (
	"regexp"
	"strconv"
	"time"

	"recarga/topup"
)

// days are so many days or weeks, which time.ParseDuration does not have.
var days = regexp.MustCompile(`^([0-9]{1,4})([dw])$`)

// Moment reads a moment: a time of RFC 3339, a date, today and yesterday (their beginnings), or how long ago it was, as
// in 90s, 1h30m, 2d, 1w. Days begin where now is.
func Moment(name string, now time.Time) func(string) (time.Time, error) {
	return func(s string) (time.Time, error) {
		year, month, day := now.Date()
		if n := days.FindStringSubmatch(s); n != nil {
			count, _ := strconv.Atoi(n[1]) // it is digits
			if n[2] == "w" {
				count *= 7
			}
			return now.AddDate(0, 0, -count).UTC(), nil
		}
		if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
			return now.Add(-ago).UTC(), nil
		}
		switch s {
		case "today":
			return time.Date(year, month, day, 0, 0, 0, 0, now.Location()).UTC(), nil
		case "yesterday":
			return time.Date(year, month, day-1, 0, 0, 0, 0, now.Location()).UTC(), nil
		}
		if t, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil && t.Year() > 1 {
			return t.UTC(), nil
		}
		t, err := Time(name)(s)
		if err != nil {
			return t, &topup.FieldError{Field: name, Value: s, Allowed: MomentAllowed}
		}
		return t, nil
	}
}

// MomentAllowed is what Moment reads.
const MomentAllowed = "a time of RFC 3339, as in 2026-01-31T18:00:00Z, a date, today, yesterday, or how long ago, as in " +
	"30m, 1h, 2d"
