package origin_test

import (
	"net/url"
	"testing"

	"recarga/internal/origin"
)

func TestOf(t *testing.T) {
	for raw, want := range map[string]string{
		"https://Shop.Example/a?token=1": "https://shop.example",
		"https://shop.example:8443/b":    "https://shop.example:8443",
		"HTTPS://shop.example:443/b":     "https://shop.example",
		"http://shop.example:443":        "http://shop.example:443",
		"http://user@[2001:DB8::1]:80/":  "http://[2001:db8::1]",
		"https://shop.example:":          "https://shop.example",
		"https://443.example:4430/x:443": "https://443.example:4430",
		"":                               "",
		"%":                              "",
		"/hooks":                         "",
		"https://:443/":                  "",
	} {
		if got := origin.Of(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestHostPort(t *testing.T) {
	for raw, want := range map[string]string{
		"https://shop.example/a": "shop.example:443", "http://shop.example": "shop.example:80",
		"http://[::1]:8080/": "[::1]:8080", "redis://shop.example": "shop.example:",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := origin.HostPort(u); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
