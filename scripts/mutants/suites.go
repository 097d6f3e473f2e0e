package main

import (
	"path/filepath"
	"strings"
)

// suite are tests of one package.
type suite struct {
	pkg    string
	args   []string // of go test
	engine string   // whose statements it runs; empty: those of all
}

// meets reports whether a suite can catch a mutant.
func (s suite) meets(m mutant) bool {
	engine := filepath.Ext(strings.TrimSuffix(m.file, ".sql"))
	return s.engine == "" || engine == "" || engine == s.engine || filepath.Ext(m.file) != ".sql"
}

// suites must catch the mutants of each package: the fast tests of it, and of whoever knows best what it must do, the
// most likely first.
var suites = map[string][]suite{
	"internal/journal": {
		// The same stories each time. PostgreSQL is told a tenth of them.
		{"./internal/sim/reference", []string{"-run=Other/sqlite", "-seed=7", "-steps=6000"}, ".sqlite"},
		{"./internal/sim/reference", []string{"-run=Other/postgres", "-seed=7", "-steps=30000"}, ".postgres"},
		{"./internal/journal/...", nil, ""},
	},
	"worker":      {{"./worker", []string{"-skip=TestRandomLives"}, ""}}, // which takes a minute
	"distributor": {{"./distributor", nil, ""}},
	"producer":    {{"./producer", nil, ""}},
	"webhook":     {{"./webhook", nil, ""}},
}
