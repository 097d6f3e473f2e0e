package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mutant is one way in which the program is broken.
type mutant struct {
	id   string // its number
	dir  string // of the package, from the root
	name string // where, and what is broken
	// file is the one that is broken, from the root, and text what it says.
	file, text string
	// at is where old stands in the text, in the place of which new comes.
	at       int
	old, new string
	// by is the test that is known to catch it; empty: none is.
	by string
	// fix: it is a fix that is taken out, which the simulator must find alone.
	fix bool
}

// broken is the text of the mutant's file.
func (m mutant) broken() string { return m.text[:m.at] + m.new + m.text[m.at+len(m.old):] }

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
	broken := slices.Concat(inJournal, inPurchase, outside, attacks)
	for i, c := range slices.Concat(broken, fixes) {
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
		all = append(all, mutant{
			id: strconv.Itoa(len(all) + 1), dir: c.dir, name: name, file: s.file, text: s.text,
			at: at.from + strings.Index(s.text[at.from:at.to], c.old), old: c.old, new: c.new, by: by[name],
			fix: i >= len(broken),
		})
	}
	return all, wrong
}
