package console

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// resolved is where a browser goes from our login page with a Location: it drops tabs and line ends, trims other
// control characters and spaces, takes a backslash for a slash, and %2e for a dot (the WHATWG URL standard).
func resolved(t *testing.T, location string) (origin, at string) {
	t.Helper()
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\r\n", r) {
			return -1
		}
		return r
	}, strings.TrimFunc(location, func(r rune) bool { return r <= ' ' }))
	head, query, _ := strings.Cut(text, "?")
	head = strings.ReplaceAll(head, `\`, "/")
	base, err := url.Parse("http://ours.example:8080/console/login")
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(head + "?" + query)
	if err != nil {
		return "unreadable", ""
	}
	// Decoded until nothing changes: whoever decodes once more than we did must not get elsewhere either.
	at = to.Path
	for range 5 {
		once, err := url.PathUnescape(at)
		if err != nil || once == at {
			break
		}
		at = once
	}
	return to.Scheme + "://" + to.Host, path.Clean(strings.ReplaceAll(at, `\`, "/"))
}

// FuzzOwnPath: wherever a login leads to, it is ours, as a browser reads it.
func FuzzOwnPath(f *testing.F) {
	for _, next := range []string{
		"", "/console/", "/console/orders?state=unknown&next=//evil", "/queues", "/queues/queues/topups", "//evil/console/",
		`/\evil/console/`, `\\evil`, "/console/../../evil", "/console/%2e%2e/evil", "/console/..%2fevil", "/console//evil",
		"/console/%2f%2fevil", "/console%2f..%2f..%2fevil", "/console/\tx", "\t//evil/console/", "/\t/evil/console/",
		"/console/\n", " /console/", "https://evil/console/",
		"javascript:alert(1)", "/console/x#//evil", "/consolex", "/queues.evil", "http:/console/", "http:console/",
		"//evil@ours.example/console/", "/console/é", "/console/\x00", "?next", "/console/./x", "/console/login?next=/evil",
		`/console\..\..\evil`, "///console/", "/console/%5c%5cevil", "/console/%00", "/console/%", "/docs",
	} {
		f.Add(next)
	}
	f.Fuzz(func(t *testing.T, next string) {
		to := ownPath(next)
		if to == "" {
			return
		}
		origin, at := resolved(t, to)
		ours := at == Path || at == "/queues" || strings.HasPrefix(at, Path+"/") || strings.HasPrefix(at, "/queues/")
		if origin != "http://ours.example:8080" || !ours || strings.ContainsAny(to, "\r\n\t\\\x00") {
			t.Errorf("%q leads to %q: %s %s", next, to, origin, at)
		}
	})
}

// TestOwnPathKeeps what people come from.
func TestOwnPathKeeps(t *testing.T) {
	for _, next := range []string{
		"/console/", "/console/orders?state=unknown&caller=a%26b", "/console/orders/ORD-1:a.b_c", "/queues", "/queues/",
		"/queues/queues/topups?status=archived", "/console/bulk/cancel?state=queued",
	} {
		if got := ownPath(next); got != next {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}
