// Package config has the settings of the program, in one table. Flags, environment, file, defaults, checks and
// docs/settings.md follow from it.
package config

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"recarga/internal/access"
	"recarga/internal/archive"
	"recarga/internal/catalog"
	"recarga/internal/exposure"
	"recarga/topup"
)

// Settings are all settings of the program; docs/settings.md says what each is for. An empty text or list is none.
type Settings struct {
	DatabaseMaxConnections int // of this process, to PostgreSQL

	DatabaseURL string        // sqlite: or postgres://
	Migrate     bool          // a start migrates the database, or waits for recarga migrate
	RedisURL    string        // or queue.Embedded
	Retention   time.Duration // 0: for ever
	ArchiveDir  string        // see Archive
	CatalogFile string        // see Catalog
	APIURL      string        // of client commands
	// up to and with /api/distributor, and its credentials
	DistributorURL, DistributorCustomerID, DistributorSecretKey string
	DistributorAllowHTTP                                        bool          // also where it is not on loopback
	DistributorTimeout                                          time.Duration // of one purchase call
	DistributorRate                                             topup.Rate    // of all workers together
	// purchases at a time of one worker process
	DistributorConcurrency                     int
	BreakerShare                               float64           // 0 to 1; 0: never
	BreakerProbe                               time.Duration     // between two probes of an operator that is out
	BalanceInterval                            time.Duration     // between two questions for the balance
	BalanceLow, Reserve                        topup.Amount      // 0: never
	RetryInitial, RetryMax                     time.Duration     // the first and the longest wait
	RetryMaxElapsed                            time.Duration     // from the start of the first attempt
	ExpiresAfter                               time.Duration     // of an order that was never tried; 0: never
	RetryMaxAttempts                           int               // the first included
	RetryCodes                                 []topup.Code      // those that prove that nothing was charged
	OnUnknown                                  string            // hold or resend
	HTTPAddr, MetricsAddr                      string            // HOST:PORT to listen on
	HTTPMaxConnections                         int               // at a time, to HTTPAddr
	HTTPIdleTimeout                            time.Duration     // of a connection without a request
	APIKey, CallbackURL, WebhookSecret         string            // of the caller named default
	AdminKey                                   string            // of the operator named admin
	AdminKeyAllowWeak                          bool              // also where HTTPAddr is not on loopback
	EncryptionKey                              string            // see SealingKey
	FormerEncryptionKeys                       []string          // at most two
	TaskKeys                                   []string          // at most two; none: tasks are not signed
	TrustedProxies                             access.Proxies    // whose X-Forwarded-For counts
	TraceURL                                   string            // with {id} for the order's id; empty: none
	OperatorCallbackURL, OperatorWebhookSecret string            // both empty where OperatorOff is not nil
	OperatorOff                                error             // what is wrong with the two
	FormerWebhookSecrets                       []string          // of default; each at most two
	FormerOperatorSecrets                      []string          // of the operator
	WebhookSchedule                            []time.Duration   // waits between the tries
	WebhookTimeout                             time.Duration     // of one try
	WebhookDisableAfter                        time.Duration     // without a success
	WebhookRate                                topup.Rate        // to one endpoint, of each worker process
	WebhookAllowPrivate                        bool              // also http:// and private targets
	WebhookHeaders, OperatorWebhookHeaders     map[string]string // beside Recarga's own
	WebhookProxy                               *url.URL          // nil: none
	WebhookCA                                  string            // see WebhookRoots
	ShutdownDelay                              time.Duration     // of the API, while it is not ready; 0: none
	ShutdownTimeout                            time.Duration     // of purchases under way
	QueuesReadOnly                             bool              // /queues has no buttons
	LogLevel                                   slog.Level        // the least that is logged
	LogFormat                                  string            // json or text
	// Exposed says of each secret that others can read how they can.
	Exposed []string
}

