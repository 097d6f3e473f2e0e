package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"recarga/topup"
	"recarga/webhook"
)

// from are the settings that a command gets from flags, environment and a file of settings.
func from(t *testing.T, flags []string, env map[string]string, file string, required Required) (Settings, error) {
	t.Helper()
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	if file != "" {
		flags = append(flags, "--config", written(t, file))
	}
	return parsed(t, flags, environ, required)
}

// parsed reads the settings of a command line in an environment.
func parsed(t *testing.T, flags, environ []string, required Required) (Settings, error) {
	t.Helper()
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.String("config", "", "")
	AddFlags(set)
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return Read(set, environ, required)
}

func written(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDefaults has the defaults that users were promised.
func TestDefaults(t *testing.T) {
	got, err := from(t, nil, nil, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		DatabaseURL: "sqlite:recarga.db", DatabaseMaxConnections: 16, Migrate: true, RedisURL: "embedded",
		Retention:          9600 * time.Hour,
		DistributorTimeout: 120 * time.Second, DistributorConcurrency: 64, BreakerShare: 0.5, BreakerProbe: 5 * time.Second,
		BalanceInterval: time.Minute,
		RetryInitial:    2 * time.Second, RetryMax: 2 * time.Minute, RetryMaxAttempts: 10, RetryMaxElapsed: 30 * time.Minute,
		ExpiresAfter: 72 * time.Hour,
		RetryCodes:   topup.DefaultRetryCodes(), OnUnknown: "hold",
		HTTPAddr: "127.0.0.1:8080", MetricsAddr: "127.0.0.1:9464", HTTPMaxConnections: 1024,
		HTTPIdleTimeout: 150 * time.Second,
		WebhookSchedule: webhook.DefaultSchedule(), WebhookTimeout: 15 * time.Second, WebhookDisableAfter: 120 * time.Hour,
		ShutdownTimeout: 150 * time.Second, QueuesReadOnly: true, LogFormat: "json", APIURL: "http://127.0.0.1:8080",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPrecedence: flags over environment over file over defaults.
func TestPrecedence(t *testing.T) {
	flags := []string{"--http-addr", ":1"}
	env := map[string]string{"RECARGA_HTTP_ADDR": ":2", "RECARGA_METRICS_ADDR": ":2", "RECARGA_LOG_LEVEL": ""}
	const file = "http_addr: :3\nmetrics_addr: :3\nlog_format: text\nlog_level: warn\nretry_max:\n"
	got, err := from(t, flags, env, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"flag over all", got.HTTPAddr, ":1"}, {"environment over file", got.MetricsAddr, ":2"},
		{"file over default", got.LogFormat, "text"},
		{"an empty variable is not set", got.LogLevel.String(), slog.LevelWarn.String()},
		{"null in the file is not set", got.RetryMax.String(), "2m0s"}, {"default", got.OnUnknown, "hold"},
	} {
		if c[1] != c[2] {
			t.Errorf("%s: got %q, want %q", c[0], c[1], c[2])
		}
	}
}

// TestTextAsWritten: YAML would make a number of 0123 and of 1e3, and so another key of it.
func TestTextAsWritten(t *testing.T) {
	got, err := from(t, nil, nil, "api_key: 00112233\nadmin_key: 1e300000\nwebhook_allow_private: "+
		"true\nretry_max_attempts: 3\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.APIKey != "00112233" || got.AdminKey != "1e300000" || !got.WebhookAllowPrivate || got.RetryMaxAttempts != 3 {
		t.Errorf("got %q, %q, %v, %d", got.APIKey, got.AdminKey, got.WebhookAllowPrivate, got.RetryMaxAttempts)
	}
}

// TestDistributorURLIsSafe: in the clear only where nobody listens, or where somebody said so.
func TestDistributorURLIsSafe(t *testing.T) {
	for raw, safe := range map[string]bool{
		"https://vendor.example/api": true, "http://127.0.0.1:1/api": true, "http://127.8.0.1/api": true,
		"http://[::1]:1/api": true, "http://localhost:1/api": true, "http://vendor.example/api": false,
		"http://10.0.0.1/api": false, "http://0.0.0.0/api": false,
		"http://localhost.example/api": false, "http://sandbox:8081/api": false, "HTTP://vendor.example/api": false,
	} {
		for allowed, want := range map[string]bool{"": safe, "false": safe, "true": true} {
			env := map[string]string{"RECARGA_DISTRIBUTOR_URL": raw, "RECARGA_DISTRIBUTOR_ALLOW_HTTP": allowed}
			_, err := from(t, nil, env, "", nil)
			named := err == nil || strings.Contains(err.Error(), "unless RECARGA_DISTRIBUTOR_ALLOW_HTTP is true")
			if (err == nil) != want || !named {
				t.Errorf("%s, allowed %q: %v", raw, allowed, err)
			}
		}
	}
}

// TestExposedSecrets: what others can read is named, and never its value.
func TestExposedSecrets(t *testing.T) {
	folder, err := os.MkdirTemp("", "recarga-open-") // of t.TempDir, the folders above let nobody in
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	const secret = "correct-horse-battery"
	for name, c := range map[string]struct {
		flags []string
		env   map[string]string
		file  string
		mode  os.FileMode
		want  string
	}{
		"a flag": {flags: []string{"--admin-key", secret},
			want: "RECARGA_ADMIN_KEY is given as the flag --admin-key"},
		"the environment": {env: map[string]string{"RECARGA_ADMIN_KEY": secret}},
		"an open file": {env: map[string]string{"RECARGA_ADMIN_KEY_FILE": "PATH"}, file: secret, mode: 0o644,
			want: "RECARGA_ADMIN_KEY_FILE names PATH, which others can read"},
		"a private file": {env: map[string]string{"RECARGA_ADMIN_KEY_FILE": "PATH"}, file: secret, mode: 0o600},
		"an open YAML": {flags: []string{"--config", "PATH"}, file: "admin_key: " + secret, mode: 0o644,
			want: "admin_key is in PATH, which others can read"},
		"an open YAML without secrets": {flags: []string{"--config", "PATH"}, file: "log_level: warn", mode: 0o644},
		"a private YAML":               {flags: []string{"--config", "PATH"}, file: "admin_key: " + secret, mode: 0o600},
		"a password in a flag": {flags: []string{"--redis-url", "redis://:" + secret + "@redis"},
			want: "RECARGA_REDIS_URL is given as the flag --redis-url"},
		"no password in a flag": {flags: []string{"--redis-url", "redis://redis", "--database-url", "sqlite:a.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder, strings.ReplaceAll(name, " ", "-"))
			err := errors.Join(os.WriteFile(path, []byte(c.file), 0o600), os.Chmod(path, c.mode|0o400))
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.flags {
				c.flags[i] = strings.ReplaceAll(c.flags[i], "PATH", path)
			}
			for key := range c.env {
				c.env[key] = strings.ReplaceAll(c.env[key], "PATH", path)
			}
			var env []string
			for key, value := range c.env {
				env = append(env, key+"="+value)
			}
			s, err := parsed(t, c.flags, env, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, want := strings.Join(s.Unsafe(), "\n"), strings.ReplaceAll(c.want, "PATH", path)
			if !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Contains(got, secret) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	env := map[string]string{"RECARGA_DISTRIBUTOR_RATE": "5/s", "RECARGA_API_KEY": "a-key-of-the-environment"}
	got, err := from(t, []string{"--webhook-allow-private", "--queues-read-only=false", "--distributor-rate", ""}, env,
		"", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !got.WebhookAllowPrivate || got.QueuesReadOnly || got.DistributorRate != (topup.Rate{}) {
		t.Errorf("got %v, %v, %v", got.WebhookAllowPrivate, got.QueuesReadOnly, got.DistributorRate)
	}
}

// TestValues has what is allowed, and what is not, setting by setting.
func TestValues(t *testing.T) {
	key := strings.Repeat("A", 32)
	cases := map[string]struct{ good, bad []string }{
		"DATABASE_URL": {[]string{"sqlite:x.db", "sqlite:///tmp/x.db", "postgres://u:p@h/d", "postgresql://h/d"},
			[]string{"x.db", "sqlite:", "mysql://h/d", "postgres:h"}},
		"REDIS_URL": {[]string{"embedded", "redis://h", "rediss://h:1/2", "unix:///s",
			"redis-sentinel://a:1,b:2/0?master=m", "redis-cluster://a:1"},
			[]string{"embedded:", "embed", "redis:h", "redis://", "http://h"}},
		"DISTRIBUTOR_URL": {[]string{"https://h/api/distributor", "http://[::1]:1"},
			[]string{"h/api", "ftp://h", "https://", "https://u:p@h", "https://:1"}},
		"CATALOG":             {[]string{"products.yaml"}, nil},
		"DISTRIBUTOR_TIMEOUT": {[]string{"1s", "2m"}, []string{"0", "0s", "-1s", "120", "26m", "soon"}},
		"DISTRIBUTOR_RATE": {[]string{"1/s", "200/m", "9/h"},
			[]string{"200", "0/m", "-1/s", "1/d", "1/", "/m", "1.5/s"}},
		"DISTRIBUTOR_CONCURRENCY": {[]string{"1", "10000"}, []string{"0", "-1", "10001", "1.5", "many"}},
		"BREAKER_SHARE":           {[]string{"0%", "50%", "100%"}, []string{"50", "101%", "-1%", "5.5%", "%", "050%"}},
		"BREAKER_PROBE":           {[]string{"1s"}, []string{"0s", "5"}},
		"BALANCE_INTERVAL":        {[]string{"1s"}, []string{"0s", "5"}},
		"BALANCE_LOW":             {[]string{"500", "99.50"}, []string{"0", "-1", "1.005", "much"}},
		"BALANCE_RESERVE":         {[]string{"500"}, []string{"0", "x"}},
		"RETRY_INITIAL":           {[]string{"2m"}, []string{"0s", "3m"}},
		"RETRY_MAX":               {[]string{"2s"}, []string{"1s", "x"}},
		"RETRY_MAX_ATTEMPTS":      {[]string{"1", "1000"}, []string{"0", "1001"}},
		"RETENTION":               {[]string{"24h", "9600h", "0", "0h"}, []string{"23h59m", "-24h", "400", "400d"}},
		"RETRY_MAX_ELAPSED":       {[]string{"1h"}, []string{"0"}},
		"EXPIRES_AFTER":           {[]string{"1h", "0"}, []string{"-1h", "0.5s", "soon"}},
		"RETRY_CODES": {[]string{"91", "91, 96", "Z1"},
			[]string{"00", "91,51", "05", "12", "13", "14", "83", "9", "911", "91,", ",", "9 ", "é"}},
		"ON_UNKNOWN":               {[]string{"hold", "resend"}, []string{"Hold", "retry"}},
		"DATABASE_MAX_CONNECTIONS": {[]string{"4", "16", "1000"}, []string{"0", "3", "1001", "-1", "many"}},
		"HTTP_MAX_CONNECTIONS":     {[]string{"16", "1024", "65536"}, []string{"0", "15", "65537", "-1", "many"}},
		"HTTP_ADDR": {[]string{":0", "0.0.0.0:8080", "[::1]:1", "host:65535"},
			[]string{"8080", "host", "host:http", "host:65536", "host:-1"}},
		"METRICS_ADDR": {[]string{":9464"}, []string{"9464"}},
		"API_KEY":      {[]string{"12345678"}, []string{"1234567", "with a space", "ññññññññ", "12345678\n"}},
		"ADMIN_KEY":    {[]string{"12345678"}, []string{"1234567"}},
		"TASK_KEY": {
			[]string{"0123456789abcdef", "0123456789abcdef,fedcba9876543210"},
			[]string{"0123456789abcde", "0123456789abcdef,", "0123456789abcdef, fedcba9876543210",
				"0123456789abcdef,fedcba9876543210,0123456789abcdeg"},
		},
		"ENCRYPTION_KEY_OLD": {[]string{"12345678", "12345678,87654321"}, []string{"1234567", "12345678,", "a,b,c",
			"12345678 87654321"}},
		"ENCRYPTION_KEY": {[]string{"12345678"}, []string{"1234567"}},
		"TRUSTED_PROXIES": {[]string{"10.0.0.1", "10.0.0.0/8, ::1", "fd00::/8"},
			[]string{"proxy", "10.0.0.0/33", "10.0.0.1,", "10.0.0.1:80"}},
		"TRACE_URL": {[]string{"https://jaeger.example/search?id={id}"},
			[]string{"https://jaeger.example/search", "/trace/{id}", "ftp://jaeger.example/{id}"}},
		"WEBHOOK_SECRET": {[]string{"whsec_" + key}, []string{"whsec_", key, "whsec_" + key[:31], "whsec_QUJD"}},
		"WEBHOOK_SECRET_OLD": {[]string{"whsec_" + key, "whsec_" + key + ",whsec_" + key},
			[]string{"whsec_", "whsec_" + key + ",", "whsec_" + key + ", whsec_" + key,
				strings.Repeat("whsec_"+key+",", 2) + "whsec_" + key}},
		"OPERATOR_WEBHOOK_SECRET_OLD": {[]string{"whsec_" + key}, []string{"whsec_"}},
		"WEBHOOK_SCHEDULE":            {[]string{"5s", "1s, 2m,3h"}, []string{"5", "5s,", "0s", "1s;2s"}},
		"WEBHOOK_TIMEOUT":             {[]string{"1s"}, []string{"0s"}},
		"WEBHOOK_RATE":                {[]string{"50/s"}, []string{"50"}},
		"WEBHOOK_DISABLE_AFTER":       {[]string{"24h"}, []string{"0s", "5d"}},
		"OPERATOR_WEBHOOK_SECRET":     {[]string{"whsec_" + key}, []string{"whsec_"}},
		"DISTRIBUTOR_ALLOW_HTTP":      {[]string{"true", "false"}, []string{"yes", "1"}},
		"ADMIN_KEY_ALLOW_WEAK":        {[]string{"true", "false"}, []string{"yes", "1"}},
		"WEBHOOK_ALLOW_PRIVATE":       {[]string{"true", "false"}, []string{"yes", "1", "True"}},
		"WEBHOOK_HEADERS": {[]string{`{}`, `{"X-Api-Key":"k","Authorization":"Bearer x"}`},
			[]string{`X-Api-Key: k`, `{"Host":"h"}`, `{"webhook-id":"1"}`, `{"X":1}`, `[]`, `{"X":""}`}},
		"OPERATOR_WEBHOOK_HEADERS": {[]string{`{"X-Api-Key":"k"}`}, []string{`{"Connection":"close"}`}},
		"WEBHOOK_PROXY": {[]string{"http://proxy", "https://user:pass@proxy:3128/"},
			[]string{"proxy:3128", "socks5://proxy", "http://", "http://proxy/path", "http://proxy?x"}},
		"SHUTDOWN_TIMEOUT":  {[]string{"130s", "1h"}, []string{"129s", "0s"}},
		"SHUTDOWN_DELAY":    {[]string{"0", "0s", "10s", "1h"}, []string{"-1s", "10", "soon"}},
		"HTTP_IDLE_TIMEOUT": {[]string{"15s", "620s"}, []string{"0", "0s", "-1s", "75"}},
		"MIGRATE":           {[]string{"true", "false"}, []string{"no", "0", "off"}},
		"QUEUES_READ_ONLY":  {[]string{"false"}, []string{"no"}},
		"LOG_LEVEL":         {[]string{"debug", "info", "warn", "error"}, []string{"trace", "info+1"}},
		"LOG_FORMAT":        {[]string{"json", "text"}, []string{"xml"}},
		"API_URL":           {[]string{"http://h:1/prefix"}, []string{"h:1"}},
	}
	for name, c := range cases {
		for _, value := range c.good {
			if _, err := from(t, nil, map[string]string{Prefix + name: value}, "", nil); err != nil {
				t.Errorf("%s=%q is refused: %v", name, value, err)
			}
		}
		for _, value := range c.bad {
			s, err := from(t, nil, map[string]string{Prefix + name: value}, "", nil)
			if strings.HasPrefix(name, "OPERATOR_") {
				err = s.OperatorOff
			}
			if lines := linesOf(err); len(lines) != 1 || !strings.Contains(lines[0], Prefix+name+" (from environment)") ||
				!strings.Contains(lines[0], "must") {
				t.Errorf("%s=%q: %q; want one line that names it, its source and what is allowed", name, value, lines)
			}
		}
	}
	for _, row := range Table(new(Settings)) {
		// any text; and see TestWrongTogether
		free := []string{"DISTRIBUTOR_CUSTOMER_ID", "DISTRIBUTOR_SECRET_KEY", "ARCHIVE_DIR", "CALLBACK_URL", "WEBHOOK_CA",
			"OPERATOR_CALLBACK_URL"}
		if _, ok := cases[row.Name]; !ok && !slices.Contains(free, row.Name) {
			t.Errorf("%s is not in this test", row.Name)
		}
	}
}

func linesOf(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestWrongTogether(t *testing.T) {
	secret := webhook.NewSecret()
	cases := map[string]struct {
		env  map[string]string
		want []string // in the one line; none: it is right
	}{
		"inverted timeouts": {map[string]string{"SHUTDOWN_TIMEOUT": "60s", "DISTRIBUTOR_TIMEOUT": "90s"},
			[]string{`RECARGA_SHUTDOWN_TIMEOUT (from environment) is "60s"`,
				`RECARGA_DISTRIBUTOR_TIMEOUT (from environment) is "90s"`, "10s"}},
		"no margin": {map[string]string{"SHUTDOWN_TIMEOUT": "125s"},
			[]string{`RECARGA_DISTRIBUTOR_TIMEOUT (from its default) is "120s"`}},
		"just enough margin": {map[string]string{"SHUTDOWN_TIMEOUT": "130s"}, nil},
		"retries": {map[string]string{"RETRY_INITIAL": "5s", "RETRY_MAX": "4s"},
			[]string{"RECARGA_RETRY_INITIAL", "RECARGA_RETRY_MAX"}},
		"one key for all": {map[string]string{"API_KEY": "samesame1", "ADMIN_KEY": "samesame1"},
			[]string{"RECARGA_API_KEY", "RECARGA_ADMIN_KEY"}},
		"no webhook secret": {map[string]string{"CALLBACK_URL": "https://shop.example/x"},
			[]string{"RECARGA_CALLBACK_URL", "RECARGA_WEBHOOK_SECRET"}},
		"no operator's secret": {map[string]string{"OPERATOR_CALLBACK_URL": "https://ops.example/x"},
			[]string{"RECARGA_OPERATOR_CALLBACK_URL", "RECARGA_OPERATOR_WEBHOOK_SECRET"}},
		"a plain operator": {map[string]string{"OPERATOR_CALLBACK_URL": "http://ops.example/x",
			"OPERATOR_WEBHOOK_SECRET": secret}, []string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"a public callback": {map[string]string{"CALLBACK_URL": "https://shop.example/x", "WEBHOOK_SECRET": secret},
			nil},
		"a plain callback": {map[string]string{"CALLBACK_URL": "http://shop.example/x", "WEBHOOK_SECRET": secret},
			[]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"localhost": {map[string]string{"CALLBACK_URL": "https://localhost/x", "WEBHOOK_SECRET": secret},
			[]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"a private address": {map[string]string{"CALLBACK_URL": "https://10.0.0.1/x", "WEBHOOK_SECRET": secret},
			[]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"the metadata host": {map[string]string{"CALLBACK_URL": "https://169.254.169.254/x", "WEBHOOK_SECRET": secret},
			[]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"IPv6 loopback": {map[string]string{"CALLBACK_URL": "https://[::1]/x", "WEBHOOK_SECRET": secret},
			[]string{"RECARGA_WEBHOOK_ALLOW_PRIVATE"}},
		"a private one allowed": {map[string]string{"CALLBACK_URL": "http://127.0.0.1:1/x", "WEBHOOK_SECRET": secret,
			"WEBHOOK_ALLOW_PRIVATE": "true"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for k, v := range c.env {
				env[Prefix+k] = v
			}
			s, err := from(t, nil, env, "", nil)
			lines := linesOf(errors.Join(err, s.OperatorOff))
			if off := c.env["OPERATOR_CALLBACK_URL"] != ""; off &&
				(err != nil || s.OperatorCallbackURL+s.OperatorWebhookSecret != "") {
				t.Errorf("%v; the operator is notified at %q", err, s.OperatorCallbackURL)
			}
			if (len(c.want) > 0) != (len(lines) == 1) {
				t.Fatalf("got %q", lines)
			}
			for _, want := range c.want {
				if !strings.Contains(lines[0], want) {
					t.Errorf("%q does not name %q", lines[0], want)
				}
			}
		})
	}
}

// TestAllMistakesAtOnce: whoever sets up a server should not need one start a mistake.
func TestAllMistakesAtOnce(t *testing.T) {
	env := map[string]string{"RECARGA_LOG_FORMAT": "xml", "RECARGA_REDIS_URI": "redis://h", "RECARGA_API_KEY": "short",
		"RECARGA_DISTRIBUTOR_URL": "h"}
	_, err := from(t, []string{"--retry-max-attempts", "0"}, env, "on_unknown: guess\nhttp_adr: :1\nretry_codes: [91]\n",
		NeedsDistributor)
	want := []string{
		`RECARGA_REDIS_URI (from environment) is no setting; did you mean RECARGA_REDIS_URL?`,
		`did you mean http_addr?`, `retry_codes (from `,
		`RECARGA_LOG_FORMAT (from environment) is "xml"; must be json or text`,
		`RECARGA_API_KEY (from environment) is "(hidden)"`, `RECARGA_DISTRIBUTOR_URL (from environment) is "h"`,
		`RECARGA_DISTRIBUTOR_CUSTOMER_ID is not set`, `RECARGA_DISTRIBUTOR_SECRET_KEY is not set`,
		`RECARGA_RETRY_MAX_ATTEMPTS (from flag) is "0"`, `RECARGA_ON_UNKNOWN (from `, `RECARGA_RETRY_CODES (from `,
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("not reported: %s", w)
		}
	}
	if len(linesOf(err)) != len(want) {
		t.Errorf("%d lines, want %d:\n%v", len(linesOf(err)), len(want), err)
	}
	if !errors.As(err, new(*SettingError)) {
		t.Errorf("%T has no SettingError", err)
	}
}

func TestSecretFiles(t *testing.T) {
	key := written(t, "key-from-a-file\r\n")
	for name, c := range map[string]struct {
		env        map[string]string
		file, want string
		wrong      string
	}{
		"environment": {env: map[string]string{"RECARGA_API_KEY_FILE": key}, want: "key-from-a-file"},
		"settings":    {file: "api_key_file: " + key, want: "key-from-a-file"},
		"both": {env: map[string]string{"RECARGA_API_KEY_FILE": key, "RECARGA_API_KEY": "another-key"},
			wrong: "RECARGA_API_KEY and RECARGA_API_KEY_FILE are both set"},
		"missing":   {env: map[string]string{"RECARGA_API_KEY_FILE": key + "x"}, wrong: "RECARGA_API_KEY_FILE"},
		"no secret": {env: map[string]string{"RECARGA_LOG_LEVEL_FILE": key}, wrong: "RECARGA_LOG_LEVEL_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := from(t, nil, c.env, c.file, nil)
			if got.APIKey != c.want || (c.wrong == "") != (err == nil) || err != nil &&
				!strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got %q, %v; want %q, %q", got.APIKey, err, c.want, c.wrong)
			}
		})
	}
}

func TestUnusableConfig(t *testing.T) {
	for name, content := range map[string]string{"no YAML": "a: [", "no map": "- http_addr",
		"twice": "http_addr: :1\nhttp_addr: :2\n", "a map": "http_addr: {a: b}",
		"an alias": "log_level: &a info\nlog_format: *a\n"} {
		t.Run(name, func(t *testing.T) {
			if _, err := from(t, nil, nil, content, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
	for _, env := range []map[string]string{{FileVariable: filepath.Join(t.TempDir(), "none")},
		{FileVariable: written(t, "log_format: xml")}} {
		if _, err := from(t, nil, env, "", nil); err == nil {
			t.Error("RECARGA_CONFIG is not read")
		}
	}
}

// TestForeignVariables: what Kubernetes sets for a service named recarga, and Docker for a link, must not stop the
// program; what a person has set by such a name is refused, and not passed over.
func TestForeignVariables(t *testing.T) {
	foreign := []string{
		"RECARGA_SERVICE_HOST=10.0.0.11", "RECARGA_SERVICE_HOST=fd00::1", "RECARGA_SERVICE_PORT=8080",
		"RECARGA_SERVICE_PORT_HTTP=8080",
		"RECARGA_PORT=tcp://10.0.0.11:8080", "RECARGA_PORT=tcp://[fd00::1]:8080",
		"RECARGA_PORT_8080_TCP=tcp://10.0.0.11:8080",
		"RECARGA_PORT_8080_TCP_PROTO=tcp", "RECARGA_PORT_8080_TCP_PORT=8080", "RECARGA_PORT_8080_TCP_ADDR=10.0.0.11",
		"RECARGA_PORT_53_UDP=udp://10.0.0.11:53", "RECARGA_PORT_53_UDP_PROTO=udp",
		"RECARGA_PORT_80_TCP_START=tcp://10.0.0.11:80",
		"RECARGA_PORT_80_TCP_PORT_START=80", "RECARGA_PORT_80_TCP_PORT_END=81", "RECARGA_NAME=/shop/recarga",
		"RECARGA_ENV_PGDATA=/data",
		"RECARGA_API_SERVICE_HOST=10.0.0.12", "RECARGA_API_PORT=tcp://10.0.0.12:80",
		"RECARGA_API_PORT_80_TCP_ADDR=10.0.0.12",
		"RECARGA_TEST_REQUIRE=1", "OTHER=1",
	}
	if err := checkEnvironment(foreign); err != nil {
		t.Error(err)
	}
	meant := []string{
		"RECARGA_PORT=9090", "RECARGA_PORT=:9090", "RECARGA_PORT=0.0.0.0:9090", "RECARGA_PORT=", "RECARGA_API_PORT=9090",
		"RECARGA_PORT=http://example.com", "RECARGA_SERVICE_HOST=recarga.example", "RECARGA_SERVICE_PORT=http",
		"RECARGA_SERVICE_PORT=0.0.0.0:80",
		"RECARGA_PORT_8080_TCP=8080", "RECARGA_PORT_8080_TCP_ADDR=localhost",
	}
	for _, entry := range meant {
		name, _, _ := strings.Cut(entry, "=")
		want := name + " (from environment) is no setting; did you mean RECARGA_HTTP_ADDR?"
		if err := checkEnvironment([]string{entry}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", entry, err, want)
		}
	}
	for _, entry := range []string{"RECARGA_HTTP_PORTS=1", "RECARGA_=1", "RECARGA_HOST=x", "RECARGA_NAME=shop",
		"RECARGA_ENV=prod", "RECARGA_ENV_NAME=prod", "RECARGA_PORTS=tcp://10.0.0.11:80"} {
		if err := checkEnvironment([]string{entry}); len(linesOf(err)) != 1 {
			t.Errorf("%s: got %v", entry, err)
		}
	}
}

func TestOneAddressForTwo(t *testing.T) {
	for addr, refused := range map[string]bool{"127.0.0.1:8080": true, "127.0.0.1:0": false} {
		env := map[string]string{"RECARGA_HTTP_ADDR": addr, "RECARGA_METRICS_ADDR": addr}
		_, err := from(t, nil, env, "", nil)
		if named := err != nil && strings.Contains(err.Error(), "must differ: each listens by itself"); named != refused {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
