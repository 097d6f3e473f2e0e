package main

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"recarga/internal/command"
	"recarga/internal/testkit"
)

//go:generate go test -run TestCommandsDocument . -update

func TestCommandsDocument(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("<!-- Generated from the commands' own help by `go generate ./cmd/recarga`. Do not edit. -->\n\n# " +
		"Commands\n\n")
	for cmd := range shown(newRoot(&command.Program{})) {
		if err := doc.GenMarkdownCustom(cmd, &b, inOnePage); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Generated(t, "../../docs/cli.md", b.String())
}

// shown are a command and all below it, in the order of the help.
func shown(cmd *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		if !yield(cmd) {
			return
		}
		for _, sub := range cmd.Commands() {
			if !sub.IsAvailableCommand() {
				continue
			}
			for c := range shown(sub) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// inOnePage makes the link to another command's page one to its heading.
func inOnePage(page string) string {
	return "#" + strings.ReplaceAll(strings.TrimSuffix(page, ".md"), "_", "-")
}

// TestEveryCommandHelps: each has a word of help and examples that it takes, and knows a flag that it
// does not have from one that fails.
func TestEveryCommandHelps(t *testing.T) {
	for cmd := range shown(newRoot(&command.Program{})) {
		path := strings.Fields(cmd.CommandPath())[1:]
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			want(t, nil, command.ExitOK, `(?s)^\S.*Usage:.*Examples:\n  \S`, `^$`, append(path, "--help")...)
			want(t, nil, command.ExitUsage, `^$`, `unknown flag: --nothing( \(write -- before .*\))?; see `+cmd.CommandPath()+
				` --help\n$`, append(path, "--nothing")...)
			for _, args := range examples(t, cmd) {
				of, rest, err := cmd.Root().Find(args)
				if err == nil {
					err = errors.Join(of.ParseFlags(rest), of.ValidateArgs(of.Flags().Args()))
				}
				if err != nil || !strings.HasPrefix(of.CommandPath(), cmd.CommandPath()) {
					t.Errorf("%q is no example: %v", args, err)
				}
			}
		})
	}
}

// TestEveryClientCommandPrintsJSON: what a command prints, a program can read.
func TestEveryClientCommandPrintsJSON(t *testing.T) {
	for cmd := range shown(newRoot(&command.Program{})) {
		if cmd.Flag("api-url") != nil && cmd.Flag("json") == nil && cmd.Flag("format") == nil {
			t.Errorf("%s has no --json", cmd.CommandPath())
		}
	}
}

// TestCompletion: the shells' scripts are printed, and what they ask for is answered with the values that
// there are (of which the shell takes those that fit), not with files.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		want(t, nil, command.ExitOK, `(?s)__complete.*recarga`, `^$`, "completion", shell)
	}
	const noFiles = `:4\n$`
	for asked, answered := range map[string]string{
		"web":              `^webhook\t.*\n` + noFiles,
		"caller endpoint ": `(?s)^disable\t.*\nremove\t.*\n` + noFiles,
		"list --state ": `^queued\nsubmitting\nretrying\nunknown\nsucceeded\nfailed\ncanceled\n` +
			noFiles,
		"list --product ":                     `^MOVISTAR_TAE\n(?s:.*)` + noFiles,
		"enqueue --product ":                  `^MOVISTAR_TAE\n(?s:.*)` + noFiles,
		"resolve A --as ":                     `^succeeded\nfailed\nresend\n` + noFiles,
		"webhook redeliver --state ":          `^exhausted\npending\ndelivered\nkept\n` + noFiles,
		"webhook redeliver --type ":           `^topup.unknown\ntopup.succeeded\ntopup.failed\ntopup.canceled\ntopup.corrected\n` + noFiles,
		"webhook trigger topup.f":             `^topup.failed\n` + noFiles,
		"caller endpoint set a b c --types t": `(?s)^topup.*topup.failed\n.*` + noFiles,
		"get ":                                `^` + noFiles,
		"enqueue --file ":                     `^:0\n$`,
		"enqueue --id ":                       `^` + noFiles,
		"bench --json ":                       `^:0\n$`,
	} {
		args := strings.Split(asked, " ")
		want(t, nil, command.ExitOK, answered, `^Completion ended`, append([]string{"__complete"}, args...)...)
	}
}

// TestEveryClientCommandFails: what the API refuses ends with status 1, and an error that says so.
func TestEveryClientCommandFails(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"status":403,"title":"Forbidden","detail":"not for you"}`)
	}))
	t.Cleanup(api.Close)
	env := map[string]string{"RECARGA_API_URL": api.URL, "RECARGA_API_KEY": "shop-api-key"}
	clients := 0
	for cmd := range shown(newRoot(&command.Program{})) {
		// which asks the API with --live only
		if cmd.HasSubCommands() || cmd.Flag("api-url") == nil || cmd.Name() == "doctor" {
			continue
		}
		clients++
		want(t, env, command.ExitFailed, `^$`, `^recarga: .*403 Forbidden: not for you`, examples(t, cmd)[0]...)
	}
	if clients < 15 {
		t.Errorf("there are %d client commands", clients)
	}
}

var (
	word  = regexp.MustCompile(`"[^"]*"|\S+`)
	shell = regexp.MustCompile(`[|>)#].*`)
)

// examples are the arguments of a command's examples, one a line, without what the shell does with them.
func examples(t *testing.T, cmd *cobra.Command) (all [][]string) {
	t.Helper()
	for line := range strings.Lines(cmd.Example) {
		_, line, ok := strings.Cut(line, "recarga ")
		if !ok {
			continue
		}
		args := word.FindAllString(shell.ReplaceAllString(line, ""), -1)
		for i, arg := range args {
			args[i] = strings.Trim(arg, `"`)
		}
		all = append(all, args)
	}
	if all == nil {
		t.Fatalf("%s has no example", cmd.CommandPath())
	}
	return all
}
