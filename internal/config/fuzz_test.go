package config

import (
	"bytes"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"recarga/topup"
	"recarga/webhook"
)

// FuzzSettings: any two settings, from the environment or from a file, are what was written and within
// what is documented, or the error names them. It never shows a secret.
func FuzzSettings(f *testing.F) {
	rows := Table(new(Settings))
	at := func(name string) uint {
		return uint(slices.IndexFunc(rows, func(r Setting) bool { return r.Name == name }))
	}
	for _, s := range [][4]string{
		{"DISTRIBUTOR_TIMEOUT", "25m", "SHUTDOWN_TIMEOUT", "25m10s"},
		{"DISTRIBUTOR_TIMEOUT", "1500s1ns", "SHUTDOWN_TIMEOUT", "9999h"},
		{"RETRY_INITIAL", "1ns", "RETRY_MAX", "1ns"},
		{"API_KEY", "a-secret-of-the-shop", "ADMIN_KEY", "a-secret-of-the-shop"},
		{"CALLBACK_URL", "https://user:correct-horse@shop.example/", "WEBHOOK_SECRET", "correct-horse-battery-staple"},
		{"DISTRIBUTOR_RATE", "200/m", "DISTRIBUTOR_CONCURRENCY", "+10000"},
		{"RETRY_CODES", "91,96,91", "WEBHOOK_SCHEDULE", "1ns,9999h"},
		{"DISTRIBUTOR_URL", "http://user:correct-horse@[::1", "DATABASE_URL", "postgres://user:correct-horse@host"},
		{"REDIS_URL", "redis:correct-horse@host", "HTTP_ADDR", "[::1]:00080"},
		{"REDIS_URL", "redis-cluster://:@[::1", "DATABASE_URL", "0000000000://"},
		{"WEBHOOK_ALLOW_PRIVATE", "true", "LOG_LEVEL", "WARN"},
		{"DISTRIBUTOR_RATE", "9223372036854775808/s", "RETRY_MAX_ATTEMPTS", "0x10"},
	} {
		f.Add(at(s[0]), s[1], at(s[2]), s[3], false)
		f.Add(at(s[0]), s[1], at(s[2]), s[3], true)
	}
	f.Fuzz(func(t *testing.T, i uint, value string, j uint, other string, inFile bool) {
		a, b := rows[i%uint(len(rows))], rows[j%uint(len(rows))]
		given := map[string]string{b.Name: other, a.Name: value}
		src, ok := sourceOf(t, given, inFile)
		if !ok {
			return
		}
		s, err := Load(nil, src)
		if err == nil {
			checkSettings(t, s)
			checkWritten(t, s, given)
			return
		}
		for _, line := range linesOf(err) {
			if !strings.Contains(line, a.Env()) && !strings.Contains(line, b.Env()) {
				t.Errorf("%v: %q names none of them", given, line)
			}
		}
		checkSecrets(t, err, given)
	})
}

// sourceOf has the values as variables, or written to a file; ok is false for what no file can hold.
func sourceOf(t *testing.T, given map[string]string, inFile bool) (src Source, ok bool) {
	t.Helper()
	if !inFile {
		return Environment(func(name string) string { return given[strings.TrimPrefix(name, Prefix)] }), true
	}
	values := map[string]string{}
	for name, value := range given {
		values[strings.ToLower(name)] = value
	}
	content, err := yaml.Marshal(values)
	if err != nil || bytes.Contains(content, []byte("!!binary")) {
		return Source{}, false
	}
	src, err = configFile(written(t, string(content)))
	if err != nil {
		t.Errorf("%s: %v", content, err)
	}
	return src, err == nil
}

// checkSecrets: no secret, and no password in a URL, is in the error.
func checkSecrets(t *testing.T, err error, given map[string]string) {
	t.Helper()
	rows := Table(new(Settings))
	for _, row := range rows {
		secret, shown := given[row.Name], ""
		if !row.Secret {
			secret = passwordIn(secret)
		}
		for _, other := range rows {
			if shown += other.Allowed; !other.Secret && other.Name != row.Name {
				shown += given[other.Name]
			}
		}
		const shownAnyway = 12 // shorter ones may be words of the message
		if len(secret) > shownAnyway && strings.Contains(err.Error(), secret) && !strings.Contains(shown, secret) {
			t.Errorf("%s: %q is shown: %v", row.Env(), secret, err)
		}
	}
}

