package topup_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

func TestParsePhone(t *testing.T) {
	good := map[string]string{
		"5537686660": "5537686660", "55 3768 6660": "5537686660", "(55) 3768-6660": "5537686660",
		"+525537686660":    "5537686660",
		"+52 55 3768 6660": "5537686660", "525537686660": "5537686660", "5215537686660": "5537686660",
		"+52 1 55 3768 6660": "5537686660",
		"5255376866":         "5255376866", "5215376866": "5215376866", "5500000091": "5500000091",
		"55\u00a037686660": "5537686660",
		"+5215537686660":   "5537686660",
		"55 37 68 66 60":   "5537686660", "52 55 37 68 66 60": "5537686660", "(+52) 55-3768-6660": "5537686660",
		// Dots, where people write them.
		"55.3768.6660": "5537686660", "553.768.6660": "5537686660", "55.37.68.66.60": "5537686660",
		"+52.55.3768.6660":  "5537686660",
		"52.1.55.3768.6660": "5537686660", "(55)3768.6660": "5537686660", "5255.3768.6660": "5537686660",
		// What cannot be seen, and hyphens and spaces of other alphabets.
		"\u202a+52\u00a055\u00a03768\u20116660\u202c": "5537686660", "55\u00ad3768\u200b6660": "5537686660",
		"\ufeff5537686660":       "5537686660",
		"55\u20133768\u22126660": "5537686660", "55\u30003768\u20096660\t": "5537686660",
		"\u20665537686660\u2069\n": "5537686660",
	}
	for in, want := range good {
		if got, err := topup.ParsePhone(in); err != nil || got.Digits() != want {
			t.Errorf("ParsePhone(%q) = %q, %v; want %q", in, got.Digits(), err, want)
		}
	}
	const asText = "format the column as text"
	bad := map[string]string{ // and what the refusal says
		"": "absent", " \t": "must be", "1234567890": "begins with 1", "0537686660": "begins with 0",
		"553768666":    "9 digits",
		"55376866600":  "11 digits",
		"+15537686660": "+52", "+5537686660": "+52", "55376866a0": `'a' (U+0061)`, "521553768666": "begins with 1",
		"3001234567": "begins with 300", "5001234567": "500", "8001234567": "800", "8881234567": "888", "9001234567": "900",
		"525001234567":  "500",
		"52+5537686660": "'+' (U+002B)", "५५३७६८६६६०": "'५' (U+096B)", "++525537686660": "'+'", "５５３７６８６６６０": "'５' (U+FF15)",
		"tel:+525537686660": "'t'", "5537686660 x12": "'x'", "5537686660,5537686661": "','", "55/37686660": "'/'",
		"'5537686660": `'\''`,
		// Numbers that a spreadsheet has written.
		"553768666.0": asText, "5537686660.0": asText, "5.53769E+09": "digits are lost", "53768666.00": asText,
		"5255376866.60": asText,
		"5537686660e0":  asText, "5.53768666e9": asText, "5,53769E+09": "digits are lost", "5537686660,00": asText,
		"5,537,686,660": asText,
		"5.537.686.660": asText, "5.537.686.660,00": asText, "5537686660.": asText,
		// Dots in other places, and a minus.
		"55.37686660": asText, "5537.686660": asText, "52.5537686660": asText, "5537.68.6660": "dots",
		".55.3768.6660": "'.'",
		"55..3768.6660": "'.'",
		"55.3768.6660.": "ends with", "-5537686660": "begins with '-'", "\u22125537686660": "U+2212",
		"\u200b-5537686660": "begins with '-'",
		"(-55)37686660":     "begins with '-'", "5537686660-": "ends with '-'", "+-525537686660": "begins with '-'",
		// Prefixes that are gone, and extensions.
		"0445537686660": "044", "01 55 3768 6660": "01", "00525537686660": "00", "5255376866 60": "extension",
		"5255376866-60":     "extension",
		"5215376866 660":    "extension",
		"55\u2800376866 60": "U+2800", "55\n37686660": "U+000A", "55\x0037686660": "U+0000", "55\xff37686660": "UTF-8",
	}
	for in, says := range bad {
		got, err := topup.ParsePhone(in)
		var field *topup.FieldError
		if !errors.As(err, &field) || field.Field != topup.FieldPhone || !strings.Contains(err.Error(), says) {
			t.Errorf("ParsePhone(%q) = %q, %v; want a FieldError that says %q", in, got.Digits(), err, says)
		}
	}
}

// TestRefusedPhoneIsKnownByItsOwner: a refusal shows the last four characters and the length, and no more.
func TestRefusedPhoneIsKnownByItsOwner(t *testing.T) {
	for in, shown := range map[string]string{
		"553768666.0": `"*******66.0" (11 characters)`, "666": `"666" (3 characters)`,
		"5537686660\u200b1":                `"********60\u200b1" (12 characters)`,
		strings.Repeat("5", 3000) + "6660": `"************************************6660" (3004 characters)`,
		"":                                 "an absent or empty value",
	} {
		_, err := topup.ParsePhone(in)
		if got := topup.FieldErrors(err)[0].Shown(); got != shown {
			t.Errorf("%.20q is shown as %s, want %s", in, got, shown)
		}
	}
	stray := topup.FieldError{Field: "phone", Value: "+52 55 3768 6660", Allowed: "absent"}
	if got := stray.Error(); strings.Contains(got, "3768") || !strings.Contains(got, "6660") {
		t.Errorf("a number in another field is shown: %s", got)
	}
}

