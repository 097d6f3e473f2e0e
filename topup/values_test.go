package topup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"recarga/topup"
)

func TestParsePhone(t *testing.T) {
	good := map[string]string{
		"5537686660": "5537686660", "55 3768 6660": "5537686660", "(55) 3768-6660": "5537686660", "55.3768.6660": "5537686660",
		"+525537686660": "5537686660", "+52 55 3768 6660": "5537686660", "525537686660": "5537686660", "5215537686660": "5537686660",
		"+52 1 55 3768 6660": "5537686660", "5255376866": "5255376866", "5500000091": "5500000091", "55\u00a037686660": "5537686660",
	}
	for in, want := range good {
		if got, err := topup.ParsePhone(in); err != nil || got.Digits() != want {
			t.Errorf("ParsePhone(%q) = %q, %v; want %q", in, got.Digits(), err, want)
		}
	}
	bad := []string{"", "1234567890", "0537686660", "553768666", "55376866600", "+15537686660", "+5537686660", "55376866a0",
		"3001234567", "5001234567", "8001234567", "8881234567", "9001234567", "52+5537686660", "५५३७६८६६६०", "++525537686660", "525001234567"}
	for _, in := range bad {
		got, err := topup.ParsePhone(in)
		var field *topup.FieldError
		if !errors.As(err, &field) || field.Field != topup.FieldPhone {
			t.Errorf("ParsePhone(%q) = %q, %v; want a FieldError", in, got.Digits(), err)
		}
	}
}

func TestPhoneNeverPrintsWhole(t *testing.T) {
	phone := topup.Phone("5537686660")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "phone", phone)
	_, err := topup.ParsePhone("55376866601234")
	for _, out := range []string{fmt.Sprint(phone), fmt.Sprintf("%s %v %q", phone, phone, phone), log.String(), err.Error()} {
		if strings.Contains(out, "553768") {
			t.Errorf("leaks: %s", out)
		}
	}
}

func TestAmount(t *testing.T) {
	good := map[string]string{"10": "10", "10.5": "10.50", "10.50": "10.50", "10.00": "10", "1e1": "10", "0.01": "0.01", "5000": "5000"}
	for in, want := range good {
		a, err := topup.ParseAmount(in)
		if err != nil || a.String() != want {
			t.Errorf("ParseAmount(%q) = %s, %v; want %s", in, a, err, want)
		}
		var back topup.Amount
		if err := json.Unmarshal([]byte(in), &back); err != nil || back != a {
			t.Errorf("json %s = %s, %v", in, back, err)
		}
	}
	for _, in := range []string{"", "10.001", "ten", "1e999999999", "1e-999999999", "0x10", "NaN", "99999999999999999999", "1e19"} {
		if a, err := topup.ParseAmount(in); err == nil {
			t.Errorf("ParseAmount(%q) = %s; want an error", in, a)
		}
	}
	var a topup.Amount
	for _, in := range []string{`"10"`, `true`, `{}`} {
		if err := json.Unmarshal([]byte(in), &a); err == nil {
			t.Errorf("json %s is accepted as an amount", in)
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
		"14": topup.OutcomeDeclined, "51": topup.OutcomeDeclined, "83": topup.OutcomeDeclined, "91": topup.OutcomeUnavailable,
		"96": topup.OutcomeUnavailable, "99": topup.OutcomeUnknown, "": topup.OutcomeUnknown, "0": topup.OutcomeUnknown,
	}
	for code, outcome := range want {
		if got := code.Class(topup.DefaultRetryCodes()); got != outcome {
			t.Errorf("%q is %s, want %s", code, got, outcome)
		}
	}
	if got := topup.Code("96").Class([]topup.Code{"91"}); got != topup.OutcomeUnknown {
		t.Errorf("96 taken out of the retry codes is %s, want unknown", got)
	}
}
