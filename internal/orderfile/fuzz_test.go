package orderfile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"recarga/internal/table"
	"recarga/topup"
)

// FuzzOrderFile: of whatever file, every row is an order or an error with its line, and no line of NDJSON is passed
// over in silence. That none of a table is: see internal/table.
func FuzzOrderFile(f *testing.F) {
	const one = "A" + good + "\n"
	for _, s := range []string{
		one + one, "\n\r\n" + one + "\n", "A,1\n" + one + `"B"x` + good + "\n" + one, "\"two\nlines\"" + good + "\n" + one,
		"\"open" + good + "\n" + one, "\x00\xff" + good + "\n", "a\rb" + good + "\r\r\n",
		strings.Repeat("x", table.MaxRow) + "\n" + one,
		`{"distributor_transaction_id":"A"}` + "\n\n{]\n \n",
	} {
		f.Add(header+"\n"+s, false)
		f.Add(s, true)
	}
	f.Add(header+",metadata.,callback_url\nA"+good+",\xff,https://h/\xff\n", false)
	f.Add("\xef\xbb\xbf"+header+"\n", false)
	f.Add("\xef\xbb\xbf{\"amount\":1}\n{", false)
	f.Fuzz(func(t *testing.T, content string, lines bool) {
		name := map[bool]string{true: "orders.ndjson", false: "orders.csv"}[lines]
		var rows []row
		err := readRows(strings.NewReader(content), name, ordinary, func(r row) error { rows = append(rows, r); return nil },
			func(string) {})
		for i, r := range rows {
			if r.line < 1 || i > 0 && r.line <= rows[i-1].line ||
				r.line > strings.Count(content, "\n")+strings.Count(content, "\r")+1 {
				t.Fatalf("row %d is at line %d", i, r.line)
			}
			if r.err == nil {
				checkOrder(t, r.request)
			}
		}
		content = strings.TrimPrefix(content, "\xef\xbb\xbf")
		lines = lines || strings.HasPrefix(content, "{")
		switch {
		case errors.As(err, new(*table.FileError)): // the file is refused, not a part of it passed over
		case err != nil:
			t.Errorf("one row ends the file: %v", err)
		case lines && !strings.Contains(content, "\x00"): // else it may be UTF-16
			checkEveryLine(t, content, rows)
		}
	})
}

// checkOrder: an order of a file is one that the API reads as the same.
func checkOrder(t *testing.T, r topup.Request) {
	t.Helper()
	again, err := topup.Fields{
		ID: string(r.ID), Phone: r.Phone.Digits(), Product: r.Product, Amount: r.Amount.String(), Operator: r.Operator,
		CallbackURL: r.CallbackURL, Caller: r.Caller, Metadata: r.Metadata,
	}.Request()
	again.ProcessAt, again.ExpiresAt = r.ProcessAt, r.ExpiresAt
	if err != nil || again.Fingerprint() != r.Fingerprint() {
		t.Errorf("no order: %+v, %v", r, err)
	}
}

// checkEveryLine: each line of NDJSON that is not blank is a row.
func checkEveryLine(t *testing.T, content string, rows []row) {
	t.Helper()
	var want, got []int
	for i, text := range strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(content), "\n") {
		if strings.TrimSpace(text) != "" || len(text) >= table.MaxRow {
			want = append(want, i+1)
		}
	}
	for _, r := range rows {
		got = append(got, r.line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows at lines %v, want %v", got, want)
	}
}
