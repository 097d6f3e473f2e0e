package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

//go:generate go test -run "TestSettingsDocument|TestCommandsDocument" . -update

var update = flag.Bool("update", false, "write the generated documents anew")

// keeps fails when a document is not what the code says, or writes it.
func keeps(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says; run: go generate ./cmd/recarga", path)
	}
}

func TestSettingsDocument(t *testing.T) { keeps(t, "../../docs/settings.md", settingsMarkdown()) }

// settingsIntroduction has ~ where Markdown has a backquote.
const settingsIntroduction = `# Settings

A flag comes before an environment variable, that before the file of ~--config recarga.yaml~ (or ~RECARGA_CONFIG~), and that
before the default. The flag of ~RECARGA_HTTP_ADDR~ is ~--http-addr~, its key in the file ~http_addr~. Unknown variables
and keys are refused, and all mistakes are reported at once, with exit status 2. Durations are Go's: ~30s~, ~2m~, ~1h30m~.

A setting marked *secret* is never shown. In the environment and in the file it may also be given as the path of a file
that holds it: the same name with ~_FILE~ (~_file~). An empty variable is not set; an empty flag or key unsets what
comes after it.

Wrong together: ~RECARGA_SHUTDOWN_TIMEOUT~ less than 10 s above ~RECARGA_DISTRIBUTOR_TIMEOUT~ · ~RECARGA_RETRY_INITIAL~ above
~RECARGA_RETRY_MAX~ · ~RECARGA_CALLBACK_URL~ without ~RECARGA_WEBHOOK_SECRET~, or http or private without
~RECARGA_WEBHOOK_ALLOW_PRIVATE~ · ~RECARGA_API_KEY~ equal to ~RECARGA_ADMIN_KEY~.
`

func settingsMarkdown() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from cmd/recarga/settings_table.go by `go generate ./cmd/recarga`. Do not edit. -->\n\n" + strings.ReplaceAll(settingsIntroduction, "~", "`"))
	for _, group := range settingsGroups(new(Settings)) {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | default | allowed | what it is |\n|---|---|---|---|\n", group.title)
		for _, row := range group.rows {
			standard, what := "none", row.help
			if row.standard != "" {
				standard = "`" + row.standard + "`"
			}
			if row.secret {
				what += " *(secret)*"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.env(), standard, row.allowed, what)
		}
	}
	return b.String()
}

func TestCommandsDocument(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("<!-- Generated from the commands' own help by `go generate ./cmd/recarga`. Do not edit. -->\n\n# Commands\n\n")
	root := newRoot(&program{})
	root.InitDefaultHelpFlag()
	for _, cmd := range append([]*cobra.Command{root}, root.Commands()...) {
		if err := doc.GenMarkdownCustom(cmd, &b, inOnePage); err != nil {
			t.Fatal(err)
		}
	}
	keeps(t, "../../docs/cli.md", b.String())
}

// inOnePage makes the link to another command's page one to its heading.
func inOnePage(page string) string {
	return "#" + strings.ReplaceAll(strings.TrimSuffix(page, ".md"), "_", "-")
}

// TestEveryCommandHelps: each has a short and a long word of help, and an example.
func TestEveryCommandHelps(t *testing.T) {
	for _, cmd := range newRoot(&program{}).Commands() {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no help or no example", cmd.Name())
		}
	}
}
