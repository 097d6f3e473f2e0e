package journal

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recarga/internal/sqlfile"
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
		"sqlite/begin": begin, "postgres/begin": begin,
		"defer":             begin, // what waits is what could begin
		"hold_back":         begin, // so it is held back from that
		"let_go":            begin,
		"end":               {topup.OpEnd, topup.StateFailed},
		"cancel":            {topup.OpCancel, topup.StateCanceled},
		"hold":              {topup.OpHold, topup.StateUnknown},
		"finish":            {topup.OpFinishLate, topup.StateSucceeded},
		"correct_succeeded": {topup.OpCorrect, topup.StateSucceeded},
		"correct_failed":    {topup.OpCorrect, topup.StateFailed},
		"resolve_succeeded": {topup.OpResolve, topup.StateSucceeded},
		"resolve_failed":    {topup.OpResolve, topup.StateFailed},
		"resolve_resend":    {topup.OpResolve, topup.StateRetrying},
	}
	for name, text := range statements(t) {
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

// statements are those of the journal and of all its parts.
func statements(t *testing.T) sqlfile.Statements {
	t.Helper()
	all := sqlfile.Statements{}
	for _, part := range []string{".", "accounts", "actions", "archived", "balances", "desk", "search", "tables"} {
		its := sqls // as they are embedded
		if part != "." {
			its = sqlfile.Load(os.DirFS(part), "sql")
		}
		for name, text := range its {
			if all[name] != "" {
				t.Errorf("%s: %s is a name of another part, too", part, name)
			}
			all[name] = text
		}
	}
	return all
}

// TestColumnListsAgree: rows are scanned by the order of their columns, so every statement that lists an order's, an
// event's or another thing's columns must list the same ones.
func TestColumnListsAgree(t *testing.T) {
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	all := statements(t)
	for name, least := range map[string]int{
		"order": 27, "event": 5, "sqlite/attempts": 2, "sqlite/resolutions": 2, "sqlite/corrections": 2,
		"sqlite/disputes": 2, "sold": 4, "caller": 3, "operator": 3,
	} {
		list, _, _ := strings.Cut(strings.TrimPrefix(words(all.Get(name)), "SELECT "), " FROM ")
		list = strings.TrimPrefix(list, "order_key, ")
		columns := strings.SplitN(list, ", ", 5)
		begins := strings.Join(columns[:4], ", ")
		found := 0
		for other, text := range all {
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