var passwordForm = regexp.MustCompile(`\A[a-z]+://[^/@:]*:([^@]*)@`)

func passwordIn(url string) string {
	if found := passwordForm.FindStringSubmatch(url); found != nil {
		return found[1]
	}
	return ""
}

// checkSettings has the bounds that docs/settings.md promises, all at once.
func checkSettings(t *testing.T, s Settings) {
	t.Helper()
	within := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("%s is out of bounds: %+v", what, s)
		}
	}
	final := slices.ContainsFunc(s.RetryCodes, func(code topup.Code) bool {
		return len(code) != 2 || slices.Contains([]topup.Code{"00", "05", "12", "13", "14", "51", "83"}, code)
	})
	within("RETRY_CODES", len(s.RetryCodes) > 0 && !final)
	within("DISTRIBUTOR_TIMEOUT", s.DistributorTimeout > 0 && s.DistributorTimeout <= 25*time.Minute)
	within("SHUTDOWN_TIMEOUT", s.ShutdownTimeout >= s.DistributorTimeout+10*time.Second)
	within("SHUTDOWN_DELAY", s.ShutdownDelay >= 0 && s.HTTPIdleTimeout > 0)
	within("DISTRIBUTOR_RATE", s.DistributorRate == topup.Rate{} || s.DistributorRate.Count > 0 &&
		slices.Contains([]time.Duration{time.Second, time.Minute, time.Hour}, s.DistributorRate.Per))
	within("DISTRIBUTOR_CONCURRENCY", s.DistributorConcurrency >= 1 && s.DistributorConcurrency <= 10000)
	within("RETRY_INITIAL", s.RetryInitial > 0 && s.RetryInitial <= s.RetryMax)
	within("RETRY_MAX_ATTEMPTS", s.RetryMaxAttempts >= 1 && s.RetryMaxAttempts <= 1000)
	within("RETRY_MAX_ELAPSED", s.RetryMaxElapsed > 0)
	within("EXPIRES_AFTER", s.ExpiresAfter == 0 || s.ExpiresAfter >= time.Second)
	within("RETENTION", s.Retention == 0 || s.Retention >= 24*time.Hour)
	within("ON_UNKNOWN", s.OnUnknown == "hold" || s.OnUnknown == "resend")
	within("LOG_FORMAT", s.LogFormat == "json" || s.LogFormat == "text")
	within("WEBHOOK_TIMEOUT", s.WebhookTimeout > 0)
	within("WEBHOOK_SCHEDULE", len(s.WebhookSchedule) > 0 && slices.Min(s.WebhookSchedule) > 0)
	within("WEBHOOK_SECRET", s.WebhookSecret == "" && s.CallbackURL == "" || s.WebhookSecret != "" &&
		webhook.ParseSecret(s.WebhookSecret) == nil)
	within("API_KEY", usableKey(s.APIKey) && usableKey(s.EncryptionKey) && usableKey(s.AdminKey) &&
		(s.APIKey == "" || s.APIKey != s.AdminKey))
	within("HTTP_ADDR", usableAddress(s.HTTPAddr) && usableAddress(s.MetricsAddr))
	within("URLs", usableURL(s.APIURL) && (s.DistributorURL == "" || usableURL(s.DistributorURL)) &&
		(s.CallbackURL == "" || usableURL(s.CallbackURL)))
	within("DATABASE_URL", regexp.MustCompile(`(?s)\A(sqlite:.*[^/]|postgres(ql)?://)`).MatchString(s.DatabaseURL))
	within("REDIS_URL", regexp.MustCompile(
		`\A(embedded\z|(rediss?|unix|redis-sentinel|redis-cluster)://(?s:.))`).MatchString(s.RedisURL))
}

func usableKey(key string) bool {
	return key == "" || regexp.MustCompile(`\A[!-~]{8,}\z`).MatchString(key)
}

func usableAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	number, bad := strconv.Atoi(port)
	return err == nil && bad == nil && number >= 0 && number <= 65535
}

func usableURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

var rateForm = regexp.MustCompile(`\A\+?0*([1-9]\d*)/([smh])\z`)

// checkWritten: a setting that was given is what was written.
func checkWritten(t *testing.T, s Settings, given map[string]string) {
	t.Helper()
	texts := map[string]string{
		"DATABASE_URL": s.DatabaseURL, "REDIS_URL": s.RedisURL, "DISTRIBUTOR_URL": s.DistributorURL,
		"DISTRIBUTOR_CUSTOMER_ID": s.DistributorCustomerID,
		"DISTRIBUTOR_SECRET_KEY":  s.DistributorSecretKey, "ON_UNKNOWN": s.OnUnknown, "HTTP_ADDR": s.HTTPAddr,
		"METRICS_ADDR": s.MetricsAddr,
		"API_KEY":      s.APIKey, "CALLBACK_URL": s.CallbackURL, "WEBHOOK_SECRET": s.WebhookSecret, "ADMIN_KEY": s.AdminKey,
		"API_URL": s.APIURL,
	}
	spans := map[string]time.Duration{
		"DISTRIBUTOR_TIMEOUT": s.DistributorTimeout, "RETRY_INITIAL": s.RetryInitial, "RETRY_MAX": s.RetryMax,
		"RETRY_MAX_ELAPSED": s.RetryMaxElapsed,
		"WEBHOOK_TIMEOUT":   s.WebhookTimeout, "SHUTDOWN_TIMEOUT": s.ShutdownTimeout,
		"SHUTDOWN_DELAY": s.ShutdownDelay, "HTTP_IDLE_TIMEOUT": s.HTTPIdleTimeout,
	}
	for name, value := range given {
		if value == "" {
			continue // as if it were not given
		}
		if text, ok := texts[name]; ok && text != value {
			t.Errorf("%s=%q is read as %q", name, value, text)
		}
		if span, err := time.ParseDuration(value); err == nil && spans[name] != 0 && spans[name] != span {
			t.Errorf("%s=%q is read as %s", name, value, spans[name])
		}
		if name == "DISTRIBUTOR_RATE" {
			form := rateForm.FindStringSubmatch(value)
			if form == nil || !cmp.Equal(s.DistributorRate,
				topup.Rate{Count: number(t, form[1]), Per: map[string]time.Duration{"s": time.Second, "m": time.Minute,
					"h": time.Hour}[form[2]]}) {
				t.Errorf("%s=%q is read as %+v", name, value, s.DistributorRate)
			}
		}
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Error(err)
	}
	return n
}

// FuzzSettingsFile: any bytes as a file of settings give settings within their bounds, or an error
// whose every line names the file or a setting, and which shows no secret.
func FuzzSettingsFile(f *testing.F) {
	for _, s := range []string{
		"http_addr: :1\napi_key: 0123456789012345\n", "&a http_addr: *a", "? [1, 2]\n: 3", "api_key: [hush-hush-hush-hush]",
		"admin_key: &k hush-hush-hush-hush\napi_key: *k\n",
		"api_key: !!binary aHVzaC1odXNo\n", "webhook_secret: |\n  hush-hush-hush-hush\n", "<<: {http_addr: x}",
		"api_keys: hush-hush-hush\n", "retry_max: null\nretry_initial: ~\n", "%YAML 9", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if strings.Contains(content, "_file") || strings.ContainsAny(content, `\`) {
			return // it would read any file
		}
		path := written(t, content)
		src, err := configFile(path)
		s, loadErr := Load(nil, src)
		if err == nil && loadErr == nil {
			checkSettings(t, s)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name the file", err)
		}
		for _, line := range linesOf(loadErr) {
			if !strings.Contains(line, path) && !strings.Contains(line, Prefix) {
				t.Errorf("%q names neither the file nor a setting", line)
			}
		}
		var values map[string]string
		if yaml.Unmarshal([]byte(content), &values) != nil {
			return
		}
		given := map[string]string{}
		for key, value := range values {
			given[strings.ToUpper(key)] = value
		}
		for _, err := range []error{err, loadErr} {
			if err != nil {
				checkSecrets(t, err, given)
			}
		}
	})
}
