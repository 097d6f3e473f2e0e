package sandbox

import (
	_ "embed" // the text
	"fmt"
	"net/http"
	"strings"
)

//go:embed help.txt
var intro string

// help is GET /. It is written from the tables the server runs on.
func help(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	b.WriteString(intro)
	for _, one := range fates() {
		fmt.Fprintf(&b, "  %s%s  %s\n", magicPrefix, one.digits, one.does)
	}
	b.WriteString("\nSettings, and what they may be:\n\n")
	for _, one := range settings() {
		fmt.Fprintf(&b, "  %-20s %s\n", one.field, one.allowed)
	}
	answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte(b.String())}.write(w)
}
