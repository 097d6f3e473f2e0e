package view

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"recarga/internal/terminal"
	"recarga/topup"
)

// TestTableFits: whatever the width, no line is wider, the order and its state are there, and nothing of
// a cell is lost.
func TestTableFits(t *testing.T) {
	o := topup.Order{
		ID: "0198c0de-7a10-7cc3-98a5-0b1c2d3e4f50", State: topup.StateFailed, Reason: topup.ReasonRetriesExhausted,
		Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10), AttemptCount: 10, ResponseCode: "91",
		UpdatedAt: time.Now(),
	}
	for width, head := range map[int]string{
		0:   "ORDER STATE PHONE PRODUCT AMOUNT ATTEMPTS CODE UPDATED",
		200: "ORDER STATE PHONE PRODUCT AMOUNT ATTEMPTS CODE UPDATED",
		120: "ORDER STATE PHONE AMOUNT CODE UPDATED",
		80:  "ORDER STATE PHONE",
		40:  "ORDER STATE PHONE",
	} {
		var b strings.Builder
		if err := Orders(terminal.Screen{Writer: &b, Width: width}, o, o); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); got != head {
			t.Errorf("at %d columns: %s, want %s", width, got, head)
		}
		id := ""
		for _, line := range lines {
			if width > 0 && utf8.RuneCountInString(line) > width || line != strings.TrimRight(line, " ") {
				t.Errorf("at %d columns: %q", width, line)
			}
			if first, _, _ := strings.Cut(line, " "); first != "ORDER" {
				id += first
			}
		}
		if id != string(o.ID+o.ID) {
			t.Errorf("at %d columns the orders are %s", width, id)
		}
	}
}

func TestTableColours(t *testing.T) {
	o := topup.Order{ID: "A", State: topup.StateUnknown, Amount: topup.Pesos(10)}
	for colour, want := range map[bool]string{true: "A      \x1b[33munknown\x1b[0m  ", false: "A      unknown  "} {
		var b strings.Builder
		if err := Orders(terminal.Screen{Writer: &b, Colours: colour}, o); err != nil || !strings.Contains(b.String(), "\n"+want) {
			t.Errorf("got %q, %v", b.String(), err)
		}
	}
}
