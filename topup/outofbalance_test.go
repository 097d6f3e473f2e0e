package topup_test

import (
	"testing"

	"recarga/topup"
)

// TestOutOfBalance: code 51, and 402 where there is no code; the body decides first.
func TestOutOfBalance(t *testing.T) {
	for _, tt := range []struct {
		result topup.Result
		want   bool
	}{
		{topup.Result{Outcome: topup.OutcomeDeclined, Code: "51", HTTPStatus: 200}, true},
		{topup.Result{Outcome: topup.OutcomeDeclined, Code: "51", HTTPStatus: 402}, true},
		{topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 402}, true},
		{topup.Result{Outcome: topup.OutcomeDeclined, Code: "83", HTTPStatus: 402}, false},
		{topup.Result{Outcome: topup.OutcomeDeclined, HTTPStatus: 400}, false},
		{topup.Result{Outcome: topup.OutcomeUnknown, HTTPStatus: 402}, false},
	} {
		if got := tt.result.OutOfBalance(); got != tt.want {
			t.Errorf("%+v is %t", tt.result, got)
		}
	}
}

func TestOutageCause(t *testing.T) {
	o := topup.Outage{Causes: map[string]int{"code 91": 3, "code 96": 41, "no answer": 6}}
	if cause, times, of := o.Cause(); cause != "code 96" || times != 41 || of != 50 {
		t.Errorf("%s, %d of %d", cause, times, of)
	}
	if cause, _, _ := (topup.Outage{}).Cause(); cause != "" {
		t.Errorf("of nothing: %s", cause)
	}
}
