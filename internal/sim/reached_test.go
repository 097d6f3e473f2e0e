package sim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recarga/internal/boundary"
	"recarga/topup"
)

// reached is how often each pair of things that are rare together was reached.
type reached map[string]int

// wanted are the pairs that a run of enough lives must reach. They come from the table of states and from the
// constants of package topup: a new one is wanted as soon as it is there.
func wanted(tb testing.TB) (all []string) {
	for _, means := range constants(tb, "Outcome") {
		for _, step := range deaths {
			all = append(all, fmt.Sprintf("%s × dies %s", means, step))
		}
	}
	for _, t := range topup.Transitions() {
		for _, f := range heard {
			all = append(all, fmt.Sprintf("%s × %s", transition(t.From, t.To, t.By), f))
		}
	}
	for _, why := range constants(tb, "Wait") {
		for _, by := range ends() {
			all = append(all, fmt.Sprintf("waits for %s × %s", why, by))
		}
	}
	return all
}

// deaths are the steps at which a process dies that has to do with an answer of the vendor.
var deaths = []string{"after the answer of vendor", "before journal.Finish", "after journal.Finish",
	"before journal.RecordTry", "after journal.RecordTry"}

// heard is what becomes of the answer to a call that has had its effect.
var heard = []fate{done, lost, late, diesAfter}

// ends are how an order's wait ends: by what moves one that may wait.
func ends() (all []topup.Operation) {
	for _, t := range topup.Transitions() {
		waits := t.From == topup.StateQueued || t.From == topup.StateRetrying
		if waits && !slices.Contains(all, t.By) {
			all = append(all, t.By)
		}
	}
	return all
}

// constants are the values of all constants of a type of package topup.
func constants(tb testing.TB, of string) (values []string) {
	files, err := filepath.Glob(filepath.Join("..", "..", "topup", "*.go"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			tb.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
				kind, isNamed := v.Type.(*ast.Ident)
				literal, isLiteral := v.Values[0].(*ast.BasicLit)
				if isNamed && isLiteral && kind.Name == of {
					text, _ := strconv.Unquote(literal.Value)
					values = append(values, text)
				}
			}
			return true
		})
	}
	if len(values) == 0 {
		tb.Fatal("there is no constant of type ", of)
	}
	slices.Sort(values)
	return values
}

func transition(from, to topup.State, by topup.Operation) string {
	return fmt.Sprintf("%s to %s by %s", from, to, by)
}

// reachTransition counts a change of state, and the end of a wait.
func (w *world) reachTransition(o *order, from topup.State, by topup.Operation, f fate) {
	w.reached[fmt.Sprintf("%s × %s", transition(from, o.state, by), f)]++
	if o.waits != "" {
		w.reached[fmt.Sprintf("waits for %s × %s", o.waits, by)]++
		o.waits = ""
	}
}

// deathAt counts the step at which a process dies.
func (w *world) deathAt(c boundary.Call, f fate) {
	o := w.orders[topup.ID(c.About)]
	if o == nil {
		o = w.ofOrder[c.About]
	}
	if o != nil && o.answered != "" {
		when := map[fate]string{diesBefore: "before", diesAfter: "after"}[f]
		w.reached[fmt.Sprintf("%s × dies %s %s", o.answered, when, c.Name)]++
	}
}

// add adds those of another life.
func (r reached) add(other reached) {
	for pair, n := range other {
		r[pair] += n
	}
}

// missing are the wanted pairs that were not reached.
func (r reached) missing(tb testing.TB) []string {
	return slices.DeleteFunc(wanted(tb), func(pair string) bool { return r[pair] > 0 })
}

// report says which pairs were not reached, and how rare the rarest ones were.
func (r reached) report(t *testing.T, lives int) {
	missing, all := r.missing(t), wanted(t)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(r[a], r[b]) })
	t.Logf("proven: %d lives, %d of %d pairs reached; the rarest one, %q, %d times", lives, len(all)-len(missing),
		len(all), all[0], r[all[0]])
	for _, pair := range all[1:10] {
		t.Logf("%d times: %s", r[pair], pair)
	}
	if *every && len(missing) > 0 {
		t.Errorf("never reached:\n%s", strings.Join(missing, "\n"))
	}
	if *pairs == "" {
		return
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(*pairs, text, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

// divide has several processes live the lives, each its part of the seeds, and adds up what they have reached.
func divide(t *testing.T) {
	began, all, each := time.Now(), reached{}, (*seeds+*jobs-1) / *jobs
	var wait sync.WaitGroup
	parts := make([]reached, *jobs)
	for i := range parts {
		wait.Go(func() {
			file := filepath.Join(t.TempDir(), "pairs")
			part := exec.Command(os.Args[0], "-test.run=^TestLives$", "-test.v", "-test.timeout=0", "-jobs=1",
				fmt.Sprint("-sqlite=", *share),
				fmt.Sprint("-seed=", *first+uint64(i*each)), fmt.Sprint("-seeds=", each), "-pairs="+file)
			// A life has hundreds of goroutines: they begin with the stack that they come to need.
			part.Env = append(os.Environ(), "GODEBUG=adaptivestackstart=1")
			out, err := part.CombinedOutput()
			text, readErr := os.ReadFile(file)
			if err = errors.Join(err, readErr); err == nil {
				err = json.Unmarshal(text, &parts[i])
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	for _, part := range parts {
		all.add(part)
	}
	took := time.Since(began)
	t.Logf("%d lives in %s by %d processes: %.0f a second", each**jobs, took.Round(time.Second), *jobs,
		float64(each**jobs)/took.Seconds())
	all.report(t, each**jobs)
}

// TestEveryWaitIsListed: whoever filters by what orders wait for can name all of it.
func TestEveryWaitIsListed(t *testing.T) {
	var listed []string
	for _, w := range topup.Waits() {
		listed = append(listed, string(w))
	}
	slices.Sort(listed)
	all := constants(t, "Wait")
	slices.Sort(all)
	if !slices.Equal(listed, all) {
		t.Errorf("topup.Waits has %q, and there are %q", listed, all)
	}
}
