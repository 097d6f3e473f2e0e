package config

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

// Prefix is what the names of all variables begin with.
const Prefix = "RECARGA_"

// Setting is one row of the table from which flags, environment, file, defaults, checks and
// docs/settings.md follow.
type Setting struct {
	// Name is without the Prefix.
	Name string
	// Formerly is the name that the setting had before, and still works; empty: none.
	Formerly string
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

// Groups are all settings by section, stored in s.
func Groups(s *Settings) []Group {
	return []Group{
		{"Where orders and the queue are kept", storageSettings(s)},
		{"The distributor", distributorSettings(s)},
		{"Attempts", retrySettings(s)},
		{"Callers and keys", callerSettings(s)},
		{"Webhooks", webhookSettings(s)},
		{"The process", processSettings(s)},
		{"Client commands", []Setting{{
			Name: "API_URL", Default: "http://127.0.0.1:8080", Allowed: AllowedURL, set: text(&s.APIURL, WebURL),
			Help: "the API that enqueue, get, list, watch, cancel, balance and products talk to",
		}}},
	}
}

const (
	// AllowedURL says which URLs are.
	AllowedURL        = "an http or https URL"
	allowedDuration   = "a duration above zero, as in 30s or 2m"
	allowedAddress    = "HOST:PORT"
	allowedKey        = "at least 8 visible ASCII characters"
	allowedFormerKeys = "one key of at least 8 visible ASCII characters, or two separated by a comma"
	allowedTaskKeys   = "one key of at least 16 visible ASCII characters, or two separated by a comma"
	allowedChoice     = "true or false"
	allowedAmount     = "an amount above zero with at most 2 decimals, as in 500 or 99.50"
)

func storageSettings(s *Settings) []Setting {
	return []Setting{{
		Name: "DATABASE_URL", Default: "sqlite:recarga.db", Secret: true,
		Help:    "book of record",
		Allowed: "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
		set:     text(&s.DatabaseURL, databaseURL),
	}, {
		Name: "REDIS_URL", Default: embedded, Secret: true,
		Help: "where the queue lives; embedded: in this process, and filled again from the book of record after a restart",
		Allowed: "embedded, redis://, rediss://, unix://, redis-sentinel://HOST:PORT,…/DB?master=NAME or " +
			"redis-cluster://HOST:PORT,…",
		set: text(&s.RedisURL, redisURL),
	}, {
		Name: "RETENTION", Default: "9600h", Allowed: "0 (for ever) or a duration of at least 24h, as in 9600h",
		set:  spanOrNever(&s.Retention, ShortestRetention),
		Help: "orders that ended longer ago leave the database for the archive, whole days at a time",
	}, {
		Name: "ARCHIVE_DIR", Allowed: "a folder", set: text(&s.ArchiveDir, anything),
		Help: "where the archive's files are: the same for all processes. Default: the folder archive beside the SQLite " +
			"file; with PostgreSQL none, and no order leaves",
	}}
}

func distributorSettings(s *Settings) []Setting {
	return []Setting{{
		Name: "DISTRIBUTOR_URL", Allowed: AllowedURL, set: text(&s.DistributorURL, WebURL),
		Help: "base URL of the distributor, up to and with /api/distributor; required to serve",
	}, {
		Name: "DISTRIBUTOR_ALLOW_HTTP", Default: "false", Choice: true, Allowed: allowedChoice,
		set:  choice(&s.DistributorAllowHTTP),
		Help: "permit an http:// distributor that is not on loopback: credentials and purchases travel in the clear",
	}, {
		Name: "DISTRIBUTOR_CUSTOMER_ID", Secret: true, Allowed: "a text", set: text(&s.DistributorCustomerID, anything),
		Help: "the distributor's customer_id; required to serve",
	}, {
		Name: "DISTRIBUTOR_SECRET_KEY", Secret: true, Allowed: "a text", set: text(&s.DistributorSecretKey, anything),
		Help: "the distributor's secret_key; required to serve",
	}, {
		Name: "CATALOG", Allowed: "a YAML file of products (docs/products.md)", set: text(&s.CatalogFile, anything),
		Help: "what can be bought, instead of the products of the distributor's document; read at the start, and the same " +
			"for all processes",
	}, {
		Name: "DISTRIBUTOR_TIMEOUT", Default: "120s", Allowed: allowedDuration + ", at most 25m",
		set: spanTo(&s.DistributorTimeout, longestPurchase),
		Help: "one purchase call; the distributor tries several providers one after the other, and a call that is cut " +
			"short leaves the outcome unknown",
	}, {
		Name: "DISTRIBUTOR_RATE", Allowed: "COUNT/s, COUNT/m or COUNT/h, as in 200/m", set: rate(&s.DistributorRate),
		Help: "at most so many requests, all workers together; orders are deferred, by their priority. Empty: no limit",
	}, {
		Name: "BREAKER_SHARE", Default: "50%", Allowed: "a whole percentage from 0% (never) to 100%",
		set: percentage(&s.BreakerShare),
		Help: "when so many of an operator's last purchases (of half a minute, at least 50) were unavailable, not sent or " +
			"unknown, its orders are deferred while probes try it",
	}, {
		Name: "BREAKER_PROBE", Default: "5s", Allowed: allowedDuration, set: span(&s.BreakerProbe),
		Help: "time between two probes of an operator that is out, by all workers together",
	}, {
		Name: "DISTRIBUTOR_CONCURRENCY", Default: "64", Allowed: "a whole number from 1 to 10000",
		set:  count(&s.DistributorConcurrency, 10000),
		Help: "purchase calls at a time of one worker process",
	}, {
		Name: "BALANCE_INTERVAL", Default: "60s", Allowed: allowedDuration, set: span(&s.BalanceInterval),
		Help: "time between two questions for the balance, by all workers together",
	}, {
		Name: "BALANCE_LOW", Allowed: allowedAmount, set: amount(&s.BalanceLow),
		Help: "when the balance falls below it, an alarm is logged and the operator is notified, once (balance.low). " +
			"Empty: never",
	}, {
		Name: "BALANCE_RESERVE", Formerly: "HOLD_BELOW", Allowed: allowedAmount, set: amount(&s.Reserve),
		Help: "orders whose purchase would leave less than this of the balance are deferred until it rises. Empty: never",
	}}
}

func retrySettings(s *Settings) []Setting {
	return []Setting{{
		Name: "RETRY_INITIAL", Default: "2s", Allowed: allowedDuration, set: span(&s.RetryInitial),
		Help: "wait after the first attempt that was unavailable or not sent; each next one is twice as long",
	}, {
		Name: "RETRY_MAX", Default: "2m", Allowed: allowedDuration, set: span(&s.RetryMax),
		Help: "the longest wait",
	}, {
		Name: "RETRY_MAX_ATTEMPTS", Default: "10", Allowed: "a whole number from 1 to 1000",
		set:  count(&s.RetryMaxAttempts, 1000),
		Help: "attempts of an order, the first included",
	}, {
		Name: "RETRY_MAX_ELAPSED", Default: "30m", Allowed: allowedDuration, set: span(&s.RetryMaxElapsed),
		Help: "time for attempts, from the start of the first, wherever the order waits; then it ends",
	}, {
		Name: "EXPIRES_AFTER", Default: "72h", Allowed: "0 (never) or a duration of at least 1s, as in 72h",
		set:  spanOrNever(&s.ExpiresAfter, time.Second),
		Help: "an order without expires_at that was never tried ends so long after it was accepted, or after its process_at",
	}, {
		Name: "RETRY_CODES", Default: "91,96",
		Allowed: "codes of two letters or digits separated by commas, none of 00, 05, 12, 13, 14, 51, 83",
		set:     retryCodes(&s.RetryCodes),
		Help:    "codes that prove that nothing was charged and that another try makes sense",
	}, {
		Name: "ON_UNKNOWN", Default: "hold", Allowed: "hold or resend", set: text(&s.OnUnknown, oneOf("hold", "resend")),
		Help: "what happens to an attempt of unknown outcome; resend only where the distributor has promised to ignore a " +
			"repeated id",
	}}
}

func callerSettings(s *Settings) []Setting {
	return []Setting{{
		Name: "API_KEY", Secret: true, Allowed: allowedKey, set: text(&s.APIKey, key),
		Help: "key of the caller named default; client commands send it",
	}, {
		Name: "CALLBACK_URL", Allowed: AllowedURL, set: text(&s.CallbackURL, WebURL),
		Help: "where the webhooks of the caller named default go; https and public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE " +
			"is true",
	}, {
		Name: "WEBHOOK_SECRET", Secret: true, Allowed: "whsec_ and base64 of 24 to 64 bytes",
		set:  text(&s.WebhookSecret, func(v string) bool { return webhook.ParseSecret(v) == nil }),
		Help: "signs the webhooks of the caller named default",
	}, {
		Name: "ADMIN_KEY", Secret: true, Allowed: allowedKey, set: text(&s.AdminKey, key),
		Help: "the operator's key: sees every caller's orders, opens /queues; client commands send it where " +
			"RECARGA_API_KEY is not set",
	}, {
		Name: "TRUSTED_PROXIES", Allowed: "addresses or networks separated by commas, as in 10.0.0.0/8,::1",
		set: proxies(&s.TrustedProxies),
		Help: "proxies whose X-Forwarded-For and X-Forwarded-Proto count; those who try keys are slowed down by address. " +
			"Empty: none",
	}, {
		Name: "ADMIN_KEY_ALLOW_WEAK", Default: "false", Choice: true, Allowed: allowedChoice,
		set:  choice(&s.AdminKeyAllowWeak),
		Help: "permit an admin key that can be guessed where RECARGA_HTTP_ADDR is not on loopback",
	}, {
		Name: "OPERATOR_CALLBACK_URL", Auxiliary: true, Allowed: AllowedURL, set: text(&s.OperatorCallbackURL, WebURL),
		Help: "where the operator's webhooks go, which concern no order (endpoint.disabled); https and public, unless " +
			"RECARGA_WEBHOOK_ALLOW_PRIVATE is true. A mistake in it is a warning at the start: nobody is notified",
	}, {
		Name: "OPERATOR_WEBHOOK_SECRET", Auxiliary: true, Secret: true, Allowed: "whsec_ and base64 of 24 to 64 bytes",
		set:  text(&s.OperatorWebhookSecret, func(v string) bool { return webhook.ParseSecret(v) == nil }),
		Help: "signs the operator's webhooks",
	}, {
		Name: "ENCRYPTION_KEY", Secret: true, Allowed: allowedKey, set: text(&s.EncryptionKey, key),
		Help: "seals the webhook secrets of the callers in the registry; every api and worker process needs the same. " +
			"Default: RECARGA_ADMIN_KEY. To change either: docs/operations.md",
	}, {
		Name: "ENCRYPTION_KEY_OLD", Secret: true, Allowed: allowedFormerKeys,
		set: keyList(&s.FormerEncryptionKeys, shortestKey),
		Help: "the encryption key before the present one: what it sealed is opened as well, until recarga rekey has " +
			"sealed it anew",
	}, {
		Name: "TASK_KEY", Secret: true, Allowed: allowedTaskKeys, set: keyList(&s.TaskKeys, shortestTaskKey),
		Help: "when set, tasks of producers that have only Redis must be signed with it (docs/queues.md); the worker " +
			"needs it. A second key is accepted as well, while producers change from one to the other",
	}}
}

func webhookSettings(s *Settings) []Setting {
	return []Setting{{
		Name: "WEBHOOK_SCHEDULE", Default: "5s,5m,30m,2h,5h,10h,14h,20h,24h",
		Allowed: "durations above zero separated by commas", set: schedule(&s.WebhookSchedule),
		Help: "waits between delivery tries (the first is at once), each with jitter",
	}, {
		Name: "WEBHOOK_TIMEOUT", Default: "15s", Allowed: allowedDuration, set: span(&s.WebhookTimeout),
		Help: "one delivery try",
	}, {
		Name: "WEBHOOK_RATE", Allowed: "COUNT/s, COUNT/m or COUNT/h, as in 50/s", set: rate(&s.WebhookRate),
		Help: "at most so many tries to one endpoint, of each worker process; empty: no limit",
	}, {
		Name: "WEBHOOK_DISABLE_AFTER", Default: "120h", Allowed: allowedDuration, set: span(&s.WebhookDisableAfter),
		Help: "how long an endpoint may fail without a success before it is disabled and the operator is notified",
	}, {
		Name: "WEBHOOK_ALLOW_PRIVATE", Default: "false", Choice: true, Allowed: allowedChoice,
		set:  choice(&s.WebhookAllowPrivate),
		Help: "permit http:// and loopback, private and link-local targets",
	}}
}

func processSettings(s *Settings) []Setting {
	return []Setting{{
		Name: "HTTP_ADDR", Default: "127.0.0.1:8080", Allowed: allowedAddress, set: text(&s.HTTPAddr, address),
		Help: "where the API, /docs, /openapi.json and /queues listen",
	}, {
		Name: "HTTP_MAX_CONNECTIONS", Default: "1024", Allowed: "a whole number from 16 to 65536",
		set: countFrom(&s.HTTPMaxConnections, 16, 65_536),
		Help: "connections to RECARGA_HTTP_ADDR at a time, of one address half as many; over it /healthz is still " +
			"answered, and all else 503 (docs/limits.md)",
	}, {
		Name: "METRICS_ADDR", Default: "127.0.0.1:9464", Allowed: allowedAddress, set: text(&s.MetricsAddr, address),
		Help: "where /metrics, /healthz and /readyz listen; an address that is taken is a warning, and is tried again " +
			"every 5s",
	}, {
		Name: "SHUTDOWN_TIMEOUT", Default: "150s", Allowed: allowedDuration, set: span(&s.ShutdownTimeout),
		Help: "what a stop waits for purchases under way; at least 10s above RECARGA_DISTRIBUTOR_TIMEOUT",
	}, {
		Name: "QUEUES_READ_ONLY", Default: "true", Choice: true, Allowed: allowedChoice, set: choice(&s.QueuesReadOnly),
		Help: "whether /queues shows without buttons",
	}, {
		Name: "LOG_LEVEL", Default: "info", Allowed: "debug, info, warn or error", set: logLevel(&s.LogLevel),
		Help: "the least important lines that are logged, to stderr",
	}, {
		Name: "LOG_FORMAT", Default: "json", Allowed: "json or text", set: text(&s.LogFormat, oneOf("json", "text")),
		Help: "form of the log",
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

func anything(string) bool { return true }

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

// WebURL reports whether a text is an http or https URL with a host and without a user.
func WebURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func address(v string) bool {
	_, port, err := net.SplitHostPort(v)
	_, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil
}