func TestPhoneNeverPrintsWhole(t *testing.T) {
	phone := topup.Phone("5537686660")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "phone", phone)
	_, err := topup.ParsePhone("55376866601234")
	for _, out := range []string{fmt.Sprint(phone), fmt.Sprintf("%s %v %q", phone, phone, phone), log.String(),
		err.Error()} {
		if strings.Contains(out, "553768") {
			t.Errorf("leaks: %s", out)
		}
	}
}

func TestAmount(t *testing.T) {
	good := map[string]string{"10": "10", "10.5": "10.50", "10.50": "10.50", "10.00": "10", "1e1": "10", "0.01": "0.01",
		"5000":   "5000",
		"10.000": "10", "100E-1": "10", "-10.50": "-10.50"}
	for in, want := range good {
		var a topup.Amount
		if err := json.Unmarshal([]byte(in), &a); err != nil || a.String() != want {
			t.Errorf("json %s = %s, %v; want %s", in, a, err, want)
		}
	}
	for _, in := range []string{`"10"`, `true`, `{}`, `null`, "10.001", "1e999999999", "1e-999999999", "1E400",
		"99999999999999999999", "1e19",
		"1" + strings.Repeat("0", 5000)} {
		var a topup.Amount
		if err := json.Unmarshal([]byte(in), &a); err == nil {
			t.Errorf("json %.30s is accepted as an amount", in)
		}
	}
}

func TestParseAmount(t *testing.T) {
	good := map[string]string{
		"10": "10", "10.5": "10.50", "10.50": "10.50", "10.00": "10", "0.01": "0.01", "5000": "5000", "$10.00": "10",
		"10,00":    "10",
		"1,000.00": "1000",
		"1.000,00": "1000", "10 MXN": "10", "$ 1,234.50 mxn": "1234.50", "MX$10": "10", "10 pesos": "10", "10.": "10",
		"010":      "10",
		"1 000,50": "1000.50",
		"1'000.50": "1000.50", "1\u00a0000.00": "1000", "1,234,567": "1234567", "10.5000": "10.50", "\u202a10\u202c": "10",
		" 10\t": "10",
	}
	for in, want := range good {
		if a, err := topup.ParseAmount(in); err != nil || a.String() != want {
			t.Errorf("ParseAmount(%q) = %s, %v; want %s", in, a, err, want)
		}
	}
	bad := map[string]string{
		"": "absent", "ten": "10.50", "0x10": "10.50", "NaN": "10.50", "+10": "10.50", "-10": "10.50", ".5": "10.50",
		"\u221210": "10.50", "１０": "10.50",
		"1,000": "two ways", "1.000": "two ways", "10.001": "two ways", "10.0010": "more than 2 decimals",
		"1e1":         "shortened",
		"1E400":       "shortened",
		"1e999999999": "shortened", "99999999999999999999": "too large", "12,34,567": "10.50", "1,23.45": "10.50",
		"10 USD": "10.50",
		"10%":    "10.50",
		"1 0":    "10.50", "10 10": "10.50", "1'00": "10.50", "10-20": "10.50", strings.Repeat("1", 100): "too long",
	}
	for in, says := range bad {
		a, err := topup.ParseAmount(in)
		if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != topup.FieldAmount ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("ParseAmount(%q) = %s, %v; want a FieldError that says %q", in, a, err, says)
		}
	}
	for in, want := range map[string][2]string{"1,000": {"1000", "1"}, "1.000": {"1", "1000"},
		"1,000.50": {"1000.50", ""}, "1.000,50": {"", "1000.50"}} {
		for i, mark := range []topup.DecimalMark{topup.MarkPoint, topup.MarkComma} {
			if a, err := topup.ParseAmountMark(in, mark); (err == nil) != (want[i] != "") || err == nil &&
				a.String() != want[i] {
				t.Errorf("%q with %c is %s, %v; want %q", in, mark, a, err, want[i])
			}
		}
	}
}

// cases reads the rows of a file of orders by their ids.
func cases(t *testing.T, name string) map[string]topup.Fields {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "orders", name))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]topup.Fields{}
	for _, row := range rows[1:] {
		found[row[0]] = topup.Fields{ID: row[0], Phone: row[1], Product: row[2], Amount: row[3]}
	}
	return found
}

