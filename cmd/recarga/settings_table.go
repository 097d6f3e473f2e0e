package main

import (
	"cmp"
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
	"recarga/topup"
	"recarga/webhook"
)

const envPrefix = "RECARGA_"

// setting is one row of the table from which flags, environment, file, defaults, checks and
// docs/settings.md follow.
type setting struct {
	name     string // without RECARGA_
	standard string // the default
	help     string
	allowed  string
	// secret is never shown, and may come from a file.
	secret bool
	// choice is a setting of true or false, whose flag needs no value.
	choice bool
	// auxiliary is of the operator's endpoint: a mistake in it switches that off, and stops nothing.
	auxiliary bool
	// set parses a value and stores it. Its error only says that the value is not allowed.
	set func(string) error
}

func (row setting) env() string  { return envPrefix + row.name }
func (row setting) flag() string { return strings.ReplaceAll(row.key(), "_", "-") }
func (row setting) key() string  { return strings.ToLower(row.name) }

// userinfo is where a URL may have a password.
var userinfo = regexp.MustCompile(`(?s)//.*@`)

// shown is a value as anybody may see it: of a secret nothing, not even the scheme of a URL, which may
// be a password that was put into the wrong variable; and of no URL its user.
func (row setting) shown(value string) string {
	if row.secret {
		return "(hidden)"
	}
	return userinfo.ReplaceAllString(value, "//(hidden)@")
}

// settingsGroup is a section of docs/settings.md.
type settingsGroup struct {
	title string
	rows  []setting
}

// settingsTable are all settings, stored in s.
func settingsTable(s *Settings) (rows []setting) {
	for _, group := range settingsGroups(s) {
		rows = append(rows, group.rows...)
	}
	return rows
}

func settingsGroups(s *Settings) []settingsGroup {
	return []settingsGroup{
		{"Where orders and the queue are kept", storageSettings(s)},
		{"The distributor", distributorSettings(s)},
		{"Attempts", retrySettings(s)},
		{"Callers and keys", callerSettings(s)},
		{"Webhooks", webhookSettings(s)},
		{"The process", processSettings(s)},
		{"Client commands", []setting{{
			name: "API_URL", standard: "http://127.0.0.1:8080", allowed: allowedURL, set: text(&s.APIURL, webURL),
			help: "the API that enqueue, get, list, watch, cancel, balance and products talk to",
		}}},
	}
}

const (
	allowedURL        = "an http or https URL"
	allowedDuration   = "a duration above zero, as in 30s or 2m"
	allowedAddress    = "HOST:PORT"
	allowedKey        = "at least 8 visible ASCII characters"
	allowedFormerKeys = "one key of at least 8 visible ASCII characters, or two separated by a comma"
	allowedTaskKeys   = "one key of at least 16 visible ASCII characters, or two separated by a comma"
	allowedChoice     = "true or false"
	allowedAmount     = "an amount above zero with at most 2 decimals, as in 500 or 99.50"
)

func storageSettings(s *Settings) []setting {
	return []setting{{
		name: "DATABASE_URL", standard: "sqlite:recarga.db", secret: true,
		help:    "book of record",
		allowed: "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
		set:     text(&s.DatabaseURL, databaseURL),
	}, {
		name: "REDIS_URL", standard: "embedded", secret: true,
		help:    "where the queue lives; embedded: in this process, and rung again from the book of record after a restart",
		allowed: "embedded, redis://, rediss://, unix://, redis-sentinel://HOST:PORT,…/DB?master=NAME or redis-cluster://HOST:PORT,…",
		set:     text(&s.RedisURL, redisURL),
	}, {
		name: "RETENTION", standard: "9600h", allowed: "0 (for ever) or a duration of at least 24h, as in 9600h", set: spanOrNever(&s.Retention, shortestRetention),
		help: "orders that ended longer ago leave the database for the archive, whole days at a time",
	}, {
		name: "ARCHIVE_DIR", allowed: "a folder", set: text(&s.ArchiveDir, anything),
		help: "where the archive's files are: the same for all processes. Default: the folder archive beside the SQLite file; with PostgreSQL none, and no order leaves",
	}}
}

