package main

import (
	_ "embed"
	"strings"
)

//go:embed caught.txt
var caughtBefore string

// by is the test that is known to catch each mutant, as a line of caught.txt has it behind a tab. It is tried first;
// if it catches the mutant no more, all others are.
var by = func() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(caughtBefore) {
		mutant, test, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all[mutant] = test
	}
	return all
}()
