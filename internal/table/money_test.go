package table

import "testing"

func TestDecimalAmount(t *testing.T) {
	for _, c := range []struct {
		text string
		mark Decimal
		want int64 // centavos; -1: refused
	}{
		{"10", DecimalAuto, 1000}, {"10.5", DecimalAuto, 1050}, {"10.50", DecimalAuto, 1050}, {"10,50", DecimalAuto,
			1050}, {"10.0000", DecimalAuto, 1000},
		{"$10.00", DecimalAuto, 1000}, {"$ 10.00 MXN", DecimalAuto, 1000}, {"10 mxn", DecimalAuto, 1000}, {"0", DecimalAuto,
			0}, {"0.5", DecimalAuto, 50},
		{"1,234.50", DecimalAuto, 123450}, {"1.234,50", DecimalAuto, 123450}, {"1,234,567", DecimalAuto,
			123456700}, {"1.234.567,8", DecimalAuto, 123456780},
		{"1,234", DecimalAuto, -1}, {"1.234", DecimalAuto, -1}, {"10.000", DecimalAuto, -1},
		{"1,234", DecimalPoint, 123400}, {"10.000", DecimalPoint, 1000}, {"1,234.000", DecimalPoint, 123400}, {"10,5",
			DecimalPoint, -1},
		{"1.234", DecimalComma, 123400}, {"10,000", DecimalComma, 1000}, {"10.5", DecimalComma, -1}, {"1,234.5",
			DecimalComma, -1},
		{"10.001", DecimalPoint, -1}, {"10.005", DecimalAuto, -1}, {"12,34,567", DecimalAuto, -1}, {"1,23.4", DecimalAuto,
			-1}, {"1.2,3.4", DecimalAuto, -1},
		{"-10", DecimalAuto, -1}, {"(10)", DecimalAuto, -1}, {"", DecimalAuto, -1}, {"ten", DecimalAuto, -1}, {"1e3",
			DecimalAuto, -1}, {"10.", DecimalAuto, 1000},
		{"1.000,00", DecimalAuto, 100000}, {"1e1", DecimalAuto, -1}, {"10,000", DecimalAuto, -1}, {"MXN 10", DecimalAuto,
			1000}, {"MX$ 10.50", DecimalAuto, 1050},
		{"10 pesos", DecimalAuto, 1000}, {"US$10", DecimalAuto, -1}, {"$", DecimalAuto, -1}, {"1'000.50", DecimalAuto,
			100050}, {"1 000,50", DecimalAuto, 100050},
		{"1\u00a0000", DecimalAuto, 100000}, {"1 00", DecimalAuto, -1}, {"10 20", DecimalAuto, -1}, {"1'000 000",
			DecimalAuto, -1}, {"\u202a10,50\u202c", DecimalAuto, 1050},
		{"+10", DecimalAuto, -1}, {"１０", DecimalAuto, -1}, {"92233720368547758.08", DecimalAuto,
			-1}, {"92233720368547758.07", DecimalAuto, 9223372036854775807},
		{".5", DecimalAuto, -1}, {"10 USD", DecimalAuto, -1}, {"99999999999999999999", DecimalAuto, -1},
	} {
		got, err := c.mark.Amount(c.text)
		if (err == nil) != (c.want >= 0) || err == nil && int64(got) != c.want {
			t.Errorf("%q with %q is %d, %v; want %d", c.text, c.mark, got, err, c.want)
		}
	}
}