func distributorSettings(s *Settings) []setting {
	return []setting{{
		name: "DISTRIBUTOR_URL", allowed: allowedURL, set: text(&s.DistributorURL, webURL),
		help: "base URL of the distributor, up to and with /api/distributor; required to serve",
	}, {
		name: "DISTRIBUTOR_ALLOW_HTTP", standard: "false", choice: true, allowed: allowedChoice,
		set:  choice(&s.DistributorAllowHTTP),
		help: "permit an http:// distributor that is not on loopback: credentials and purchases travel in the clear",
	}, {
		name: "DISTRIBUTOR_CUSTOMER_ID", secret: true, allowed: "a text", set: text(&s.DistributorCustomerID, anything),
		help: "the distributor's customer_id; required to serve",
	}, {
		name: "DISTRIBUTOR_SECRET_KEY", secret: true, allowed: "a text", set: text(&s.DistributorSecretKey, anything),
		help: "the distributor's secret_key; required to serve",
	}, {
		name: "CATALOG", allowed: "a YAML file of products (docs/products.md)", set: text(&s.CatalogFile, anything),
		help: "what can be bought, instead of the products of the distributor's document; read at the start, and the same for all processes",
	}, {
		name: "DISTRIBUTOR_TIMEOUT", standard: "120s", allowed: allowedDuration + ", at most 25m", set: spanTo(&s.DistributorTimeout, longestPurchase),
		help: "one purchase call; the distributor tries several providers in turn, and cutting it short makes an unknown",
	}, {
		name: "DISTRIBUTOR_RATE", allowed: "COUNT/s, COUNT/m or COUNT/h, as in 200/m", set: rate(&s.DistributorRate),
		help: "at most so many requests, all workers together; orders wait in line, by their priority. Empty: no limit",
	}, {
		name: "BREAKER_SHARE", standard: "50%", allowed: "a whole percentage from 0% (never) to 100%", set: percentage(&s.BreakerShare),
		help: "when so many of an operator's last purchases (of half a minute, at least 50) were unavailable, not sent or unknown, its orders wait in line while probes try it",
	}, {
		name: "BREAKER_PROBE", standard: "5s", allowed: allowedDuration, set: span(&s.BreakerProbe),
		help: "time between two probes of an operator that is out, by all workers together",
	}, {
		name: "DISTRIBUTOR_CONCURRENCY", standard: "64", allowed: "a whole number from 1 to 10000", set: count(&s.DistributorConcurrency, 10000),
		help: "purchase calls under way in one worker process",
	}, {
		name: "BALANCE_INTERVAL", standard: "60s", allowed: allowedDuration, set: span(&s.BalanceInterval),
		help: "time between two questions for the balance, by all workers together",
	}, {
		name: "BALANCE_LOW", allowed: allowedAmount, set: amount(&s.BalanceLow),
		help: "when the balance falls below it, an alarm is logged and the operator is told, once (balance.low). Empty: never",
	}, {
		name: "BALANCE_RESERVE", allowed: allowedAmount, set: amount(&s.Reserve),
		help: "orders whose purchase would leave less than this of the balance wait in line until it has risen. Empty: never",
	}}
}

func retrySettings(s *Settings) []setting {
	return []setting{{
		name: "RETRY_INITIAL", standard: "2s", allowed: allowedDuration, set: span(&s.RetryInitial),
		help: "wait after the first attempt that was unavailable or not sent; each next one is twice as long",
	}, {
		name: "RETRY_MAX", standard: "2m", allowed: allowedDuration, set: span(&s.RetryMax),
		help: "the longest wait",
	}, {
		name: "RETRY_MAX_ATTEMPTS", standard: "10", allowed: "a whole number from 1 to 1000", set: count(&s.RetryMaxAttempts, 1000),
		help: "attempts of an order, the first included",
	}, {
		name: "RETRY_MAX_ELAPSED", standard: "30m", allowed: allowedDuration, set: span(&s.RetryMaxElapsed),
		help: "time for attempts, from the start of the first, wherever the order waits; then it ends",
	}, {
		name: "EXPIRES_AFTER", standard: "72h", allowed: "0 (never) or a duration of at least 1s, as in 72h", set: spanOrNever(&s.ExpiresAfter, time.Second),
		help: "an order without expires_at that was never tried ends so long after it was accepted, or after its process_at",
	}, {
		name: "RETRY_CODES", standard: "91,96", allowed: "codes of two letters or digits separated by commas, none of 00, 05, 12, 13, 14, 51, 83", set: retryCodes(&s.RetryCodes),
		help: "codes that prove that nothing was charged and that another try makes sense",
	}, {
		name: "ON_UNKNOWN", standard: "hold", allowed: "hold or resend", set: text(&s.OnUnknown, oneOf("hold", "resend")),
		help: "what becomes of an attempt of unknown outcome; resend only where the distributor has promised to ignore a repeated id",
	}}
}

