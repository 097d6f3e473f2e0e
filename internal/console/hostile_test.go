package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestHostileForms: the page that refuses a form stays short, whatever is in the form, also before anybody has logged
// in.
func TestHostileForms(t *testing.T) {
	const size, mostAnswered = 58 << 10, 16 << 10
	b := newBrowser(t, open(t).url)
	for name, field := range map[string]func(i int) string{
		"repeated fields": func(int) string { return "a=1" },
		"different ones":  func(i int) string { return fmt.Sprintf("k%d=5512345678", i) },
		"known ones":      func(int) string { return "key=5512345678" },
		"no names":        func(int) string { return "=" },
		"NULs":            func(int) string { return "name=%00" },
	} {
		t.Run(name, func(t *testing.T) {
			var form strings.Builder
			for i := 0; form.Len() < size; i++ {
				form.WriteString(field(i) + "&")
			}
			query := "/console/login?" + form.String()[:24<<10]
			for path, form := range map[string]string{"/console/login": form.String(), query: "name=ana"} {
				if a := b.send(http.MethodPost, path, form); a.status < 400 || a.status >= 500 || len(a.body) > mostAnswered {
					t.Errorf("%.40s: status %d, %d bytes: %.500s", path, a.status, len(a.body), a.body)
				}
			}
		})
	}
}
