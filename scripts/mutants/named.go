package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// mutant is one way in which the program is broken.
type mutant struct {
	dir  string // of the package, from the root
	name string // where, and what is broken
	file string // that is replaced, from the root
	code []byte // of the broken file
	by   string // what is known to catch it; empty: nothing is known
}

// change says how a mutant is made: what is broken, where, and how.
type change struct {
	dir, place string
	what       string
	// old stands once in the place, and new takes its place.
	old, new string
}

// mutants makes all of them from the sources below a root.
func mutants(root string) (all []mutant, wrong error) {
	sources, err := readSources(root)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Concat(inJournal, inPurchase, outside, attacks) {
		name := fmt.Sprintf("%s: %s: %s", c.dir, c.place, c.what)
		s, at, err := find(sources, c.dir, c.place)
		if err != nil {
			wrong = errors.Join(wrong, err)
			continue
		}
		if n := strings.Count(s.text[at.from:at.to], c.old); n != 1 {
			wrong = errors.Join(wrong, fmt.Errorf("%s: the text %q stands there %d times; the code has moved", name, c.old, n))
			continue
		}
		from := at.from + strings.Index(s.text[at.from:at.to], c.old)
		all = append(all, mutant{dir: c.dir, name: name, file: s.file, code: s.replaced(from, from+len(c.old), c.new), by: by[name]})
	}
	return all, wrong
}
