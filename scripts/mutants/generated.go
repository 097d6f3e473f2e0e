package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// decisive are the functions that decide about money, or about who is notified of it.
var decisive = []struct {
	dir       string
	functions string
}{
	{"worker", `Worker.deferUntil Worker.notDue nextAttempt Worker.end Worker.run Worker.attempt Worker.purchase
		Worker.begin Worker.processNew Worker.probe Worker.settle Worker.decide resent Worker.deliver Policy.Decide
		Policy.next sweeper.timeOut sweeper.enqueueOrders sweeper.enqueueOrder sweeper.enqueueEvents
		Worker.HandlePurchase Worker.acceptTask Worker.recordInvalid`},
	{"distributor", `classify decide withoutBody refused Client.Purchase progress.left Client.send reading.outcome
		reading.withoutCode wire.begin wire.left`},
	{"producer", `Producer.Place Producer.room dueAt Producer.Cancel Producer.Resolve Producer.Hold Producer.Correct`},
	{"webhook", `Deliverer.Deliver due Deliverer.DeliverNow Deliverer.startFirst Deliverer.room Deliverer.try
		Deliverer.after Deliverer.deliveries expand Deliverer.target Deliverer.review Deliverer.reviewFailure`},
	{"internal/journal", `Journal.Accept Journal.begin tx.own coherent tx.finish tx.result tx.evidence tx.approvedLate
		samePurchase Journal.Cancel tx.resolve tx.resolvable tx.resolvedSo tx.hold tx.correct tx.dispute
		record.differsFrom doubtOf finishArgs firstDue`},
}

// generatedMutants break every condition of the decisive functions: it is turned, never true, or loses a part.
func generatedMutants(sources []source) (all []mutant, wrong error) {
	unused := map[string]bool{}
	for name := range spared {
		unused[name] = true
	}
	for _, d := range decisive {
		for _, name := range strings.Fields(d.functions) {
			s, at, err := find(sources, d.dir, name)
			if err != nil {
				wrong = errors.Join(wrong, err)
				continue
			}
			for _, m := range conditionsOf(s, at) {
				if _, harmless := spared[m.name]; harmless {
					delete(unused, m.name)
					continue
				}
				all = append(all, m)
			}
		}
	}
	for name := range unused {
		wrong = errors.Join(wrong, fmt.Errorf("no mutant is called %q; the code has moved", name))
	}
	return all, wrong
}

// conditionsOf are the mutants of a function.
func conditionsOf(s source, at spot) (all []mutant) {
	base := int(at.body.Pos()) - at.from
	seen := map[string]int{}
	ast.Inspect(at.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			guard := n.Else == nil && ends(n.Body)
			all = append(all, broken(s, at, base, "if", n.Cond, guard, seen)...)
		case *ast.SwitchStmt:
			if n.Tag != nil {
				return true
			}
			for _, one := range n.Body.List {
				for _, cond := range one.(*ast.CaseClause).List {
					all = append(all, broken(s, at, base, "case", cond, true, seen)...)
				}
			}
		}
		return true
	})
	return all
}

// ends reports whether a block is left at its end.
func ends(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	switch b.List[len(b.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	}
	return false
}

// broken are the mutants of one condition. Of an error, none is made that takes a success for it: every test sees that.
func broken(s source, at spot, base int, word string, cond ast.Expr, droppable bool, seen map[string]int) (all []mutant) {
	text := func(e ast.Expr) string { return s.text[int(e.Pos())-base : int(e.End())-base] }
	whole := text(cond)
	add := func(what, with string) {
		name := fmt.Sprintf("%s: %s: %s `%s` %s", s.dir, at.name, word, strings.Join(strings.Fields(whole), " "), what)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		code := s.replaced(int(cond.Pos())-base, int(cond.End())-base, with)
		all = append(all, mutant{dir: s.dir, name: name, file: s.file, code: code})
	}
	failed := whole == "err != nil"
	if word == "if" && !failed {
		add("turned", "!("+whole+")")
	}
	if droppable {
		add("never", "false && ("+whole+")")
	}
	if both, ok := cond.(*ast.BinaryExpr); ok && (both.Op == token.LAND || both.Op == token.LOR) {
		never := "&& true"
		if both.Op == token.LOR {
			never = "|| false"
		}
		add("without its last part", "("+text(both.X)+") "+never)
		add("without all but its last part", "("+text(both.Y)+") "+never)
	}
	return all
}
