package queue_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"recarga/internal/queue"
	"recarga/internal/testkit"
)

//go:generate go test -run TestRightsDocument . -update

// TestRightsDocument: the rights that an operator gives are those that a whole life needs, as e2e.TestLeastRights finds
// them.
func TestRightsDocument(t *testing.T) {
	const path, begin, end = "../../docs/redis.md", "from internal/queue/rights.go -->\n", "<!-- end of rights -->"
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s has no place for the rights", path)
	}
	testkit.Generated(t, path, before+begin+rights()+end+after)
}

func rights() string {
	var text strings.Builder
	text.WriteString("A user of Redis (from 6.0; the rules of channels from 6.2) that can do what Recarga needs, and nothing " +
		"else:\n\n")
	writeRules(&text, "ACL SETUSER recarga on >PASSWORD", queue.RightsRules(false))
	text.WriteString("\nA Redis Cluster is asked for its map as well, so there the user needs also:\n\n   ")
	for _, r := range queue.Rights() {
		if r.Cluster {
			text.WriteString(" +" + r.Command)
		}
	}
	text.WriteString("\n\nWithout one of these commands orders are not bought or a button does nothing, but for these:\n\n" +
		"| without the command | nobody knows |\n|---|---|\n")
	for _, r := range queue.Rights() {
		if r.Without != "" {
			_, _ = fmt.Fprintf(&text, "| `%s` | %s |\n", strings.ReplaceAll(r.Command, "|", `\|`), r.Without)
		}
	}
	text.WriteString("\nThe user of a Sentinel:\n\n")
	writeRules(&text, "ACL SETUSER recarga on >PASSWORD", queue.SentinelRules())
	return text.String()
}

// writeRules writes a command in lines of a bearable length.
func writeRules(text *strings.Builder, command string, rules []string) {
	line := "    " + command
	for _, rule := range rules {
		if len(line)+1+len(rule) > 116 {
			text.WriteString(line + " \\\n")
			line = "       "
		}
		line += " " + rule
	}
	text.WriteString(line + "\n")
}
