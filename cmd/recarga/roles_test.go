package main

import (
	"testing"

	"recarga/internal/access"
	"recarga/internal/app"
	"recarga/internal/config"
	"recarga/webhook"
)

// TestCallbackOfNobody: a callback URL is of no use where nobody has a key to place orders with.
func TestCallbackOfNobody(t *testing.T) {
	notified := config.Settings{CallbackURL: "https://shop.example/x"}
	both, shop, operator := app.Roles{API: true, Worker: true}, notified, notified
	shop.APIKey, operator.AdminKey, operator.HTTPAddr = "shop-api-key", "operator-key", "127.0.0.1:0"
	for _, c := range []struct {
		r       app.Roles
		s       config.Settings
		refused bool
	}{{both, notified, true}, {app.Roles{API: true}, notified, true}, {app.Roles{Worker: true}, notified, false},
		{both, shop, false}, {both, operator, false}, {both, config.Settings{}, false}} {
		if err := c.r.Refuse(c.s); (err != nil) != c.refused {
			t.Errorf("%+v with keys %q and %q: %v", c.r, c.s.APIKey, c.s.AdminKey, err)
		}
	}
	env := map[string]string{
		"RECARGA_DISTRIBUTOR_URL": "http://127.0.0.1:1", "RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo",
		"RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_CALLBACK_URL":           notified.CallbackURL, "RECARGA_WEBHOOK_SECRET": webhook.NewSecret(),
	}
	for _, command := range []string{"serve", "api"} {
		want(t, env, exitUsage, `^$`, `^recarga: RECARGA_CALLBACK_URL is set, and neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY; must`, command)
	}
}

// TestWeakAdminKey: whoever guesses it decides what became of money. The process does not start where others reach it.
func TestWeakAdminKey(t *testing.T) {
	weak, strong := "dev-admin-key", access.NewKey()
	for _, c := range []struct {
		key, addr string
		allowed   bool
		roles     app.Roles
		refused   bool
	}{
		{weak, "127.0.0.1:8080", false, app.Roles{API: true}, false},
		{weak, "localhost:8080", false, app.Roles{API: true}, false},
		{weak, "[::1]:8080", false, app.Roles{API: true}, false},
		{weak, "0.0.0.0:8080", false, app.Roles{API: true}, true},
		{weak, ":8080", false, app.Roles{API: true, Worker: true}, true},
		{weak, "10.0.0.7:8080", false, app.Roles{API: true}, true},
		{weak, "shop.example:8080", false, app.Roles{API: true}, true},
		{weak, "0.0.0.0:8080", true, app.Roles{API: true}, false},
		{weak, "0.0.0.0:8080", false, app.Roles{Worker: true}, false},
		{strong, "0.0.0.0:8080", false, app.Roles{API: true}, false},
		{"", "0.0.0.0:8080", false, app.Roles{API: true}, false},
	} {
		err := c.roles.Refuse(config.Settings{AdminKey: c.key, HTTPAddr: c.addr, AdminKeyAllowWeak: c.allowed})
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
	env := map[string]string{
		"RECARGA_DISTRIBUTOR_URL": "http://127.0.0.1:1", "RECARGA_DISTRIBUTOR_CUSTOMER_ID": "demo",
		"RECARGA_DISTRIBUTOR_SECRET_KEY": "demo",
		"RECARGA_HTTP_ADDR":              "0.0.0.0:0", "RECARGA_ADMIN_KEY": weak,
	}
	for _, command := range []string{"serve", "api"} {
		want(t, env, exitUsage, `^$`, `^recarga: RECARGA_ADMIN_KEY is "\(hidden\)", which has 13 characters.*recarga key`,
			command)
	}
	want(t, nil, exitOK, `^[A-Za-z0-9_-]{43}\n$`, `^$`, "key")
	want(t, nil, exitOK, `^\{"key":"[A-Za-z0-9_-]{43}"\}\n$`, `^$`, "key", "--json")
}
