package e2e

import (
	"bufio"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"recarga/topup"
)

// TestLogHasEveryChange: each change of an order's state is one line, with the ids to find the rest, and the
// webhook's delivery is another.
func TestLogHasEveryChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.start(t, "serve")
	c := p.client()
	bought := place(t, c, order("LOG-1", "5500001091")) // unavailable twice, then approved
	held := place(t, c, order("LOG-2", "5500000500"))
	w.notified(t, settled(t, c, bought.ID))
	w.notified(t, settled(t, c, held.ID))
	if _, err := p.client().Resolve(t.Context(), held.ID,
		topup.Resolution{Outcome: topup.ResolvedSucceeded, Reason: "in the statement", By: "ana"}); err == nil {
		t.Error("a caller's key settles an order")
	}
	p.terminate()
	for id, want := range map[topup.ID][]string{
		bought.ID: {"queued", "submitting", "retrying", "submitting", "retrying", "submitting", "succeeded", "delivered"},
		held.ID:   {"queued", "submitting", "unknown", "delivered"},
	} {
		if got := storyOf(t, p.log(), id); !slices.Equal(got, want) {
			t.Errorf("the log says of %s: %v, want %v", id, got, want)
		}
	}
	noSecrets(t, p.log())
}

// storyOf are the states that the log says of an order.
func storyOf(t *testing.T, log string, id topup.ID) (story []string) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		var r struct {
			Msg, Order, Caller, State, Event string
			Attempt                          int
		}
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Order != string(id) {
			continue
		}
		if r.Caller != topup.DefaultCaller || r.State == "submitting" && r.Attempt == 0 {
			t.Errorf("a line does not say whose order it is, or which attempt: %s", lines.Text())
		}
		switch {
		case r.State != "":
			story = append(story, r.State)
		case r.Msg == "webhook delivered" && r.Event != "":
			story = append(story, "delivered")
		}
	}
	return story
}
