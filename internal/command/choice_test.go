package command

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestInvalidFlags: whatever the kind of a flag, a value that it does not take is refused in the same words.
func TestInvalidFlags(t *testing.T) {
	type color string
	for arg, want := range map[string]string{
		"--color=":      "",
		"--color=blue":  "",
		"--color=bleu":  `--color: "bleu" is not allowed; must be one of red, blue; see paint --help`,
		"--limit=x":     `--limit: "x" is not allowed; must be a whole number; see paint --help`,
		"--after=1":     `--after: "1" is not allowed; must be a duration, as in 30s or 5m; see paint --help`,
		"--dry=perhaps": `--dry: "perhaps" is not allowed; must be true or false; see paint --help`,
		"--tag=a":       `--tag: "a" is not allowed; must be key=value,…; see paint --help`,
		"--no-such":     `unknown flag: --no-such (write -- before what begins with - and is no flag); see paint --help`,
	} {
		chosen := color("red")
		cmd := &cobra.Command{Use: "paint WALL", SilenceErrors: true, SilenceUsage: true,
			RunE: func(*cobra.Command, []string) error { return nil }}
		cmd.SetFlagErrorFunc(FlagError)
		Choice(cmd, &chosen, "color", "of the wall", "red", "blue")
		cmd.Flags().Int("limit", 0, "")
		cmd.Flags().Duration("after", time.Second, "")
		cmd.Flags().Bool("dry", false, "")
		cmd.Flags().StringToString("tag", nil, "")
		cmd.SetArgs([]string{"west", arg})
		got := ""
		if err := cmd.Execute(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
		if want == "" && "--color="+chosen != color(arg) {
			t.Errorf("%s: it is %q", arg, chosen)
		}
	}
}