func callerSettings(s *Settings) []setting {
	return []setting{{
		name: "API_KEY", secret: true, allowed: allowedKey, set: text(&s.APIKey, key),
		help: "key of the caller named default; client commands send it",
	}, {
		name: "CALLBACK_URL", allowed: allowedURL, set: text(&s.CallbackURL, webURL),
		help: "where the caller named default is told; https and public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE is true",
	}, {
		name: "WEBHOOK_SECRET", secret: true, allowed: "whsec_ and base64 of 24 to 64 bytes",
		set:  text(&s.WebhookSecret, func(v string) bool { return webhook.ParseSecret(v) == nil }),
		help: "signs the webhooks of the caller named default",
	}, {
		name: "ADMIN_KEY", secret: true, allowed: allowedKey, set: text(&s.AdminKey, key),
		help: "the operator's key: sees every caller's orders, opens /queues; client commands send it where RECARGA_API_KEY is not set",
	}, {
		name: "TRUSTED_PROXIES", allowed: "addresses or networks separated by commas, as in 10.0.0.0/8,::1", set: proxies(&s.TrustedProxies),
		help: "proxies whose X-Forwarded-For and X-Forwarded-Proto count; those who try keys are slowed down by address. Empty: none",
	}, {
		name: "ADMIN_KEY_ALLOW_WEAK", standard: "false", choice: true, allowed: allowedChoice,
		set:  choice(&s.AdminKeyAllowWeak),
		help: "permit an admin key that can be guessed where RECARGA_HTTP_ADDR is not on loopback",
	}, {
		name: "OPERATOR_CALLBACK_URL", auxiliary: true, allowed: allowedURL, set: text(&s.OperatorCallbackURL, webURL),
		help: "where the operator is told what concerns no order (endpoint.disabled); https and public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE is true. A mistake in it is a warning at the start, and the operator is not told",
	}, {
		name: "OPERATOR_WEBHOOK_SECRET", auxiliary: true, secret: true, allowed: "whsec_ and base64 of 24 to 64 bytes",
		set:  text(&s.OperatorWebhookSecret, func(v string) bool { return webhook.ParseSecret(v) == nil }),
		help: "signs the operator's webhooks",
	}, {
		name: "ENCRYPTION_KEY", secret: true, allowed: allowedKey, set: text(&s.EncryptionKey, key),
		help: "seals the webhook secrets of the callers in the registry; every api and worker process needs the same. " +
			"Default: RECARGA_ADMIN_KEY. To change either: docs/operations.md",
	}, {
		name: "ENCRYPTION_KEY_OLD", secret: true, allowed: allowedFormerKeys,
		set: keyList(&s.FormerEncryptionKeys, shortestKey),
		help: "the encryption key before the present one: what it sealed is opened as well, until recarga rekey has " +
			"sealed it anew",
	}, {
		name: "TASK_KEY", secret: true, allowed: allowedTaskKeys, set: keyList(&s.TaskKeys, shortestTaskKey),
		help: "when set, tasks of producers that have only Redis must be signed with it (docs/queues.md); the worker " +
			"needs it. A second key is accepted as well, while producers change from one to the other",
	}}
}

