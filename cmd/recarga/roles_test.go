package main

import (
	"testing"

	"recarga/internal/command"
	"recarga/webhook"
)

// TestRefusedStart: settings that a role refuses are a mistake of usage.
func TestRefusedStart(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"a callback of nobody": {map[string]string{
			"RECARGA_CALLBACK_URL": "https://shop.example/x", "RECARGA_WEBHOOK_SECRET": webhook.NewSecret(),
		}, `^recarga: RECARGA_CALLBACK_URL is set, and neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY; must`},
		"a weak admin key": {map[string]string{
			"RECARGA_HTTP_ADDR": "0.0.0.0:0", "RECARGA_ADMIN_KEY": "dev-admin-key",
		}, `^recarga: RECARGA_ADMIN_KEY is "\(hidden\)", which has 13 characters.*recarga key`},
	} {
		for _, role := range []string{"serve", "api"} {
			t.Run(name+", "+role, func(t *testing.T) {
				want(t, withDistributor(c.env), command.ExitUsage, `^$`, c.says, role)
			})
		}
	}
}

// withDistributor adds the settings of a distributor where nobody listens.
func withDistributor(env map[string]string) map[string]string {
	env["RECARGA_DISTRIBUTOR_URL"] = "http://127.0.0.1:1"
	env["RECARGA_DISTRIBUTOR_CUSTOMER_ID"], env["RECARGA_DISTRIBUTOR_SECRET_KEY"] = "demo", "demo"
	return env
}

func TestKeyCommand(t *testing.T) {
	want(t, nil, command.ExitOK, `^[A-Za-z0-9_-]{43}\n$`, `^$`, "key")
	want(t, nil, command.ExitOK, `^\{"key":"[A-Za-z0-9_-]{43}"\}\n$`, `^$`, "key", "--json")
}
