package webhook

import (
	"bytes"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"recarga/internal/clip"
	"recarga/topup"
)

const (
	// maxKeptBody and maxKeptHeader bound what is kept of an answer's body and of each header, in bytes.
	maxKeptBody   = 1 << 10
	maxKeptHeader = 200
	// minHidden is the shortest text that is taken for a secret when it is found in an answer; a shorter one is found
	// everywhere.
	minHidden = 4
	// hidden stands for a secret that an answer repeated.
	hidden = "(hidden)"
)

// keptHeaders are the headers of an answer that show who answered, and why so. No other is kept: cookies and
// tokens are the receiver's.
var keptHeaders = []string{"cf-mitigated", "content-type", "ngrok-error-code", "retry-after", "server"}

// response is what is kept of an answer: nil where it says nothing. hide are texts that must not be kept, such as
// the keys that we sent, which some gateways repeat in their error pages.
func response(header http.Header, body []byte, hide []string) *topup.TryResponse {
	kept := topup.TryResponse{Body: excerpt(body, maxKeptBody, hide)}
	for _, name := range keptHeaders {
		value := excerpt([]byte(strings.Join(header.Values(name), ", ")), maxKeptHeader, hide)
		if value == "" {
			continue
		}
		if kept.Headers == nil {
			kept.Headers = map[string]string{}
		}
		kept.Headers[name] = value
	}
	if kept.Body == "" && kept.Headers == nil {
		return nil
	}
	return &kept
}

// excerpt is the beginning of a text from elsewhere: valid UTF-8 of at most so many bytes, without what hide names and
// without characters that act on a terminal or are invisible, but line breaks and tabs.
func excerpt(text []byte, most int, hide []string) string {
	var out bytes.Buffer
	for len(text) > 0 && out.Len() < most {
		if n := secretAt(text, hide); n > 0 {
			out.WriteString(hidden)
			text = text[n:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case r == '\n', r == '\t':
			out.WriteRune(r)
		case r == '\r' && bytes.HasPrefix(text, []byte{'\n'}): // one line break, not two
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			out.WriteRune(unicode.ReplacementChar)
		default: // also what is no UTF-8, which DecodeRune has replaced
			out.WriteRune(r)
		}
	}
	return strings.TrimSpace(clip.To(out.String(), most))
}

// secretAt is the length of the secret that a text begins with; 0: none. The text may end within it, since only the
// beginning of an answer is read.
func secretAt(text []byte, hide []string) (n int) {
	for _, secret := range hide {
		begins := secret[:min(len(secret), len(text))]
		if len(begins) >= minHidden && bytes.HasPrefix(text, []byte(begins)) {
			n = max(n, len(begins))
		}
	}
	return n
}

// hide are the texts of a target that its answers may repeat and nobody may read there: the values of its URL's query
// and of its headers, and its webhook secrets, as they are and as pages and JSON write them.
func (to target) hide() []string {
	secrets := slices.Clone(to.secrets)
	for _, value := range to.headers {
		secrets = append(secrets, value)
		secrets = append(secrets, strings.Fields(value)...) // as the token in "Bearer …"
	}
	if u, err := url.Parse(to.url); err == nil {
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	var all []string
	for _, s := range secrets {
		if len(s) >= minHidden {
			all = append(all, s, html.EscapeString(s), url.QueryEscape(s), strings.ReplaceAll(s, "/", `\/`))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
