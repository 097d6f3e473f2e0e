package statement

import (
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	zone, err := time.LoadLocation("America/Mexico_City")
	if err != nil {
		t.Fatal(err)
	}
	const local = "2026-11-05T18:04:00-06:00"
	for _, c := range []struct {
		text  string
		order Dates
		want  string // empty: refused
	}{
		{"2026-11-05 18:04:00", DatesDayFirst, local}, {"2026-11-05T18:04:00", DatesDayFirst, local}, {"2026-11-05 18:04",
			DatesDayFirst, local},
		{"2026-11-05T18:04:00.000-06:00", DatesDayFirst, local}, {"2026-11-06T00:04:00Z", DatesDayFirst,
			local}, {"2026-11-05 18:04:00 -0600", DatesDayFirst, local},
		{"05/11/2026 18:04:00", DatesDayFirst, local}, {"5/11/2026 18:04", DatesDayFirst, local}, {"05-11-2026 06:04:00 PM",
			DatesDayFirst, local},
		{"05/11/2026 6:04 p. m.", DatesDayFirst, local}, {"05/11/2026  06:04:00 p.m.", DatesDayFirst,
			local}, {"20261105180400", DatesDayFirst, local},
		{"11/05/2026 18:04:00", DatesMonthFirst, local}, {"2026/11/05 18:04:00", DatesMonthFirst, local},
		{"2026-11-05", DatesDayFirst, "2026-11-05T00:00:00-06:00 day"}, {"05/11/2026", DatesDayFirst,
			"2026-11-05T00:00:00-06:00 day"},
		{"13/11/2026", DatesMonthFirst, ""}, {"31/02/2026", DatesDayFirst, ""}, {"yesterday", DatesDayFirst, ""}, {"",
			DatesDayFirst, ""}, {"18:04:00", DatesDayFirst, ""},
	} {
		got, ok := ParseMoment(c.text, c.order, zone)
		text := ""
		if ok {
			text = got.At.In(zone).Format(time.RFC3339)
			if got.Day {
				text += " day"
			}
		}
		if text != c.want {
			t.Errorf("%q is %q, want %q", c.text, text, c.want)
		}
	}
}
