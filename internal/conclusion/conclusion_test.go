package conclusion_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recarga/internal/conclusion"
	"recarga/internal/testkit"
	"recarga/topup"
)

//go:generate env RECARGA_PROVE=1 go test -timeout 60m -run TestConclusionsInTheDocument . -update

const (
	seed = 7
	// rightly is the least share of each call that must be right.
	rightly = 0.98
	// document has the figures of many worlds.
	document = "../../docs/conclusions.md"
)

// TestConclusionsAgainstTheLedger holds the conclusions to what the distributor really charged.
func TestConclusionsAgainstTheLedger(t *testing.T) {
	t.Parallel()
	judged(t, 45)
}

// TestConclusionsInTheDocument: as it says, over thousands of unknown orders.
func TestConclusionsInTheDocument(t *testing.T) {
	testkit.Deep(t)
	const begin, end = "<!-- figures: made by go generate ./internal/conclusion -->\n", "<!-- end of figures -->"
	table, unknown := judged(t, 400)
	testkit.Proven(t, "%d conclusions on unknown orders held to the ledger", unknown)
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), begin)
	_, tail, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%s has no place for the figures", document)
	}
	testkit.Generated(t, document, head+begin+table+end+tail)
}

// judged lives through worlds, and returns the figures of their conclusions.
func judged(t *testing.T, count int) (table string, unknown int) {
	w := newWorlds(t, seed)
	for range count {
		w.run()
	}
	w.ledger()
	table, all := w.table()
	t.Logf("of seed %d:\n%s", seed, table)
	for call, n := range map[topup.Call][2]int{
		topup.CallCharged: {all.chargedRight, all.charged}, topup.CallNotCharged: {all.notRight, all.not},
	} {
		if n[1] < all.count()/20 || float64(n[0]) < rightly*float64(n[1]) {
			t.Errorf("%s was said %d times of %d, and right %d times", call, n[1], all.count(), n[0])
		}
	}
	return table, all.count()
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func minutes(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

func read(amount topup.Amount, minute int) conclusion.Reading {
	return conclusion.Reading{BalanceReading: topup.BalanceReading{Amount: amount, From: minutes(minute),
		At: minutes(minute)}}
}

// bought is another purchase, in one minute.
func bought(amount topup.Amount, minute int, approved bool) conclusion.Movement {
	return conclusion.Movement{Order: "OTHER", Amount: amount, Approved: approved, From: minutes(minute),
		Until: minutes(minute).Add(2 * time.Second)}
}

// TestOf: one purchase for 10, from noon on, of which nothing came.
func TestOf(t *testing.T) {
	before := read(1_000_00, -1)
	window := func(after topup.Amount, others ...conclusion.Movement) []conclusion.Window {
		return []conclusion.Window{{After: read(after, 20), Late: true, Others: others}}
	}
	written := `request written; HTTP status 0; answer ""`
	for name, c := range map[string]struct {
		evidence conclusion.Evidence
		want     topup.Call
		because  string
	}{
		"nothing is known":    {conclusion.Evidence{}, topup.CallCannotTell, "its worker ended"},
		"nothing before":      {conclusion.Evidence{Windows: window(990_00)}, topup.CallCannotTell, "no balance is known from before"},
		"nothing after":       {conclusion.Evidence{Before: &before}, topup.CallCannotTell, "no balance is known from after 2026-01-31T12:15:01Z"},
		"in part":             {conclusion.Evidence{Attempt: topup.Attempt{Evidence: "request written in part: reset"}}, topup.CallNotCharged, "not whole"},
		"down by it":          {conclusion.Evidence{Before: &before, Windows: window(990_00)}, topup.CallCharged, "only with this one"},
		"as before":           {conclusion.Evidence{Before: &before, Windows: window(1_000_00)}, topup.CallNotCharged, "without this one"},
		"down by another sum": {conclusion.Evidence{Before: &before, Windows: window(980_00)}, topup.CallCannotTell, "nothing explains"},
		"up":                  {conclusion.Evidence{Before: &before, Windows: window(1_990_00)}, topup.CallCannotTell, "nothing explains"},
		"with another": {conclusion.Evidence{Before: &before, Windows: window(970_00, bought(20_00, 5, true))},
			topup.CallCharged, "other purchases took 20 MXN"},
		"without it": {conclusion.Evidence{Before: &before, Windows: window(980_00, bought(20_00, 5, true))},
			topup.CallNotCharged, "explained without"},
		"at the same moment": {conclusion.Evidence{Before: &before, Windows: window(980_00, bought(20_00, 0, true))},
			topup.CallCannotTell, "at the same moment"},
		"one or the other": {conclusion.Evidence{Before: &before, Windows: window(990_00, bought(10_00, 5, false))},
			topup.CallCannotTell, "with and without"},
		"both": {conclusion.Evidence{Before: &before, Windows: window(980_00, bought(10_00, 5, false))},
			topup.CallCharged, "only with this one"},
		"archived": {conclusion.Evidence{Before: &before, Windows: []conclusion.Window{{After: read(990_00, 20), Archived: true}}},
			topup.CallCannotTell, "archived"},
		"as before, so far": {conclusion.Evidence{Before: &before, Windows: []conclusion.Window{{After: read(1_000_00, 2)}}},
			topup.CallCannotTell, "without this one so far"},
		"down by it, soon": {conclusion.Evidence{Before: &before, Windows: []conclusion.Window{{After: read(990_00, 2)}}},
			topup.CallCharged, "only with this one"},
		"too much": {conclusion.Evidence{Before: &before, Windows: window(990_00, make([]conclusion.Movement,
			conclusion.MostOthers+1)...)}, topup.CallCannotTell, "too much"},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.evidence
			ended := noon.Add(time.Second)
			e.Number, e.StartedAt, e.FinishedAt, e.Outcome = 1, noon, &ended, topup.OutcomeUnknown
			if e.Attempt.Evidence == "" && e.Before != nil {
				e.Attempt.Evidence = written
			}
			d := topup.Details{Order: topup.Order{State: topup.StateUnknown, Amount: 10_00, AttemptCount: 1}}
			got := conclusion.Of(d, []conclusion.Evidence{e})
			if reasons := strings.Join(got.Reasons, "\n"); got.Call != c.want || !strings.Contains(reasons, c.because) {
				t.Errorf("%s, because\n%s\nwant %s, because %s", got.Call, reasons, c.want, c.because)
			}
		})
	}
}

