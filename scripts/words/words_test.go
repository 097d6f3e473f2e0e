package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblems(t *testing.T) {
	for line, want := range map[string][]string{
		"the caller is told":            {`"told" is retired; write notified, delivered, or said`},
		"func (w *Waker) ringOrder() {": {`"ring" is retired; write enqueue`},
		"type orderBell struct{}":       {`"bell" is retired; write waker`},
		"orders that stand in line":     {`"stand in line" is retired; write wait, or are deferred`},
		"the event is given up":         {`"given up" is retired; write time out (an attempt), or exhausted (an event)`},
		"a string, during, the board":   {`"board" is retired; write shared state`},
		"a string of a dashboard":       nil,
		"reads line 7 of the statement": nil,
		"Enqueue wakes a worker":        nil,
	} {
		if diff := cmp.Diff(want, problems(line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

// TestExceptions: each is of a place; what it excuses there is not excused elsewhere.
func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		path, line string
		want       bool
	}{
		{"CHANGELOG.md", "the caller is told", true},
		{"docs/api.md", "the caller is told", false},
		{"internal/admission/admission.go", "HoldBelow", false},
	} {
		if got := excepted(c.path, c.line); got != c.want {
			t.Errorf("%s: %s: excepted %v, want %v", c.path, c.line, got, c.want)
		}
	}
}
