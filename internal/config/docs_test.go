package config

import (
	"fmt"
	"strings"
	"testing"

	"recarga/internal/testkit"
)

//go:generate go test -run TestSettingsDocument . -update

func TestSettingsDocument(t *testing.T) {
	testkit.Generated(t, "../../docs/settings.md", settingsMarkdown())
}

// settingsIntroduction has ~ where Markdown has a backquote.
const settingsIntroduction = `# Settings

A flag overrides an environment variable, which overrides the file of ~--config recarga.yaml~ (or ~RECARGA_CONFIG~),
which overrides the default. The flag of ~RECARGA_HTTP_ADDR~ is ~--http-addr~, its key in the file ~http_addr~. Recarga
refuses unknown variables and keys, except for those that Kubernetes and Docker set for a service or a link named
recarga, such as ~RECARGA_PORT=tcp://10.0.0.1:8080~. It reports all mistakes at once, with exit status 2. Durations are
Go's: ~30s~, ~2m~, ~1h30m~.

Recarga never shows a setting marked *secret*. In the environment and in the file you may also give the path of a file
that holds it: the same name with ~_FILE~ (~_file~). If other users of the machine can read a secret (in a flag, or in a
file whose mode and folders let them), the start and ~recarga doctor~ warn. An empty variable counts as not set; an
empty flag or key unsets what it overrides.

These are mistakes together: ~RECARGA_SHUTDOWN_TIMEOUT~ less than 10 s above
~RECARGA_DISTRIBUTOR_TIMEOUT~ · ~RECARGA_RETRY_INITIAL~ above ~RECARGA_RETRY_MAX~ · an http ~RECARGA_DISTRIBUTOR_URL~ that is not on loopback (~localhost~, 127.0.0.1, ::1) without
~RECARGA_DISTRIBUTOR_ALLOW_HTTP~ · ~RECARGA_CALLBACK_URL~ without ~RECARGA_WEBHOOK_SECRET~, or http or private without
~RECARGA_WEBHOOK_ALLOW_PRIVATE~ · ~RECARGA_API_KEY~ equal to ~RECARGA_ADMIN_KEY~ · ~RECARGA_METRICS_ADDR~ equal to
~RECARGA_HTTP_ADDR~ · where there is an API (~serve~, ~api~),
~RECARGA_CALLBACK_URL~ without ~RECARGA_API_KEY~ and ~RECARGA_ADMIN_KEY~, and an admin key that can be guessed (less than 20
characters, few different ones, or a known word in it) where ~RECARGA_HTTP_ADDR~ is not on loopback, without
~RECARGA_ADMIN_KEY_ALLOW_WEAK~. ~recarga key~ makes a key that nobody can guess.
`

// TestEverySettingIsWhole: a setting without a check would end the program, one without a text would help nobody.
func TestEverySettingIsWhole(t *testing.T) {
	left := setters(new(Settings))
	for _, row := range Table(new(Settings)) {
		if row.Allowed == "" || row.Help == "" || left[row.Name] == nil {
			t.Errorf("%s: allowed %q, help %q, checked: %t", row.Name, row.Allowed, row.Help, left[row.Name] != nil)
		}
		delete(left, row.Name)
	}
	for name := range left {
		t.Errorf("%s: a check of no setting", name)
	}
}

func settingsMarkdown() string {
	var b strings.Builder
	b.WriteString("<!-- Generated from internal/config/settings.yaml by `go generate ./internal/config`. Do not edit. " +
		"-->\n\n" + strings.ReplaceAll(settingsIntroduction,
		"~", "`"))
	for _, group := range Groups(new(Settings)) {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | default | allowed | what it is |\n|---|---|---|---|\n", group.Title)
		for _, row := range group.Rows {
			standard, what := "none", row.Help
			if row.Default != "" {
				standard = "`" + row.Default + "`"
			}
			if row.Secret {
				what += " *(secret)*"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.Env(), standard, row.Allowed, what)
		}
	}
	return b.String()
}
