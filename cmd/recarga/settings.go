package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"recarga/topup"
	"recarga/webhook"
)

// Rate is at most Count in every Per. A zero Count is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Settings are all settings of the program; docs/settings.md says what each is for.
type Settings struct {
	DatabaseURL, RedisURL                                       string
	DistributorURL, DistributorCustomerID, DistributorSecretKey string
	DistributorTimeout                                          time.Duration
	DistributorRate                                             Rate
	DistributorConcurrency                                      int
	RetryInitial, RetryMax, RetryMaxElapsed                     time.Duration
	RetryMaxAttempts                                            int
	RetryCodes                                                  []topup.Code
	OnUnknown                                                   string
	HTTPAddr, MetricsAddr                                       string
	APIKey, CallbackURL, WebhookSecret, AdminKey                string
	WebhookSchedule                                             []time.Duration
	WebhookTimeout                                              time.Duration
	WebhookAllowPrivate                                         bool
	ShutdownTimeout                                             time.Duration
	QueuesReadOnly                                              bool
	LogLevel                                                    slog.Level
	LogFormat                                                   string
	APIURL                                                      string
}

const envPrefix = "RECARGA_"

// setting is one row of the table from which flags, environment, file, defaults, checks and
// docs/settings.md follow.
type setting struct {
	name     string // without RECARGA_
	standard string // the default
	allowed  string
	help     string
	secret   bool
	set      func(*Settings, string) error
}

func (s setting) env() string  { return envPrefix + s.name }
func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.name), "_", "-") }
func (s setting) key() string  { return strings.ToLower(s.name) }

