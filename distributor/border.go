package distributor

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"recarga/internal/clip"
	"recarga/topup"
)

const (
	// maxText bounds a text of the vendor's, maxEvidence what is kept of an answer, in bytes.
	maxText     = 200
	maxEvidence = 1 << 10

	masked = "***"
	// part is how much of a secret is recognized as one, and digits how much where it has no letter: a
	// shorter run of digits may well be a date or an amount.
	part, digits = 8, 12
	// maxDecodings bounds how often escapes are undone.
	maxDecodings = 3
)

// border is what every text of the vendor's passes before anybody sees it: callers, logs, the book of
// record. Vendors echo what they were sent.
type border struct {
	whole []string        // lower case
	parts map[string]bool // lower case, of part and of digits bytes
}

// newBorder masks these secrets. One of fewer than four bytes is none.
func newBorder(secrets ...string) *border {
	b := &border{parts: map[string]bool{}}
	for _, secret := range secrets {
		secret = lower(secret)
		if len(secret) < 4 {
			continue
		}
		b.whole = append(b.whole, secret)
		for i := range secret {
			if i+part <= len(secret) && strings.ContainsAny(secret[i:i+part], letters) {
				b.parts[secret[i:i+part]] = true
			}
			if i+digits <= len(secret) {
				b.parts[secret[i:i+digits]] = true
			}
		}
	}
	return b
}

const letters = "abcdefghijklmnopqrstuvwxyz"

// lower changes ASCII only, so that places stay the same.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// text is a vendor's text without secrets and without what a terminal or a page would obey, of at most so
// many bytes.
func (b *border) text(s string, most int) string { return clip.To(b.mask(s), most) }

func (b *border) mask(s string) string {
	s = clean(s)
	// The text that is decoded most comes first: a secret may be escaped in parts only.
	levels := decodings(s)
	for rounds := 0; len(levels) > 0 && rounds < maxDecodings; {
		deepest := len(levels) - 1
		hidden, found := b.hide(levels[deepest])
		levels = levels[:deepest]
		if found {
			s, levels, rounds = hidden, decodings(hidden), rounds+1
		}
	}
	return encoded.ReplaceAllStringFunc(s, func(word string) string {
		for _, decoded := range decode(word) {
			if _, found := b.hide(decoded); found {
				return masked
			}
		}
		return word
	})
}

// hide masks the secrets and whatever else looks like one, and reports whether there were any.
func (b *border) hide(s string) (hidden string, found bool) {
	s = strings.ToValidUTF8(s, "\uFFFD")
	hidden = credentials(b.known(s))
	return hidden, hidden != s
}

// known masks the secrets, and each part of one, in whatever letters.
func (b *border) known(s string) string {
	low := lower(s)
	var hidden []bool // by byte, with one more at the end
	mark := func(from, to int) {
		if hidden == nil {
			hidden = make([]bool, len(s)+1)
		}
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	for i := range low {
		for _, n := range []int{part, digits} {
			if i+n <= len(low) && b.parts[low[i:i+n]] {
				mark(i, i+n)
			}
		}
	}
	for _, secret := range b.whole {
		for i := range placesOf(low, secret) {
			mark(i, i+len(secret))
		}
	}
	if hidden == nil {
		return s
	}
	return without(s, hidden)
}

// placesOf are the places of a secret in a text; a short one must be a word of its own there.
func placesOf(low, secret string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; ; i++ {
			n := strings.Index(low[i:], secret)
			if n < 0 {
				return
			}
			i += n
			if (len(secret) >= part || apart(low, i, i+len(secret))) && !yield(i) {
				return
			}
		}
	}
}

// without puts one mask in the place of each run of hidden bytes; hidden has one more at its end.
func without(s string, hidden []bool) string {
	var out strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			out.WriteByte(s[i])
		case !hidden[i+1]:
			out.WriteString(masked)
		}
	}
	return strings.ToValidUTF8(out.String(), "")
}

// apart reports whether a short secret is a word of its own, and not a part of one.
func apart(s string, from, to int) bool {
	const word = letters + "0123456789"
	return (from == 0 || !strings.Contains(word, s[from-1:from])) &&
		(to == len(s) || !strings.Contains(word, s[to:to+1]))
}

// is stands between a name and its value, in JSON, in a form or in a header.
const is = `\\?["']?\s*[:=]\s*\\?["']?`

var (
	scheme = regexp.MustCompile(`(?i)\b(?:bearer|basic|digest)[\s:]+"?([A-Za-z0-9._~+/=-]{8,})`)
	member = regexp.MustCompile(`(?i)(?:(?:access|refresh|id)_?token|secret_?key)` + is + `([^\s"',;&<>{}\[\]\\]+)`)
	named  = regexp.MustCompile(`(?i)(?:token|secret(?:_?key)?|api_?key|password|passwd|authorization)` + is +
		`([^\s"',;&<>{}\[\]\\]{8,})`)
	jwt = regexp.MustCompile(`\b(eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2})`)
)

