package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recarga/internal/config"
	"recarga/internal/doctor"
	"recarga/internal/tracing"
)

func newDoctorCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every dependency and unsafe setting, and say how to fix it",
		Long: `Check the settings, the database, Redis and its queues, the distributor and the callback URL: one
line each, with the fix below it. docs/doctor.md lists the checks. It changes, buys and sends nothing;
at the distributor it logs in once. Give it the settings of the process that it is to check.

With --live it walks through the distributor's integration checklist at its real API instead: login,
renewal of the token, balance, every field as documented, clock and latency. It logs in twice, and
shares the new token with the running workers through RECARGA_REDIS_URL; where the distributor allows
one session and the queue is embedded, they have to log in again, which they do. With --purchase PHONE it
then buys one top-up of the smallest amount, after asking: an ordinary order at the recarga serve of
RECARGA_API_URL, which is in the book of record and never charged twice.

Exit status: 0 when no check failed, 1 when one did (with --strict: or warned), 2 when the settings
are wrong.`,
		Example: `  recarga doctor
  recarga doctor --strict --json --timeout 10s
  recarga doctor --live
  recarga doctor --live --purchase 5537686660`,
	}
	timeout := cmd.Flags().Duration("timeout", doctor.DefaultTimeout,
		fmt.Sprintf("what each check may take (with --live: %s)", doctor.LiveTimeout))
	strict := cmd.Flags().Bool("strict", false, "count warnings as failures")
	asJSON := jsonFlag(cmd)
	live := p.addLiveFlags(cmd)
	config.AddFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "API_URL")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *timeout <= 0 {
			return usage(fmt.Errorf("--timeout is %s; must be above zero", *timeout))
		}
		if *live.on && !cmd.Flags().Changed("timeout") {
			*timeout = doctor.LiveTimeout
		}
		return p.doctor(cmd, live, *timeout, *asJSON, *strict)
	}
	return cmd
}

func (p *program) doctor(cmd *cobra.Command, live liveFlags, timeout time.Duration, asJSON, strict bool) error {
	show := p.showFindings
	if asJSON {
		show = func(w io.Writer, found []doctor.Finding) error { return printJSON(w, found) }
	}
	s, catalog, err := p.serverSettings(cmd, config.NeedsDistributor)
	if err != nil {
		return errors.Join(show(p.stdout, settingsFindings(err)), usage(errors.New("the settings are wrong")))
	}
	if _, err := live.request(cmd, catalog, time.Now()); err != nil {
		return usage(err)
	}
	if *live.on {
		return p.doctorLive(cmd, s, catalog, live, timeout, asJSON, strict)
	}
	cfg := doctor.Config{Settings: s, Timeout: timeout}
	cfg.TraceCollector, cfg.TracesOff = tracing.Collector(p.getenv)
	found := doctor.Examine(cmd.Context(), cfg)
	if err := show(p.stdout, found); err != nil {
		return err
	}
	return diagnosis(found, strict)
}

// settingsFindings are the mistakes in the settings, each of which says after its last semicolon what
// it must be.
func settingsFindings(err error) (found []doctor.Finding) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		f := doctor.Finding{Check: "settings", Status: doctor.Fail, Found: line,
			Fix: "docs/settings.md says what is allowed"}
		if i := strings.LastIndex(line, "; "); i >= 0 {
			f.Found, f.Fix = line[:i], line[i+len("; "):]
		}
		found = append(found, f)
	}
	return found
}

// showFindings prints a line each, and the fix below it.
func (p *program) showFindings(w io.Writer, found []doctor.Finding) error {
	widest := 0
	for _, f := range found {
		widest = max(widest, len(f.Check))
	}
	for _, f := range found {
		if err := p.showFinding(w, f, widest); err != nil {
			return err
		}
	}
	return nil
}

// showFinding prints a finding beside others whose checks have names of up to widest characters.
func (p *program) showFinding(w io.Writer, f doctor.Finding, widest int) error {
	const fixAt = len("fail") + 2
	t := p.terminal()
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-*s  %s\n", t.paint(colourOf(f.Status), fmt.Sprintf("%-4s", f.Status)), widest, f.Check,
		t.hanging(printable(f.Found), fixAt+widest+2))
	if f.Fix != "" {
		fmt.Fprintf(&b, "%*s→ %s\n", fixAt, "", t.hanging(printable(f.Fix), fixAt+2))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// diagnosis is an error when a check failed.
func diagnosis(found []doctor.Finding, strict bool) error {
	failed := slices.DeleteFunc(slices.Clone(found), func(f doctor.Finding) bool { return f.Status != doctor.Fail })
	warned := slices.DeleteFunc(slices.Clone(found), func(f doctor.Finding) bool { return f.Status != doctor.Warn })
	if len(failed) == 0 && (len(warned) == 0 || !strict) {
		return nil
	}
	return fmt.Errorf("of %d checks %d failed and %d warned", len(found), len(failed), len(warned))
}
