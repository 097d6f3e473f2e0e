// Package doctor checks everything that Recarga depends on, and every setting that is allowed but unsafe. It says what
// it found and how to fix it.
//
// Examine changes nothing: it opens the book of record for reading only, migrates nothing, writes nothing to Redis,
// sends no webhook and never purchases. It logs in at the distributor once; if the distributor allows a single
// session, the workers then log in again. A Live runs the distributor's integration checklist, with a purchase if it
// is asked for one.
package doctor

import (
	"context"
	"crypto/x509"
	_ "embed" // the texts
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"recarga/internal/config"
	"recarga/internal/yamlfile"
	"recarga/topup"
)

// DefaultTimeout is what a check may take, unless Config says otherwise.
const DefaultTimeout = 5 * time.Second

// Status is the result of a check.
type Status string

// A warning is what may be meant; a failure loses orders, money or secrets, or stops the program.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`  // its name, as in Check
	Status Status `json:"status"` // its result
	// Found is the value that was checked, without secrets.
	Found string `json:"found"`
	// Fix is what to change; empty when the status is OK.
	Fix string `json:"fix"`
	// Order is the one that a Live bought, as it was last seen.
	Order *topup.Details `json:"order,omitempty"`
}

func ok(format string, args ...any) Finding   { return finding(OK, format, args) }
func warn(format string, args ...any) Finding { return finding(Warn, format, args) }
func fail(format string, args ...any) Finding { return finding(Fail, format, args) }

func finding(s Status, format string, args []any) Finding {
	return Finding{Status: s, Found: fmt.Sprintf(format, args...)}
}

// unless is a finding that is fine when good, and otherwise has the status.
func unless(good bool, bad Status, format string, args ...any) Finding {
	if good {
		bad = OK
	}
	return finding(bad, format, args)
}

// with gives a finding a fix of its own in place of its check's.
func (f Finding) with(format string, args ...any) Finding {
	f.Fix = fmt.Sprintf(format, args...)
	return f
}

// nothing is the finding of a check that does not apply; it is not shown.
func nothing() Finding { return Finding{} }

// Check is one thing that is checked.
type Check struct {
	Name string // as in "redis memory"
	// Why it is checked, and how to Fix what is wrong.
	Why, Fix string
	run      func(context.Context) Finding
}

//go:embed checks.yaml
var checksFile []byte

// texts are those of all checks, by name.
var texts = yamlfile.Read[map[string]struct{ Why, Fix string }](checksFile)

// check is the check of a name, with its texts of checks.yaml.
func check(name string, run func(context.Context) Finding) Check {
	return Check{Name: name, Why: texts[name].Why, Fix: texts[name].Fix, run: run}
}

// grace is what a check gets beyond its timeout to end by itself.
const grace = 500 * time.Millisecond

// bounded runs a check and waits for it no longer than the timeout, even if it does not heed it.
func (c Check) bounded(ctx context.Context, timeout time.Duration) Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan Finding, 1)
	go func() { done <- c.run(ctx) }()
	late := time.NewTimer(timeout + grace)
	defer late.Stop()
	var f Finding
	select {
	case f = <-done:
	case <-late.C:
		f = fail("no answer within %s", timeout)
	}
	f.Check = c.Name
	switch {
	case f.Status == OK:
		f.Fix = ""
	case f.Fix == "":
		f.Fix = c.Fix
	}
	return f
}

// stage are checks that are made side by side.
type stage []Check

// part is one dependency. A later stage needs what the earlier ones have proved.
type part struct {
	stages []stage
	close  func()
}

func (p part) examine(ctx context.Context, timeout time.Duration) (all []Finding) {
	defer p.close()
	for i, s := range p.stages {
		now := s.examine(ctx, timeout)
		all = append(all, now...)
		last := slices.IndexFunc(now, func(f Finding) bool { return f.Status == Fail })
		if left := len(slices.Concat(p.stages[i+1:]...)); last >= 0 && left > 0 {
			all[len(all)-len(now)+last].Found += fmt.Sprintf(" (%d more not checked)", left)
			return all
		}
	}
	return all
}

func (s stage) examine(ctx context.Context, timeout time.Duration) []Finding {
	found := make([]Finding, len(s))
	var wg sync.WaitGroup
	for i, c := range s {
		wg.Go(func() { found[i] = c.bounded(ctx, timeout) })
	}
	wg.Wait()
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Status == "" })
}

// Config is what the doctor checks.
type Config struct {
	// Settings are those of the process that is checked.
	config.Settings
	// TraceCollector is the host and port that spans are sent to; empty: none are. TracesOff says why some are not.
	TraceCollector string
	TracesOff      error // nil: all are
	// Timeout of each check. Defaults to DefaultTimeout.
	Timeout time.Duration
	// RootCAs are who may sign certificates. Nil: those that the system trusts.
	RootCAs *x509.CertPool
}

// Examine makes all checks that apply, the dependencies side by side, and returns what they found in
// a fixed order.
func Examine(ctx context.Context, cfg Config) []Finding {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	parts := []part{newSettings(cfg), newDatabase(cfg), newRedis(cfg), newDistributor(cfg), newCallback(cfg),
		newAuxiliaries(cfg)}
	found := make([][]Finding, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { found[i] = p.examine(ctx, cfg.Timeout) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

// OfSettings has a finding for each mistake in the settings, which says after its last semicolon what must be.
func OfSettings(err error) (found []Finding) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		f := fail("%s", line).with("docs/settings.md says what is allowed")
		if i := strings.LastIndex(line, "; "); i >= 0 {
			f.Found, f.Fix = line[:i], line[i+len("; "):]
		}
		f.Check = "settings"
		found = append(found, f)
	}
	return found
}

// Diagnosis is an error when a check failed or, if it is to be strict, warned.
func Diagnosis(found []Finding, strict bool) error {
	count := map[Status]int{}
	for _, f := range found {
		count[f.Status]++
	}
	if count[Fail] == 0 && (count[Warn] == 0 || !strict) {
		return nil
	}
	return fmt.Errorf("of %d checks %d failed and %d warned", len(found), count[Fail], count[Warn])
}