// setters check and store the values, by the names of the settings.
func setters(s *Settings) map[string]func(string) error {
	all := webhookSetters(s)
	maps.Copy(all, map[string]func(string) error{
		"DATABASE_MAX_CONNECTIONS": count(&s.DatabaseMaxConnections, 4, 1000),
		"DATABASE_URL":             text(&s.DatabaseURL, databaseURL),
		"MIGRATE":                  choice(&s.Migrate),
		"REDIS_URL":                text(&s.RedisURL, redisURL),
		"RETENTION":                spanOrNever(&s.Retention, ShortestRetention),
		"ARCHIVE_DIR":              text(&s.ArchiveDir, anything),
		"DISTRIBUTOR_URL":          text(&s.DistributorURL, WebURL),
		"DISTRIBUTOR_ALLOW_HTTP":   choice(&s.DistributorAllowHTTP),
		"DISTRIBUTOR_CUSTOMER_ID":  text(&s.DistributorCustomerID, anything),
		"DISTRIBUTOR_SECRET_KEY":   text(&s.DistributorSecretKey, anything),
		"CATALOG":                  text(&s.CatalogFile, anything),
		"DISTRIBUTOR_TIMEOUT":      spanTo(&s.DistributorTimeout, longestPurchase),
		"DISTRIBUTOR_RATE":         rate(&s.DistributorRate),
		"BREAKER_SHARE":            percentage(&s.BreakerShare),
		"BREAKER_PROBE":            span(&s.BreakerProbe),
		"DISTRIBUTOR_CONCURRENCY":  count(&s.DistributorConcurrency, 1, 10000),
		"BALANCE_INTERVAL":         span(&s.BalanceInterval),
		"BALANCE_LOW":              amount(&s.BalanceLow),
		"BALANCE_RESERVE":          amount(&s.Reserve),
		"RETRY_INITIAL":            span(&s.RetryInitial),
		"RETRY_MAX":                span(&s.RetryMax),
		"RETRY_MAX_ATTEMPTS":       count(&s.RetryMaxAttempts, 1, 1000),
		"RETRY_MAX_ELAPSED":        span(&s.RetryMaxElapsed),
		"EXPIRES_AFTER":            spanOrNever(&s.ExpiresAfter, time.Second),
		"RETRY_CODES":              retryCodes(&s.RetryCodes),
		"ON_UNKNOWN":               text(&s.OnUnknown, oneOf("hold", "resend")),
		"API_KEY":                  text(&s.APIKey, key),
		"ADMIN_KEY":                text(&s.AdminKey, key),
		"TRUSTED_PROXIES":          proxies(&s.TrustedProxies),
		"TRACE_URL":                text(&s.TraceURL, traceURL),
		"ADMIN_KEY_ALLOW_WEAK":     choice(&s.AdminKeyAllowWeak),
		"ENCRYPTION_KEY":           text(&s.EncryptionKey, key),
		"ENCRYPTION_KEY_OLD":       keyList(&s.FormerEncryptionKeys, shortestKey),
		"TASK_KEY":                 keyList(&s.TaskKeys, shortestTaskKey),
		"HTTP_ADDR":                text(&s.HTTPAddr, address),
		"HTTP_MAX_CONNECTIONS":     count(&s.HTTPMaxConnections, 16, 65_536),
		"HTTP_IDLE_TIMEOUT":        span(&s.HTTPIdleTimeout),
		"METRICS_ADDR":             text(&s.MetricsAddr, address),
		"SHUTDOWN_DELAY":           spanOrNever(&s.ShutdownDelay, 0),
		"SHUTDOWN_TIMEOUT":         span(&s.ShutdownTimeout),
		"QUEUES_READ_ONLY":         choice(&s.QueuesReadOnly),
		"LOG_LEVEL":                logLevel(&s.LogLevel),
		"LOG_FORMAT":               text(&s.LogFormat, oneOf("json", "text")),
		"API_URL":                  text(&s.APIURL, WebURL),
	})
	return all
}