// TestOfTheOrder: what is no doubt has no conclusion, the statement's word comes first, and of two attempts both count.
func TestOfTheOrder(t *testing.T) {
	d := topup.Details{Order: topup.Order{State: topup.StateSucceeded, AttemptCount: 2}}
	if got := conclusion.Of(d, nil); got != nil {
		t.Errorf("a succeeded order: %+v", got)
	}
	d.State = topup.StateUnknown
	part := conclusion.Evidence{Attempt: topup.Attempt{Evidence: string(topup.ReachPart)}}
	for want, all := range map[topup.Call][]conclusion.Evidence{
		topup.CallNotCharged: {part, part}, topup.CallCannotTell: {part, {}},
	} {
		if got := conclusion.Of(d, all); got.Call != want || len(got.Reasons) < 3 {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	d.Resolutions = []topup.Resolution{{Outcome: topup.ResolvedHeld, Attempt: 2, Reason: "line 7"}}
	if got := conclusion.Of(d, []conclusion.Evidence{part}); got.Call != topup.CallCharged || !strings.Contains(got.Reasons[0], "line 7") {
		t.Errorf("a statement charges it: %+v", got)
	}
}

// mayRead are the folders and files whose code may read a conclusion: they show it to people.
var mayRead = []string{
	"internal/api/", "internal/conclusion/", "internal/console/order.go", "internal/console/orders.go",
	"internal/journal/search/evidence.go", "internal/view/",
}

// TestNobodyActsOnIt: no other code reads a conclusion, asks for one, or imports this package.
func TestNobodyActsOnIt(t *testing.T) {
	t.Parallel()
	root, used := os.DirFS("../.."), map[string]bool{}
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil || !strings.Contains(string(text), "onclusion") && !strings.Contains(string(text), "Conclude") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		reads := false
		for _, imported := range file.Imports {
			reads = reads || imported.Path.Value == `"recarga/internal/conclusion"`
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			reads = reads || ok && (s.Sel.Name == "Conclusion" || s.Sel.Name == "Conclude")
			return true
		})
		allowed := false
		for _, may := range mayRead {
			if strings.HasPrefix(path, may) {
				allowed, used[may] = true, used[may] || reads
			}
		}
		if reads && !allowed {
			t.Errorf("%s reads a conclusion: nothing that acts may", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, may := range mayRead {
		if !used[may] {
			t.Errorf("nothing in %s reads a conclusion", may)
		}
	}
}
