package main

import "testing"

// Limits that hold for code which is no test.
const (
	longestFunction = 57
	largestPackage  = 2700
)

// grown are packages that have more lines already, and how many they may have: the operator's desk came to them. What
// is new is to leave them, and no other is to follow.
var grown = map[string]int{"internal/console": 3600, "cmd/recarga": 3000, "internal/api": 2860}

// TestLimits: no function and no package grows beyond what a person reads at once.
func TestLimits(t *testing.T) {
	rooms, err := measure("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms[:len(rooms)-1] { // the last has all together
		if r.Largest > longestFunction {
			t.Errorf("%s.%s has %d lines, at most %d are good to read", r.Package, r.LargestName, r.Largest, longestFunction)
		}
		if most := max(grown[r.Package], largestPackage); r.Lines > most {
			t.Errorf("%s has %d lines, at most %d are good to find something in", r.Package, r.Lines, most)
		}
	}
	if all := rooms[len(rooms)-1]; all.Functions < 1000 || all.Median > 10 {
		t.Errorf("%d functions with a median of %d lines: is everything read, and is it still about 10?", all.Functions, all.Median)
	}
}
