package conclusion_test

import (
	"testing"

	"recarga/internal/testkit"
)

const few = 60

// TestConclusionsAgainstTheLedger holds the conclusions to what the distributor really charged.
func TestConclusionsAgainstTheLedger(t *testing.T) {
	w := newWorlds(t, 7)
	for range testkit.Times(few, 1500) {
		w.run()
	}
	w.ledger()
	table, all := w.table()
	t.Logf("\n%s", table)
	t.Logf("%+v", all)
}