func settingsTable() []setting {
	const duration = "a duration of Go, above zero, as in 30s or 2m"
	return []setting{
		{"DATABASE_URL", "sqlite:recarga.db", "sqlite:PATH or postgres://…", "book of record", true, text(func(s *Settings) *string { return &s.DatabaseURL }, oneOfSchemes("sqlite", "postgres", "postgresql"))},
		{"REDIS_URL", "embedded", "embedded, redis://, rediss://, unix://, redis-sentinel://HOSTS/DB?master=NAME or redis-cluster://HOSTS", "where the queue lives", true, text(func(s *Settings) *string { return &s.RedisURL }, oneOfSchemes("embedded", "redis", "rediss", "unix", "redis-sentinel", "redis-cluster"))},
		{"DISTRIBUTOR_URL", "", "an http or https URL", "base URL of the distributor, up to and with /api/distributor", false, text(func(s *Settings) *string { return &s.DistributorURL }, webURL)},
		{"DISTRIBUTOR_CUSTOMER_ID", "", "a text", "the distributor's customer_id", true, text(func(s *Settings) *string { return &s.DistributorCustomerID }, nil)},
		{"DISTRIBUTOR_SECRET_KEY", "", "a text", "the distributor's secret_key", true, text(func(s *Settings) *string { return &s.DistributorSecretKey }, nil)},
		{"DISTRIBUTOR_TIMEOUT", "120s", duration + ", at most 25m", "one purchase call; the vendor tries several providers in turn, and cutting it short makes an unknown", false, span(func(s *Settings) *time.Duration { return &s.DistributorTimeout })},
		{"DISTRIBUTOR_RATE", "", "COUNT/s, COUNT/m or COUNT/h, as in 200/m", "at most so many purchases, all workers together; empty: no limit", false, setRate},
		{"DISTRIBUTOR_CONCURRENCY", "64", "a whole number from 1 to 10000", "purchase calls under way in one worker process", false, count(func(s *Settings) *int { return &s.DistributorConcurrency }, 10000)},
		{"RETRY_INITIAL", "2s", duration, "wait after the first attempt that was unavailable or not sent; each next one is twice as long", false, span(func(s *Settings) *time.Duration { return &s.RetryInitial })},
		{"RETRY_MAX", "2m", duration, "the longest wait", false, span(func(s *Settings) *time.Duration { return &s.RetryMax })},
		{"RETRY_MAX_ATTEMPTS", "10", "a whole number from 1 to 1000", "attempts of an order, the first included", false, count(func(s *Settings) *int { return &s.RetryMaxAttempts }, 1000)},
		{"RETRY_MAX_ELAPSED", "30m", duration, "time for attempts, from the start of the first", false, span(func(s *Settings) *time.Duration { return &s.RetryMaxElapsed })},
		{"RETRY_CODES", "91,96", "codes of two characters, not 00, 05, 12, 13, 14, 51 or 83", "codes that prove that nothing was charged and that another try makes sense", false, setRetryCodes},
		{"ON_UNKNOWN", "hold", "hold or resend", "what becomes of an attempt of unknown outcome; resend only where the vendor has promised to ignore a repeated id", false, text(func(s *Settings) *string { return &s.OnUnknown }, oneOf("hold", "resend"))},
		{"HTTP_ADDR", "127.0.0.1:8080", "HOST:PORT", "where the API, /docs, /openapi.json and /queues listen", false, text(func(s *Settings) *string { return &s.HTTPAddr }, address)},
		{"METRICS_ADDR", "127.0.0.1:9464", "HOST:PORT", "where /metrics, /healthz and /readyz listen", false, text(func(s *Settings) *string { return &s.MetricsAddr }, address)},
		{"API_KEY", "", "at least 8 characters", "key of the caller named default", true, text(func(s *Settings) *string { return &s.APIKey }, atLeast(8))},
		{"CALLBACK_URL", "", "an https URL", "where the caller named default is told", false, text(func(s *Settings) *string { return &s.CallbackURL }, webURL)},
		{"WEBHOOK_SECRET", "", "whsec_ and base64 of 24 to 64 bytes", "signs the webhooks of the caller named default", true, text(func(s *Settings) *string { return &s.WebhookSecret }, webhookSecret)},
		{"ADMIN_KEY", "", "at least 8 characters", "the operator's key: sees every caller's orders, opens /queues", true, text(func(s *Settings) *string { return &s.AdminKey }, atLeast(8))},
		{"WEBHOOK_SCHEDULE", "5s,5m,30m,2h,5h,10h,14h,20h,24h", "durations separated by commas", "waits between delivery tries (the first is at once), each with jitter", false, setSchedule},
		{"WEBHOOK_TIMEOUT", "15s", duration, "one delivery try", false, span(func(s *Settings) *time.Duration { return &s.WebhookTimeout })},
		{"WEBHOOK_ALLOW_PRIVATE", "false", "true or false", "permit http:// and loopback, private and link-local targets", false, flagOf(func(s *Settings) *bool { return &s.WebhookAllowPrivate })},
		{"SHUTDOWN_TIMEOUT", "150s", duration, "what a stop waits for purchases under way; above the distributor's timeout by at least 10s", false, span(func(s *Settings) *time.Duration { return &s.ShutdownTimeout })},
		{"QUEUES_READ_ONLY", "true", "true or false", "whether /queues shows without buttons", false, flagOf(func(s *Settings) *bool { return &s.QueuesReadOnly })},
		{"LOG_LEVEL", "info", "debug, info, warn or error", "the least important lines that are logged, to stderr", false, setLogLevel},
		{"LOG_FORMAT", "json", "json or text", "form of the log", false, text(func(s *Settings) *string { return &s.LogFormat }, oneOf("json", "text"))},
		{"API_URL", "http://127.0.0.1:8080", "an http or https URL", "the API that client commands talk to", false, text(func(s *Settings) *string { return &s.APIURL }, webURL)},
	}
}

func text(field func(*Settings) *string, valid func(string) bool) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if valid != nil && !valid(v) {
			return errors.New("not allowed")
		}
		*field(s) = v
		return nil
	}
}

