package reconcile

import (
	"testing"
	"time"

	"recarga/topup"
)

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		text string
		mark Decimal
		want topup.Amount // -1: refused
	}{
		{"10", DecimalAuto, 1000}, {"10.5", DecimalAuto, 1050}, {"10.50", DecimalAuto, 1050}, {"10,50", DecimalAuto, 1050}, {"10.0000", DecimalAuto, 1000},
		{"$10.00", DecimalAuto, 1000}, {"$ 10.00 MXN", DecimalAuto, 1000}, {"10 mxn", DecimalAuto, 1000}, {"0", DecimalAuto, 0}, {"0.5", DecimalAuto, 50},
		{"1,234.50", DecimalAuto, 123450}, {"1.234,50", DecimalAuto, 123450}, {"1,234,567", DecimalAuto, 123456700}, {"1.234.567,8", DecimalAuto, 123456780},
		{"1,234", DecimalAuto, -1}, {"1.234", DecimalAuto, -1}, {"10.000", DecimalAuto, -1},
		{"1,234", DecimalPoint, 123400}, {"10.000", DecimalPoint, 1000}, {"1,234.000", DecimalPoint, 123400}, {"10,5", DecimalPoint, -1},
		{"1.234", DecimalComma, 123400}, {"10,000", DecimalComma, 1000}, {"10.5", DecimalComma, -1}, {"1,234.5", DecimalComma, -1},
		{"10.001", DecimalPoint, -1}, {"10.005", DecimalAuto, -1}, {"12,34,567", DecimalAuto, -1}, {"1,23.4", DecimalAuto, -1}, {"1.2,3.4", DecimalAuto, -1},
		{"-10", DecimalAuto, -1}, {"(10)", DecimalAuto, -1}, {"", DecimalAuto, -1}, {"ten", DecimalAuto, -1}, {"1e3", DecimalAuto, -1}, {"10.", DecimalAuto, 1000},
		{".5", DecimalAuto, -1}, {"10 USD", DecimalAuto, -1}, {"99999999999999999999", DecimalAuto, -1},
	} {
		got, ok := parseAmount(c.text, c.mark)
		if ok != (c.want >= 0) || ok && got != c.want {
			t.Errorf("%q with %q is %d, %t; want %d", c.text, c.mark, got, ok, c.want)
		}
	}
}

func TestMoments(t *testing.T) {
	zone, err := time.LoadLocation(DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	const local = "2026-11-05T18:04:00-06:00"
	for _, c := range []struct {
		text  string
		order Dates
		want  string // empty: refused
	}{
		{"2026-11-05 18:04:00", DatesDayFirst, local}, {"2026-11-05T18:04:00", DatesDayFirst, local}, {"2026-11-05 18:04", DatesDayFirst, local},
		{"2026-11-05T18:04:00.000-06:00", DatesDayFirst, local}, {"2026-11-06T00:04:00Z", DatesDayFirst, local}, {"2026-11-05 18:04:00 -0600", DatesDayFirst, local},
		{"05/11/2026 18:04:00", DatesDayFirst, local}, {"5/11/2026 18:04", DatesDayFirst, local}, {"05-11-2026 06:04:00 PM", DatesDayFirst, local},
		{"05/11/2026 6:04 p. m.", DatesDayFirst, local}, {"05/11/2026  06:04:00 p.m.", DatesDayFirst, local}, {"20261105180400", DatesDayFirst, local},
		{"11/05/2026 18:04:00", DatesMonthFirst, local}, {"2026/11/05 18:04:00", DatesMonthFirst, local},
		{"2026-11-05", DatesDayFirst, "2026-11-05T00:00:00-06:00 day"}, {"05/11/2026", DatesDayFirst, "2026-11-05T00:00:00-06:00 day"},
		{"13/11/2026", DatesMonthFirst, ""}, {"31/02/2026", DatesDayFirst, ""}, {"yesterday", DatesDayFirst, ""}, {"", DatesDayFirst, ""}, {"18:04:00", DatesDayFirst, ""},
	} {
		got, ok := parseMoment(c.text, c.order, zone)
		text := ""
		if ok {
			text = got.at.In(zone).Format(time.RFC3339)
			if got.day {
				text += " day"
			}
		}
		if text != c.want {
			t.Errorf("%q is %q, want %q", c.text, text, c.want)
		}
	}
}
