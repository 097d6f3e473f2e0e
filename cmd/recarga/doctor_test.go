package main

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"recarga/internal/command"
	"recarga/internal/doctor"
	"recarga/internal/sandbox"
	"recarga/internal/testkit"
)

// healthy is an environment in which the doctor finds nothing.
func healthy(t *testing.T) map[string]string {
	t.Helper()
	vendor := sandbox.New(sandbox.DefaultConfig(), nil)
	server := httptest.NewServer(vendor)
	t.Cleanup(func() { vendor.Close(); server.Close() })
	return map[string]string{
		"RECARGA_DISTRIBUTOR_URL":         server.URL + "/api/distributor",
		"RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo", "RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_DATABASE_URL": "sqlite:" + filepath.Join(testkit.DiskFolder(t), "recarga.db"),
		"RECARGA_API_KEY":      "hvQ2cP7sXk0mTz4bRw8yLd", "RECARGA_ADMIN_KEY": "Jf5uNe1gYq9aVt3iKo6xCs",
	}
}

func TestDoctor(t *testing.T) {
	well := healthy(t)
	but := func(name, value string) map[string]string {
		env := maps.Clone(well)
		env[name] = value
		return env
	}
	want(t, well, command.ExitOK, `(?m)^ok    sqlite file +/.*\n(.*\n)*ok    distributor balance      100000.00 USD$`, `^$`,
		"doctor", "--strict")

	warned := but("RECARGA_ON_UNKNOWN", "resend")
	want(t, warned, command.ExitOK, `(?m)^warn  unknown outcomes .*resend.*\n      → .*RECARGA_ON_UNKNOWN=hold$`, `^$`,
		"doctor")
	want(t, warned, command.ExitFailed, `warn  unknown outcomes`, `^recarga: of \d+ checks 0 failed and 1 warned\n$`, "doctor",
		"--strict")

	refused := but("RECARGA_DISTRIBUTOR_SECRET_KEY", "geheim")
	r := want(t, refused, command.ExitFailed,
		`(?m)^fail  distributor credentials  refused.*\n      → correct .*RECARGA_DISTRIBUTOR_SECRET_KEY$`,
		`^recarga: of \d+ checks 1 failed and 0 warned\n$`, "doctor")
	if strings.Contains(r.stdout.String()+r.stderr.String(), "geheim") {
		t.Error("the secret is shown")
	}
	want(t, well, command.ExitUsage, `^$`, `^recarga: --timeout is 0s; must be above zero\n$`, "doctor", "--timeout", "0s")
}

func TestDoctorJSON(t *testing.T) {
	env := healthy(t)
	env["RECARGA_WEBHOOK_ALLOW_PRIVATE"] = "true"
	for _, f := range findings(t, env, command.ExitOK) {
		if warns := f.Check == "private webhooks"; warns != (f.Status == doctor.Warn) || warns != (f.Fix != "") ||
			f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
}

// TestDoctorOfWrongSettings: all mistakes, in the form of findings, and nothing else is looked at.
func TestDoctorOfWrongSettings(t *testing.T) {
	env := healthy(t)
	maps.Copy(env, map[string]string{"RECARGA_ADMIN_KEY": "geheim", "RECARGA_DISTRIBUTOR_TIMEOUT": "10m",
		"RECARGA_REDIS": "embedded"})
	fix := map[string]string{}
	for _, f := range findings(t, env, command.ExitUsage) {
		if f.Check != "settings" || f.Status != doctor.Fail || strings.Contains(f.Found, "geheim") {
			t.Errorf("%+v", f)
		}
		fix[f.Found] = f.Fix
	}
	for found, want := range map[string]string{
		`RECARGA_ADMIN_KEY (from environment) is "(hidden)"`:                                                                "must be at least 8 visible ASCII characters",
		`RECARGA_REDIS (from environment) is no setting`:                                                                    "did you mean RECARGA_REDIS_URL?",
		`RECARGA_SHUTDOWN_TIMEOUT (from its default) is "150s" and RECARGA_DISTRIBUTOR_TIMEOUT (from environment) is "10m"`: "the first must exceed the second by at least 10s, or a stop cuts purchases off and their outcome is unknown",
	} {
		if fix[found] != want {
			t.Errorf("%s: fix is %q, want %q", found, fix[found], want)
		}
	}
	if len(fix) != 3 {
		t.Errorf("%d mistakes, want 3: %v", len(fix), fix)
	}
}

func findings(t *testing.T, env map[string]string, status int) (found []doctor.Finding) {
	t.Helper()
	r := want(t, env, status, `^\[\{"check":`, ``, "doctor", "--json")
	if err := json.Unmarshal([]byte(r.stdout.String()), &found); err != nil {
		t.Fatal(err)
	}
	return found
}