// webhookSetters are those of where webhooks go, and how.
func webhookSetters(s *Settings) map[string]func(string) error {
	return map[string]func(string) error{
		"CALLBACK_URL":                text(&s.CallbackURL, WebURL),
		"WEBHOOK_SECRET":              text(&s.WebhookSecret, secret),
		"WEBHOOK_SECRET_OLD":          secretList(&s.FormerWebhookSecrets),
		"OPERATOR_CALLBACK_URL":       text(&s.OperatorCallbackURL, WebURL),
		"OPERATOR_WEBHOOK_SECRET":     text(&s.OperatorWebhookSecret, secret),
		"OPERATOR_WEBHOOK_SECRET_OLD": secretList(&s.FormerOperatorSecrets),
		"WEBHOOK_SCHEDULE":            schedule(&s.WebhookSchedule),
		"WEBHOOK_TIMEOUT":             span(&s.WebhookTimeout),
		"WEBHOOK_RATE":                rate(&s.WebhookRate),
		"WEBHOOK_DISABLE_AFTER":       span(&s.WebhookDisableAfter),
		"WEBHOOK_ALLOW_PRIVATE":       choice(&s.WebhookAllowPrivate),
		"WEBHOOK_HEADERS":             headers(&s.WebhookHeaders),
		"OPERATOR_WEBHOOK_HEADERS":    headers(&s.OperatorWebhookHeaders),
		"WEBHOOK_PROXY":               proxy(&s.WebhookProxy),
		"WEBHOOK_CA":                  text(&s.WebhookCA, anything),
	}
}

// Required says which settings a command cannot do without.
type Required []string

// NeedsDistributor are the settings of everything that talks to the distributor.
var NeedsDistributor = Required{"DISTRIBUTOR_URL", "DISTRIBUTOR_CUSTOMER_ID", "DISTRIBUTOR_SECRET_KEY"}

// SettingError is one setting that cannot be as it is.
type SettingError struct {
	// Setting is the variable or flag, Value what is wrong and Allowed what is right. Source is where the value came
	// from; empty for a setting that is missing.
	Setting, Source, Value, Allowed string
}

func (e *SettingError) Error() string {
	if e.Source == "" {
		return fmt.Sprintf("%s is not set; must be %s", e.Setting, e.Allowed)
	}
	return fmt.Sprintf("%s (from %s) is %q; must be %s", e.Setting, e.Source, e.Value, e.Allowed)
}

// Load takes each setting from the first source that has it. The error joins all mistakes.
func Load(required Required, sources ...Source) (Settings, error) {
	var s Settings
	l := loading{good: map[string]string{}}
	for _, row := range Table(&s) {
		l.load(row, required, sources)
	}
	l.crossCheck(s)
	s.Exposed = l.exposed
	if s.OperatorOff = errors.Join(l.auxiliary...); s.OperatorOff != nil {
		s.OperatorCallbackURL, s.OperatorWebhookSecret = "", ""
	}
	return s, errors.Join(l.errs...)
}

// loading collects mistakes and warnings while the settings are loaded.
type loading struct {
	// good describes those that are right by themselves, by name.
	good    map[string]string
	errs    []error
	exposed []string
	// auxiliary are the mistakes that switch the operator's endpoint off, and refuse nothing.
	auxiliary []error
}

func (l *loading) load(row Setting, required Required, sources []Source) {
	errs := &l.errs
	if row.Auxiliary {
		errs = &l.auxiliary
	}
	given, err := row.find(sources)
	if row.Secret && holdsSecret(given.value) && given.exposed != "" {
		l.exposed = append(l.exposed, given.exposed)
	}
	switch {
	case err != nil:
		*errs = append(*errs, err)
	case given.value == "" && row.Default == "":
		if slices.Contains(required, row.Name) {
			l.errs = append(l.errs, &SettingError{Setting: row.Env(), Allowed: row.Allowed})
		}
	case row.set(given.value) != nil:
		*errs = append(*errs, &SettingError{Setting: row.Env(), Source: given.from, Value: row.Shown(given.value),
			Allowed: row.Allowed})
	default:
		l.good[row.Name] = fmt.Sprintf("%s (from %s) is %q", row.Env(), given.from, row.Shown(given.value))
	}
}

// given is a setting's value and where it came from.
type given struct {
	// from is the source, "its default" where no source has a value.
	value, from string
	// exposed says how others can read the value in its source; empty where they cannot.
	exposed string
}

