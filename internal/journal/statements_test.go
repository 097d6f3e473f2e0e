package journal

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/topup"
)

var guard = regexp.MustCompile(`\bstate IN \('([a-z', ]*)'\)`)

// TestStatementsObeyTheTable: which states a statement changes is written out in it. It must be what the table says.
func TestStatementsObeyTheTable(t *testing.T) {
	type change struct {
		by topup.Operation
		to topup.State
	}
	begin := change{topup.OpBegin, topup.StateSubmitting}
	changes := map[string]change{
		"sqlite/begin": begin, "sqlite/begin_first": begin, "postgres/begin": begin, "postgres/begin_first": begin,
		"defer":             begin, // what waits is what could begin
		"end":               {topup.OpEnd, topup.StateFailed},
		"cancel":            {topup.OpCancel, topup.StateCanceled},
		"hold":              {topup.OpHold, topup.StateUnknown},
		"finish_late":       {topup.OpFinishLate, topup.StateSucceeded},
		"correct_succeeded": {topup.OpCorrect, topup.StateSucceeded},
		"correct_failed":    {topup.OpCorrect, topup.StateFailed},
		"resolve_succeeded": {topup.OpResolve, topup.StateSucceeded},
		"resolve_failed":    {topup.OpResolve, topup.StateFailed},
		"resolve_resend":    {topup.OpResolve, topup.StateRetrying},
	}
	for name, text := range sqls {
		found := guard.FindStringSubmatch(text)
		c, known := changes[name]
		if !strings.Contains(text, "UPDATE orders") || found == nil && !known {
			continue
		}
		if found == nil || !known {
			t.Errorf("%s: from %q, by %v", name, found, c)
			continue
		}
		var allowed []string
		for _, f := range topup.StateTable() {
			if topup.Allowed(f.State, c.to, c.by) {
				allowed = append(allowed, string(f.State))
			}
		}
		from := strings.Split(found[1], "', '")
		slices.Sort(from)
		slices.Sort(allowed)
		if diff := cmp.Diff(allowed, from); diff != "" {
			t.Errorf("%s: %s to %s (-table +statement):\n%s", name, c.by, c.to, diff)
		}
		delete(changes, name)
	}
	for name := range changes {
		t.Errorf("%s is no statement that changes orders", name)
	}
}

// TestColumnListsAgree: rows are scanned by the order of their columns, so every statement that lists an order's, an
// event's or another thing's columns must list the same ones.
func TestColumnListsAgree(t *testing.T) {
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for name, least := range map[string]int{
		"order": 30, "event": 5, "attempts_of": 3, "resolutions_of": 3, "corrections_of": 3, "disputes_of": 3, "sold": 4,
		"caller": 3, "operator": 3,
	} {
		list, _, _ := strings.Cut(strings.TrimPrefix(words(sqls.Get(name)), "SELECT "), " FROM ")
		columns := strings.SplitN(list, ", ", 5)
		begins := strings.Join(columns[:4], ", ")
		found := 0
		for other, text := range sqls {
			lists := strings.Count(words(text), begins)
			if found += lists; lists != strings.Count(words(text), list) {
				t.Errorf("%s lists other columns than %s", other, name)
			}
		}
		if found < least {
			t.Errorf("the columns of %[2]s are listed only %[1]d times", found, name)
		}
	}
}