func webhookSettings(s *Settings) []setting {
	return []setting{{
		name: "WEBHOOK_SCHEDULE", standard: "5s,5m,30m,2h,5h,10h,14h,20h,24h", allowed: "durations above zero separated by commas", set: schedule(&s.WebhookSchedule),
		help: "waits between delivery tries (the first is at once), each with jitter",
	}, {
		name: "WEBHOOK_TIMEOUT", standard: "15s", allowed: allowedDuration, set: span(&s.WebhookTimeout),
		help: "one delivery try",
	}, {
		name: "WEBHOOK_RATE", allowed: "COUNT/s, COUNT/m or COUNT/h, as in 50/s", set: rate(&s.WebhookRate),
		help: "at most so many tries to one endpoint, of each worker process; empty: no limit",
	}, {
		name: "WEBHOOK_DISABLE_AFTER", standard: "120h", allowed: allowedDuration, set: span(&s.WebhookDisableAfter),
		help: "how long an endpoint may fail without a success before it is disabled and the operator is told",
	}, {
		name: "WEBHOOK_ALLOW_PRIVATE", standard: "false", choice: true, allowed: allowedChoice, set: choice(&s.WebhookAllowPrivate),
		help: "permit http:// and loopback, private and link-local targets",
	}}
}

func processSettings(s *Settings) []setting {
	return []setting{{
		name: "HTTP_ADDR", standard: "127.0.0.1:8080", allowed: allowedAddress, set: text(&s.HTTPAddr, address),
		help: "where the API, /docs, /openapi.json and /queues listen",
	}, {
		name: "HTTP_MAX_CONNECTIONS", standard: "1024", allowed: "a whole number from 16 to 65536",
		set: countFrom(&s.HTTPMaxConnections, 16, 65_536),
		help: "connections to RECARGA_HTTP_ADDR at a time, of one address half as many; over it /healthz is still " +
			"answered, and all else 503 (docs/limits.md)",
	}, {
		name: "METRICS_ADDR", standard: "127.0.0.1:9464", allowed: allowedAddress, set: text(&s.MetricsAddr, address),
		help: "where /metrics, /healthz and /readyz listen; an address that is taken is a warning, and is tried again every 5s",
	}, {
		name: "SHUTDOWN_TIMEOUT", standard: "150s", allowed: allowedDuration, set: span(&s.ShutdownTimeout),
		help: "what a stop waits for purchases under way; at least 10s above RECARGA_DISTRIBUTOR_TIMEOUT",
	}, {
		name: "QUEUES_READ_ONLY", standard: "true", choice: true, allowed: allowedChoice, set: choice(&s.QueuesReadOnly),
		help: "whether /queues shows without buttons",
	}, {
		name: "LOG_LEVEL", standard: "info", allowed: "debug, info, warn or error", set: logLevel(&s.LogLevel),
		help: "the least important lines that are logged, to stderr",
	}, {
		name: "LOG_FORMAT", standard: "json", allowed: "json or text", set: text(&s.LogFormat, oneOf("json", "text")),
		help: "form of the log",
	}}
}

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

// shortestRetention is longer than anybody still does something about an order that has ended.
const shortestRetention = 24 * time.Hour

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

func count(to *int, most int) func(string) error { return countFrom(to, 1, most) }

func countFrom(to *int, least, most int) func(string) error {
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

func rate(to *Rate) func(string) error {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}
	return func(v string) error {
		n, unit, _ := strings.Cut(v, "/")
		per, known := units[unit]
		c, err := strconv.Atoi(n)
		*to = Rate{Count: c, Per: per}
		return cmp.Or(err, when(c < 1 || !known))
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

func anything(string) bool { return true }

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func databaseURL(v string) bool {
	scheme, rest, _ := strings.Cut(v, ":")
	return scheme == "sqlite" && strings.Trim(rest, "/") != "" || oneOf("postgres", "postgresql")(scheme) && strings.HasPrefix(rest, "//")
}

func redisURL(v string) bool {
	scheme, rest, _ := strings.Cut(v, "://")
	return v == "embedded" || rest != "" && oneOf("redis", "rediss", "unix", "redis-sentinel", "redis-cluster")(scheme)
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

func webURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func address(v string) bool {
	_, port, err := net.SplitHostPort(v)
	_, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil
}