// find returns the value of the first source that has one. A source that has an empty one unsets what comes after it.
func (row Setting) find(sources []Source) (given, error) {
	for _, src := range sources {
		value, ok, err := src.get(row)
		if !ok && err == nil {
			continue
		}
		g := given{value: value, from: src.name}
		if ok && src.exposes != nil {
			g.exposed = src.exposes(row)
		}
		return g, err
	}
	return given{value: row.Default, from: "its default"}, nil
}

// holdsSecret reports whether a value is a secret, as a URL without a password is not.
func holdsSecret(value string) bool {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" {
		return value != "" && value != embedded
	}
	_, password := u.User.Password()
	return password || u.Query().Has("password")
}

// refuse reports settings that are right by themselves and wrong together. One that is not right by
// itself has been reported already.
func (l *loading) refuse(wrong bool, rule string, names ...string) {
	l.errs = append(l.errs, l.together(wrong, rule, names)...)
}

func (l *loading) together(wrong bool, rule string, names []string) []error {
	said := make([]string, len(names))
	for i, name := range names {
		text, ok := l.good[name]
		wrong = wrong && ok
		said[i] = text
	}
	if !wrong {
		return nil
	}
	return []error{fmt.Errorf("%s; %s", strings.Join(said, " and "), rule)}
}

// switchOff is as refuse, for settings of the operator's endpoint.
func (l *loading) switchOff(wrong bool, rule string, names ...string) {
	l.auxiliary = append(l.auxiliary, l.together(wrong, rule, names)...)
}

// shutdownMargin is the least time by which a stop outlasts a purchase, to record its result.
const shutdownMargin = 10 * time.Second

func (l *loading) crossCheck(s Settings) {
	l.refuse(s.ShutdownTimeout < s.DistributorTimeout+shutdownMargin,
		fmt.Sprintf("the first must exceed the second by at least %s, or a stop cuts purchases off and their outcome is "+
			"unknown", shutdownMargin),
		"SHUTDOWN_TIMEOUT", "DISTRIBUTOR_TIMEOUT")
	l.refuse(!s.DistributorAllowHTTP && !safeDistributor(s.DistributorURL),
		"must be https or on loopback, unless RECARGA_DISTRIBUTOR_ALLOW_HTTP is true: "+
			"the credentials and every purchase travel in the clear",
		"DISTRIBUTOR_URL")
	l.refuse(s.MetricsAddr == s.HTTPAddr && !strings.HasSuffix(s.HTTPAddr, ":0"), "must differ: each listens by itself",
		"METRICS_ADDR", "HTTP_ADDR")
	l.refuse(s.RetryInitial > s.RetryMax, "the first must not exceed the second", "RETRY_INITIAL", "RETRY_MAX")
	l.refuse(s.WebhookSecret == "", "must come with RECARGA_WEBHOOK_SECRET: webhooks are signed", "CALLBACK_URL")
	l.refuse(!s.WebhookAllowPrivate && !publicHTTPS(s.CallbackURL),
		"must be https and public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE is true", "CALLBACK_URL")
	l.switchOff(s.OperatorWebhookSecret == "", "must come with RECARGA_OPERATOR_WEBHOOK_SECRET: webhooks are signed",
		"OPERATOR_CALLBACK_URL")
	l.switchOff(!s.WebhookAllowPrivate && !publicHTTPS(s.OperatorCallbackURL),
		"must be https and public, unless RECARGA_WEBHOOK_ALLOW_PRIVATE is true", "OPERATOR_CALLBACK_URL")
	l.refuse(s.APIKey == s.AdminKey, "must differ, or every caller is the operator", "API_KEY", "ADMIN_KEY")
}

// safeDistributor reports whether nobody can read on the way what is sent to a URL. A name that resolves to loopback
// today may resolve to something else tomorrow.
func safeDistributor(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || exposure.Loopback(u.Hostname()))
}