// TestCases: files of people who do this job, and what is right for each row: the phone number or amount that is
// meant, or a refusal of that field which says why.
func TestCases(t *testing.T) {
	const asText = "format the column as text"
	tests := []struct{ file, id, want, refused, says string }{
		{file: "phones.csv", id: "P-1", refused: topup.FieldPhone, says: asText},
		{file: "phones.csv", id: "P-2", refused: topup.FieldPhone, says: "a spreadsheet wrote it as a number"},
		{file: "phones.csv", id: "P-3", refused: topup.FieldPhone, says: "digits are lost"},
		{file: "phones.csv", id: "P-4", want: "5537686660 10"},
		{file: "phones.csv", id: "P-5", refused: topup.FieldPhone, says: asText},
		{file: "phones.csv", id: "P-6", refused: topup.FieldPhone, says: asText},
		{file: "phones.csv", id: "P-7", refused: topup.FieldPhone, says: "begins with '-'"},
		{file: "phones.csv", id: "P-8", want: "5537686660 10"},
		{file: "phones.csv", id: "P-9", refused: topup.FieldPhone, says: asText},
		{file: "invisible.csv", id: "I-1", want: "5537686660 10"},
		{file: "invisible.csv", id: "I-2", refused: topup.FieldPhone, says: "U+FF15"},
		{file: "invisible.csv", id: "I-3", refused: topup.FieldPhone, says: "'t' (U+0074)"},
		{file: "invisible.csv", id: "I-4", refused: topup.FieldPhone, says: "044"},
		{file: "amounts.csv", id: "A-1", want: "5537686660 10"},
		{file: "amounts.csv", id: "A-2", want: "5537686660 10"},
		{file: "amounts.csv", id: "A-3", want: "5537686660 1000"},
		{file: "amounts.csv", id: "A-4", refused: topup.FieldAmount, says: "shortened"},
		{file: "amounts.csv", id: "A-5", want: "5537686660 10"},
	}
	judged := map[string]int{}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			rows := cases(t, tt.file)
			judged[tt.file]++
			r, err := rows[tt.id].Request()
			if tt.refused == "" {
				if got := fmt.Sprint(r.Phone.Digits(), " ", r.Amount); err != nil || got != tt.want {
					t.Errorf("%+v is %s, %v; want %s", rows[tt.id], got, err, tt.want)
				}
				return
			}
			if fields := topup.FieldErrors(err); len(fields) != 1 || fields[0].Field != tt.refused ||
				!strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v: %v; want %s refused, and %q", rows[tt.id], err, tt.refused, tt.says)
			}
		})
	}
	for file, n := range judged {
		if rows := len(cases(t, file)); rows != n {
			t.Errorf("%s has %d rows, and %d are judged", file, rows, n)
		}
	}
}

func TestIDCases(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "orders", "ids.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[topup.ID]bool{}
	for line := range bytes.Lines(data) {
		var named struct {
			ID topup.ID `json:"distributor_transaction_id"`
		}
		if err := json.Unmarshal(line, &named); err != nil {
			t.Fatal(err)
		}
		r, err := topup.ParseRequest(line)
		got[named.ID] = err == nil && r.ID == named.ID
	}
	want := map[topup.ID]bool{".": false, "..": false, "a:b": true, "...": true, "-x": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{".a", "..a", "._", "..-", "a.", "a..", "_", ":", "-", "--", strings.Repeat(".", 64)} {
		if _, err := topup.ParseID(id); err != nil {
			t.Error(err)
		}
	}
}

func TestCatalogue(t *testing.T) {
	products := topup.DefaultCatalog().Products()
	if len(products) != 11 {
		t.Fatalf("%d products, the document has 11", len(products))
	}
	for _, p := range products {
		if p.Fixed() == (p.ID == "MOVISTAR_TAE") {
			t.Errorf("%s: fixed is %v", p.ID, p.Fixed())
		}
		if !p.Sells(p.Min) || !p.Sells(p.Max) || p.Sells(p.Min-1) || p.Sells(p.Max+1) {
			t.Errorf("%s: wrong range", p.ID)
		}
	}
}

func TestCodeClass(t *testing.T) {
	want := map[topup.Code]topup.Outcome{
		"00": topup.OutcomeApproved, "05": topup.OutcomeDeclined, "12": topup.OutcomeDeclined, "13": topup.OutcomeDeclined,
		"14": topup.OutcomeDeclined, "51": topup.OutcomeDeclined, "83": topup.OutcomeDeclined,
		"91": topup.OutcomeUnavailable,
		"96": topup.OutcomeUnavailable, "99": topup.OutcomeUnknown, "": topup.OutcomeUnknown, "0": topup.OutcomeUnknown,
	}
	for code, outcome := range want {
		if got := code.Class(topup.DefaultRetryCodes()); got != outcome {
			t.Errorf("%q is %s, want %s", code, got, outcome)
		}
	}
	for _, code := range topup.Codes() {
		if want[code] == "" {
			t.Errorf("nothing is expected of %s", code)
		}
	}
	if got := topup.Code("96").Class([]topup.Code{"91"}); got != topup.OutcomeUnknown {
		t.Errorf("96 taken out of the retry codes is %s, want unknown", got)
	}
}