// credentials masks what looks like some, whoever's they are.
func credentials(s string) string {
	if low := lower(s); !slices.ContainsFunc(hints(), func(hint string) bool { return strings.Contains(low, hint) }) {
		return s // as nearly all
	}
	for _, kind := range []*regexp.Regexp{scheme, member, named, jwt} {
		s = kind.ReplaceAllStringFunc(s, func(match string) string {
			secret := kind.FindStringSubmatch(match)[1]
			// A word, as in "Basic authentication".
			word := len(secret) < 20 && !strings.ContainsAny(secret, "0123456789-._~+/=")
			if word && kind != member {
				return match
			}
			return strings.TrimSuffix(match, secret) + masked
		})
	}
	return s
}

// hints are in whatever credentials would mask.
func hints() []string {
	return []string{"bearer", "basic", "digest", "token", "secret", "key", "passw", "authorization", "eyj"}
}

var (
	percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	escape  = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\[/"\\]`)
	encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}={0,2}`)

	hexadecimal = regexp.MustCompile(`[0-9a-fA-F]{16,}`)
)

// decodings are a text, and what it says to somebody who undoes the escapes of URLs, JSON and HTML, one after
// the other.
func decodings(s string) []string {
	all := []string{s}
	if !strings.ContainsAny(s, `%\&`) { // as nearly all
		return all
	}
	for range maxDecodings {
		before := len(all)
		for _, undo := range []func(string) string{unescapeURL, unescapeJSON, html.UnescapeString} {
			if next := clean(undo(s)); next != s {
				s = next
				all = append(all, s)
			}
		}
		if len(all) == before {
			break
		}
	}
	return all
}

func unescapeURL(s string) string {
	return percent.ReplaceAllStringFunc(s, func(e string) string {
		b, _ := hex.DecodeString(e[1:])
		return string(b)
	})
}

func unescapeJSON(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		if n, err := strconv.ParseUint(strings.TrimPrefix(e, `\u`), 16, 32); err == nil {
			return string(rune(n))
		}
		return e[1:]
	})
}

// decode undoes base64 and hex, wherever in the word they begin.
func decode(word string) (all []string) {
	word = strings.TrimRight(word, "=")
	word = strings.ReplaceAll(strings.ReplaceAll(word, "-", "+"), "_", "/") // as in base64 of URLs
	for at := range 4 {
		rest := word[at:]
		if len(rest)%4 == 1 { // no whole byte is lost
			rest = rest[:len(rest)-1]
		}
		b, _ := base64.RawStdEncoding.DecodeString(rest)
		all = append(all, string(b))
	}
	for _, digits := range hexadecimal.FindAllString(word, -1) {
		for at := range 2 {
			b, _ := hex.DecodeString(digits[at : len(digits)-(len(digits)-at)%2])
			all = append(all, string(b))
		}
	}
	return all
}

// clean drops control and formatting characters, among them those that turn the direction of writing.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) { // as nearly all
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// result passes the texts of a result. An id that is too long to be kept whole is left out: a part of one
// names nothing.
func (b *border) result(r topup.Result) topup.Result {
	r.Message, r.Error = b.text(r.Message, maxText), b.text(r.Error, maxText)
	r.Code = topup.Code(b.text(string(r.Code), maxText))
	long := ""
	for _, id := range []struct {
		name string
		text *string
	}{{"transaction_id", &r.TransactionID}, {"reference", &r.Reference}, {"auth_code", &r.AuthCode}} {
		if *id.text = b.mask(*id.text); len(*id.text) > maxText {
			*id.text = ""
			long += "; left out: " + id.name + " (it is too long)"
		}
	}
	r.Evidence = strings.TrimPrefix(b.text(r.Evidence, maxEvidence)+long, "; ")
	return r
}

// hiddenError is an error whose text has passed the border.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

// error passes an error: net/http quotes what it could not read.
func (b *border) error(err error) error {
	if err == nil {
		return nil
	}
	return &hiddenError{b.text(err.Error(), maxText), err}
}

// evidence is what a person needs to find out what happened: how far the request got, and the beginning of
// the answer without token, secret or phone number.
func (b *border) evidence(p *progress, a answer, phone topup.Phone) string {
	body := strings.ReplaceAll(string(a.body), phone.Digits(), phone.String())
	step, shown := b.text(p.String(), maxText), b.text(body, maxEvidence)
	return fmt.Sprintf("%s; HTTP status %d; answer %q", step, a.status, shown)
}
