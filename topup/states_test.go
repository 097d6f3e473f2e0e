package topup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"recarga/internal/testkit"
	"recarga/topup"
)

//go:generate go test -run TestStatesDocument . -update

const statesDocument = "../docs/states.md"

// TestStatesDocument keeps docs/states.md equal to the tables of the code.
func TestStatesDocument(t *testing.T) {
	testkit.Generated(t, statesDocument, statesMarkdown())
}

func statesMarkdown() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from topup/state.go by `go generate ./topup`. Do not edit. -->\n\n# The states of " +
		"an order\n\n")
	b.WriteString("| state | meaning | money | final |\n|---|---|---|---|\n")
	for _, f := range topup.StateTable() {
		final := ""
		if f.Final {
			final = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.State, f.Meaning, f.Money, final)
	}
	b.WriteString("\n## Every change there is\n\n| from | to | by | when |\n|---|---|---|---|\n")
	for _, tr := range topup.Transitions() {
		from := "`" + string(tr.From) + "`"
		if tr.From == "" {
			from = "(new)"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", from, tr.To, tr.By, tr.When)
	}
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, tr := range topup.Transitions() {
		from := string(tr.From)
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", from, tr.To, tr.By)
	}
	b.WriteString("```\n")
	return b.String()
}

// TestFinalStatesNeverChange but by a person's correction.
func TestFinalStatesNeverChange(t *testing.T) {
	for _, tr := range topup.Transitions() {
		if tr.From.Final() && tr.By != topup.OpCorrect {
			t.Errorf("%s is final, but %s moves it to %s", tr.From, tr.By, tr.To)
		}
	}
}

func TestEveryStateIsReachedAndLeft(t *testing.T) {
	reached := map[topup.State]bool{}
	left := map[topup.State]bool{}
	for _, tr := range topup.Transitions() {
		reached[tr.To], left[tr.From] = true, true
	}
	for _, f := range topup.StateTable() {
		if !reached[f.State] {
			t.Errorf("no transition leads to %s", f.State)
		}
		if !f.Final && !left[f.State] {
			t.Errorf("nothing leads out of %s", f.State)
		}
	}
}

// TestMoneyMayOnlyMoveWhileSubmitting: an order is called failed or canceled only from states in
// which no attempt is under way and none is in doubt, or by a result or a person.
func TestMoneyMayOnlyMoveWhileSubmitting(t *testing.T) {
	for _, tr := range topup.Transitions() {
		inDoubt := tr.From == topup.StateSubmitting || tr.From == topup.StateUnknown
		noMoney := tr.To == topup.StateFailed || tr.To == topup.StateCanceled
		if inDoubt && noMoney && !slices.Contains([]topup.Operation{topup.OpFinish, topup.OpFinishLate, topup.OpResolve},
			tr.By) {
			t.Errorf("%s moves an order in doubt from %s to %s", tr.By, tr.From, tr.To)
		}
	}
}

func TestAllowed(t *testing.T) {
	if !topup.Allowed(topup.StateQueued, topup.StateSubmitting, topup.OpBegin) {
		t.Error("a queued order cannot begin")
	}
	if topup.Allowed(topup.StateUnknown, topup.StateSubmitting, topup.OpBegin) {
		t.Error("an unknown order can be sent again by itself")
	}
}

func TestParseState(t *testing.T) {
	for _, f := range topup.StateTable() {
		if got, err := topup.ParseState(string(f.State)); got != f.State || err != nil {
			t.Errorf("ParseState(%q) = %q, %v", f.State, got, err)
		}
	}
	if _, err := topup.ParseState("done"); err == nil {
		t.Error("ParseState accepts done")
	}
}
