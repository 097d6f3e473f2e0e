package config

import (
	"cmp"
	_ "embed" // the settings
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"recarga/internal/access"
	"recarga/internal/yamlfile"
	"recarga/topup"
	"recarga/webhook"
)

// Prefix is what the names of all variables begin with.
const Prefix = "RECARGA_"

// Setting is one row of the table from which flags, environment, file, defaults, checks and
// docs/settings.md follow.
type Setting struct {
	// Name is without the Prefix.
	Name string
	// Default is the value where no source has one; empty: none.
	Default string
	// Help says what the setting is for.
	Help string
	// Allowed says which values are, in the words of an error.
	Allowed string
	// Secret: the value is never shown, and may come from a file.
	Secret bool
	// Choice: the value is true or false, and the flag needs none.
	Choice bool
	// Auxiliary: a mistake switches the operator's endpoint off, and stops nothing.
	Auxiliary bool
	// set parses a value and stores it. Its error only says that the value is not allowed.
	set func(string) error
}

// Env is the name of its variable, as RECARGA_HTTP_ADDR.
func (row Setting) Env() string { return Prefix + row.Name }

// Flag is the name of its flag, as http-addr.
func (row Setting) Flag() string { return strings.ReplaceAll(row.Key(), "_", "-") }

// Key is its key in a file, as http_addr.
func (row Setting) Key() string { return strings.ToLower(row.Name) }

// userinfo is where a URL may have a password.
var userinfo = regexp.MustCompile(`(?s)//.*@`)

// Shown is a value as anybody may see it: of a secret nothing, not even the scheme of a URL, which may
// be a password that was put into the wrong variable; and of no URL its user.
func (row Setting) Shown(value string) string {
	if row.Secret {
		return "(hidden)"
	}
	return userinfo.ReplaceAllString(value, "//(hidden)@")
}

// Group is a section of docs/settings.md.
type Group struct {
	Title string    // the heading
	Rows  []Setting // in the order of the document
}

// Table are all settings, stored in s.
func Table(s *Settings) (rows []Setting) {
	for _, group := range Groups(s) {
		rows = append(rows, group.Rows...)
	}
	return rows
}

//go:embed settings.yaml
var settingsFile []byte

// known are the groups of settings.yaml, stored nowhere.
var known = yamlfile.Read[[]Group](settingsFile)

// Groups are all settings by section, stored in s.
func Groups(s *Settings) []Group {
	sets := setters(s)
	groups := slices.Clone(known)
	for i, group := range groups {
		groups[i].Rows = slices.Clone(group.Rows)
		for j, row := range group.Rows {
			groups[i].Rows[j].set = sets[row.Name]
		}
	}
	return groups
}

// AllowedURL says which URLs are.
const AllowedURL = "an http or https URL"

var errNotAllowed = errors.New("not allowed")

func when(wrong bool) error {
	if wrong {
		return errNotAllowed
	}
	return nil
}

func text(to *string, valid func(string) bool) func(string) error {
	return func(v string) error {
		*to = v
		return when(!valid(v))
	}
}

func span(to *time.Duration) func(string) error { return spanTo(to, math.MaxInt64) }

// ShortestRetention is longer than anybody still does something about an order that has ended.
const ShortestRetention = 24 * time.Hour

// spanOrNever takes 0 for never, too.
func spanOrNever(to *time.Duration, least time.Duration) func(string) error {
	return func(v string) (err error) {
		*to, err = time.ParseDuration(v)
		return cmp.Or(err, when(*to != 0 && *to < least))
	}
}

// longestPurchase stays below the queue's own timeout of a task (30 minutes), which would cut a
// purchase off.
const longestPurchase = 25 * time.Minute

func spanTo(to *time.Duration, most time.Duration) func(string) error {
	return func(v string) (err error) {
		*to, err = time.ParseDuration(v)
		return cmp.Or(err, when(*to <= 0 || *to > most))
	}
}

func count(to *int, least, most int) func(string) error {
	return func(v string) (err error) {
		*to, err = strconv.Atoi(v)
		return cmp.Or(err, when(*to < least || *to > most))
	}
}