// Unsafe says what others can read of what this process keeps and is given.
func (s Settings) Unsafe() (list []string) {
	list = append(list, s.Exposed...)
	for _, key := range [][2]string{{"RECARGA_ADMIN_KEY", s.AdminKey}, {"RECARGA_API_KEY", s.APIKey}} {
		if why := access.Weak(key[1]); key[1] != "" && why != "" && !exposure.OnLoopback(s.HTTPAddr) {
			list = append(list, key[0]+" "+why)
		}
	}
	for _, path := range exposure.ReadableFiles(s.DatabaseURL) {
		list = append(list, path+" can be read by others")
	}
	if dir := string(s.Archive()); exposure.OthersCanRead(dir) {
		list = append(list, dir+" can be read by others")
	}
	return list
}

// publicHTTPS reports whether a URL is https and does not name a private host. A name that resolves to
// a private address is noticed when it is delivered to.
func publicHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// Archive is where old orders are kept; empty: nowhere.
func (s Settings) Archive() archive.Folder {
	path, isFile := s.DatabaseFile()
	if s.ArchiveDir == "" && isFile {
		return archive.Folder(filepath.Join(filepath.Dir(path), "archive"))
	}
	return archive.Folder(s.ArchiveDir)
}

// DatabaseFile is SQLite's.
func (s Settings) DatabaseFile() (path string, isFile bool) {
	path, isFile = strings.CutPrefix(s.DatabaseURL, "sqlite:")
	return strings.TrimPrefix(path, "//"), isFile
}

// ArchiveBefore is when an order must have ended to leave the database now: at midnight UTC, so that a day's orders
// leave together.
func (s Settings) ArchiveBefore(now time.Time) time.Time {
	return now.Add(-s.Retention).UTC().Truncate(24 * time.Hour)
}

// Catalog is what can be bought: the file that RECARGA_CATALOG names, or the products of the distributor's document.
func (s Settings) Catalog() (topup.Catalog, error) {
	if s.CatalogFile == "" {
		return topup.DefaultCatalog(), nil
	}
	c, err := catalog.ReadFile(s.CatalogFile)
	if err != nil {
		return c, fmt.Errorf("RECARGA_CATALOG: %w", err)
	}
	return c, nil
}

// WebhookSecrets sign the webhooks of the caller named default, the newest first; none where it gets none.
func (s Settings) WebhookSecrets() []string {
	return withFormer(s.WebhookSecret, s.FormerWebhookSecrets)
}

// OperatorWebhookSecrets sign those of the operator.
func (s Settings) OperatorWebhookSecrets() []string {
	return withFormer(s.OperatorWebhookSecret, s.FormerOperatorSecrets)
}

func withFormer(secret string, former []string) []string {
	if secret == "" {
		return nil
	}
	return append([]string{secret}, former...)
}

// WebhookRoots are who may sign the certificates of endpoints: nil, the system's, or those and the ones of the file
// that RECARGA_WEBHOOK_CA names.
func (s Settings) WebhookRoots() (*x509.CertPool, error) {
	if s.WebhookCA == "" {
		return nil, nil
	}
	file, err := os.ReadFile(s.WebhookCA)
	if err != nil {
		return nil, fmt.Errorf("RECARGA_WEBHOOK_CA: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil { // there are none
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(file) {
		return nil, fmt.Errorf("RECARGA_WEBHOOK_CA: %s has no certificate; must be a PEM file of certificate authorities",
			s.WebhookCA)
	}
	return roots, nil
}

// SealingKey seals the secrets in the database; FormerKeys open as well. The admin key is one of them where it is not
// the one that seals: it was, before RECARGA_ENCRYPTION_KEY was set.
func (s Settings) SealingKey() string { return cmp.Or(s.EncryptionKey, s.AdminKey) }

// FormerKeys are those that open what they sealed before SealingKey was set.
func (s Settings) FormerKeys() []string {
	return append([]string{s.AdminKey}, s.FormerEncryptionKeys...)
}

// SealingKeys are all keys, the one that seals first; none where nothing is sealed.
func (s Settings) SealingKeys() []string {
	if s.SealingKey() == "" {
		return nil
	}
	return append([]string{s.SealingKey()}, s.FormerKeys()...)
}