func span(field func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		*field(s), err = time.ParseDuration(v)
		return cmp.Or(err, when(*field(s) <= 0))
	}
}

func count(field func(*Settings) *int, most int) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		*field(s), err = strconv.Atoi(v)
		return cmp.Or(err, when(*field(s) < 1 || *field(s) > most))
	}
}

func flagOf(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		*field(s) = v == "true"
		return when(v != "true" && v != "false")
	}
}

func when(wrong bool) error {
	if wrong {
		return errors.New("not allowed")
	}
	return nil
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func oneOfSchemes(schemes ...string) func(string) bool {
	return func(v string) bool {
		scheme, rest, found := strings.Cut(v, ":")
		return slices.Contains(schemes, scheme) && (found && rest != "" || v == "embedded")
	}
}

func atLeast(n int) func(string) bool { return func(v string) bool { return len(v) >= n } }

func webURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func address(v string) bool {
	_, port, err := net.SplitHostPort(v)
	n, bad := strconv.Atoi(port)
	return err == nil && bad == nil && n >= 0 && n <= 65535
}

func webhookSecret(v string) bool {
	const shortest, longest = 24, 64
	encoded, ok := strings.CutPrefix(v, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && len(key) >= shortest && len(key) <= longest
}

func setRate(s *Settings, v string) error {
	n, unit, _ := strings.Cut(v, "/")
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	c, err := strconv.Atoi(n)
	s.DistributorRate = Rate{Count: c, Per: per}
	return cmp.Or(err, when(c < 1 || !known))
}

func setRetryCodes(s *Settings, v string) error {
	s.RetryCodes = nil
	for code := range strings.SplitSeq(v, ",") {
		c := topup.Code(strings.TrimSpace(code))
		if len(c) != 2 || c == topup.CodeApproved || c.Declines() {
			return errors.New("not allowed")
		}
		s.RetryCodes = append(s.RetryCodes, c)
	}
	return nil
}

func setSchedule(s *Settings, v string) (err error) {
	s.WebhookSchedule, err = webhook.ParseSchedule(v)
	return err
}

func setLogLevel(s *Settings, v string) error { return s.LogLevel.UnmarshalText([]byte(v)) }

// SettingError is one setting that cannot be as it is.
type SettingError struct {
	Setting, Source, Value, Allowed string
}

func (e *SettingError) Error() string {
	if e.Source == "" {
		return fmt.Sprintf("%s is not set; must be %s", e.Setting, e.Allowed)
	}
	return fmt.Sprintf("%s (from %s) is %q; must be %s", e.Setting, e.Source, e.Value, e.Allowed)
}

// source is one place where settings come from. get tells whether it has one.
type source struct {
	name string
	get  func(setting) (value string, ok bool, err error)
}

// needs says which settings a command cannot do without.
type needs []string

var needsDistributor = needs{"DISTRIBUTOR_URL", "DISTRIBUTOR_CUSTOMER_ID", "DISTRIBUTOR_SECRET_KEY"}

// loadSettings takes each setting from the first source that has it, and reports every mistake.
func loadSettings(required needs, sources ...source) (Settings, error) {
	var s Settings
	var errs []error
	for _, row := range settingsTable() {
		errs = append(errs, row.load(&s, required, sources))
	}
	errs = append(errs, s.crossCheck())
	return s, errors.Join(errs...)
}

func (row setting) load(s *Settings, required needs, sources []source) error {
	value, from := row.standard, "its default"
	for _, src := range sources {
		v, ok, err := src.get(row)
		if err != nil {
			return err
		}
		if ok {
			value, from = v, src.name
			break
		}
	}
	if value == "" {
		if slices.Contains(required, row.name) {
			return &SettingError{Setting: row.env(), Allowed: row.allowed}
		}
		return nil
	}
	if row.set(s, value) != nil {
		if row.secret {
			value = "(hidden)"
		}
		return &SettingError{Setting: row.env(), Source: from, Value: value, Allowed: row.allowed}
	}
	return nil
}

// crossCheck finds settings that are right by themselves and wrong together.
func (s Settings) crossCheck() error {
	const least, most = 10 * time.Second, 25 * time.Minute
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(s.DistributorTimeout > most, "RECARGA_DISTRIBUTOR_TIMEOUT is %s; must be at most %s, below the queue's task timeout", s.DistributorTimeout, most)
	refuse(s.ShutdownTimeout > 0 && s.ShutdownTimeout < s.DistributorTimeout+least,
		"RECARGA_SHUTDOWN_TIMEOUT is %s and RECARGA_DISTRIBUTOR_TIMEOUT is %s; the first must exceed the second by at least %s, or a stop cuts purchases off", s.ShutdownTimeout, s.DistributorTimeout, least)
	refuse(s.RetryMax > 0 && s.RetryInitial > s.RetryMax, "RECARGA_RETRY_INITIAL is %s and RECARGA_RETRY_MAX is %s; the first must not exceed the second", s.RetryInitial, s.RetryMax)
	refuse(s.CallbackURL != "" && s.WebhookSecret == "", "RECARGA_CALLBACK_URL is set without RECARGA_WEBHOOK_SECRET; webhooks must be signed")
	refuse(strings.HasPrefix(s.CallbackURL, "http:") && !s.WebhookAllowPrivate, "RECARGA_CALLBACK_URL is %q; must be https, unless RECARGA_WEBHOOK_ALLOW_PRIVATE is true", s.CallbackURL)
	refuse(s.APIKey != "" && s.APIKey == s.AdminKey, "RECARGA_API_KEY and RECARGA_ADMIN_KEY are the same; must differ")
	return errors.Join(errs...)
}

// environment are the RECARGA_ variables; each secret may also come from a file.
func environment(getenv func(string) string) source {
	return source{name: "environment", get: func(row setting) (string, bool, error) {
		if v := getenv(row.env()); v != "" {
			return v, true, nil
		}
		path := getenv(row.env() + "_FILE")
		if !row.secret || path == "" {
			return "", false, nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", false, fmt.Errorf("%s_FILE: %w", row.env(), err)
		}
		return strings.TrimRight(string(data), "\r\n"), true, nil
	}}
}

// unknownVariables refuses RECARGA_ variables that are no setting: most are typing mistakes.
func unknownVariables(environ []string) error {
	var errs []error
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || known(name) || strings.HasPrefix(name, envPrefix+"TEST_") || name == envPrefix+"CONFIG" {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is no setting; did you mean %s?", name, nearest(name)))
	}
	return errors.Join(errs...)
}

func known(name string) bool {
	return slices.ContainsFunc(settingsTable(), func(row setting) bool {
		return name == row.env() || row.secret && name == row.env()+"_FILE"
	})
}

// nearest is the setting whose name differs least.
func nearest(name string) string {
	return slices.MinFunc(settingsTable(), func(a, b setting) int {
		return distance(name, a.env()) - distance(name, b.env())
	}).env()
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// configFile reads a YAML file whose keys are the settings' lower-case names.
func configFile(path string) (source, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return source{}, fmt.Errorf("--config: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return source{}, fmt.Errorf("--config %s: %w", path, err)
	}
	var errs []error
	for key := range values {
		if !slices.ContainsFunc(settingsTable(), func(row setting) bool { return row.key() == key }) {
			errs = append(errs, fmt.Errorf("--config %s: %q is no setting; did you mean %s?", path, key, strings.ToLower(strings.TrimPrefix(nearest(envPrefix+strings.ToUpper(key)), envPrefix))))
		}
	}
	get := func(row setting) (string, bool, error) {
		v, ok := values[row.key()]
		return fmt.Sprint(v), ok, nil
	}
	return source{name: path, get: get}, errors.Join(errs...)
}

// NewLogger builds the program's logger.
func NewLogger(s Settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