func choice(to *bool) func(string) error {
	return func(v string) error {
		*to = v == "true"
		return when(v != "true" && v != "false")
	}
}

func amount(to *topup.Amount) func(string) error {
	return func(v string) (err error) {
		*to, err = topup.ParseAmount(v)
		return cmp.Or(err, when(*to <= 0))
	}
}

func percentage(to *float64) func(string) error {
	return func(v string) error {
		n, err := strconv.Atoi(strings.TrimSuffix(v, "%"))
		*to = float64(n) / 100
		return cmp.Or(err, when(n < 0 || n > 100 || strconv.Itoa(n)+"%" != v))
	}
}

func rate(to *topup.Rate) func(string) error {
	return func(v string) (err error) {
		*to, err = topup.ParseRate("", v)
		return err
	}
}

var codePattern = regexp.MustCompile(`^[0-9A-Za-z]{2}$`)

func retryCodes(to *[]topup.Code) func(string) error {
	return func(v string) error {
		*to = nil
		for code := range strings.SplitSeq(v, ",") {
			c := topup.Code(strings.TrimSpace(code))
			if !codePattern.MatchString(string(c)) || c == topup.CodeApproved || c.Declines() {
				return errNotAllowed
			}
			*to = append(*to, c)
		}
		return nil
	}
}

func schedule(to *[]time.Duration) func(string) error {
	return func(v string) (err error) {
		*to, err = webhook.ParseSchedule(v)
		return err
	}
}

func logLevel(to *slog.Level) func(string) error {
	return func(v string) error {
		return cmp.Or(to.UnmarshalText([]byte(v)), when(strings.ContainsAny(v, "+-")))
	}
}

func proxies(to *access.Proxies) func(string) error {
	return func(v string) (err error) {
		*to, err = access.ParseProxies(v)
		return err
	}
}

func proxy(to **url.URL) func(string) error {
	return func(v string) (err error) {
		*to, err = webhook.ParseProxy(v)
		return err
	}
}

func headers(to *map[string]string) func(string) error {
	return func(v string) error {
		if err := json.Unmarshal([]byte(v), to); err != nil {
			return err
		}
		return errors.Join(webhook.CheckHeaders("", *to)...)
	}
}

func anything(string) bool { return true }

func secret(v string) bool { return webhook.ParseSecret(v) == nil }

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func databaseURL(v string) bool {
	scheme, rest, _ := strings.Cut(v, ":")
	return scheme == "sqlite" && strings.Trim(rest, "/") != "" || oneOf("postgres", "postgresql")(scheme) &&
		strings.HasPrefix(rest, "//")
}

// embedded is the URL of the Redis in this process.
const embedded = "embedded"

func redisURL(v string) bool {
	scheme, rest, _ := strings.Cut(v, "://")
	return v == embedded || rest != "" && oneOf("redis", "rediss", "unix", "redis-sentinel", "redis-cluster")(scheme)
}

const shortestKey = 8

// key is short enough to type and long enough to need more than a few guesses; other characters do
// not pass through an HTTP header.
func key(v string) bool {
	return len(v) >= shortestKey && !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' })
}

// shortestTaskKey is more than for keys that somebody types: whoever reads a signed task may guess at leisure.
const shortestTaskKey = 16

// keyList takes one key, or two: a new one and the one before it.
func keyList(to *[]string, shortest int) func(string) error {
	return func(v string) error {
		*to = strings.Split(v, ",")
		return when(len(*to) > 2 || slices.ContainsFunc(*to, func(k string) bool { return len(k) < shortest || !key(k) }))
	}
}

// secretList takes one webhook secret, or two.
func secretList(to *[]string) func(string) error {
	return func(v string) error {
		*to = strings.Split(v, ",")
		return when(len(*to) > 2 || slices.ContainsFunc(*to, func(s string) bool { return !secret(s) }))
	}
}

// WebURL reports whether a text is an http or https URL with a host and without a user.
func WebURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func traceURL(v string) bool { return WebURL(v) && strings.Contains(v, "{id}") }

func address(v string) bool {
	_, port, err := net.SplitHostPort(v)
	_, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil
}
