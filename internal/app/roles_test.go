package app

import (
	"testing"

	"recarga/internal/access"
	"recarga/internal/config"
)

// TestCallbackOfNobody: a callback URL is of no use where nobody has a key to place orders with.
func TestCallbackOfNobody(t *testing.T) {
	notified := config.Settings{CallbackURL: "https://shop.example/x"}
	shop, operator := notified, notified
	shop.APIKey, operator.AdminKey, operator.HTTPAddr = "shop-api-key", "operator-key", "127.0.0.1:0"
	for _, c := range []struct {
		r       Roles
		s       config.Settings
		refused bool
	}{{both, notified, true}, {Roles{API: true}, notified, true}, {Roles{Worker: true}, notified, false},
		{both, shop, false}, {both, operator, false}, {both, config.Settings{}, false}} {
		if err := c.r.Refuse(c.s); (err != nil) != c.refused {
			t.Errorf("%+v with keys %q and %q: %v", c.r, c.s.APIKey, c.s.AdminKey, err)
		}
	}
}

// TestWeakAdminKey: whoever guesses it decides what was charged. The process does not start where others reach it.
func TestWeakAdminKey(t *testing.T) {
	weak, strong := "dev-admin-key", access.NewKey()
	for _, c := range []struct {
		key, addr string
		allowed   bool
		roles     Roles
		refused   bool
	}{
		{weak, "127.0.0.1:8080", false, Roles{API: true}, false},
		{weak, "localhost:8080", false, Roles{API: true}, false},
		{weak, "[::1]:8080", false, Roles{API: true}, false},
		{weak, "0.0.0.0:8080", false, Roles{API: true}, true},
		{weak, ":8080", false, Roles{API: true, Worker: true}, true},
		{weak, "10.0.0.7:8080", false, Roles{API: true}, true},
		{weak, "shop.example:8080", false, Roles{API: true}, true},
		{weak, "0.0.0.0:8080", true, Roles{API: true}, false},
		{weak, "0.0.0.0:8080", false, Roles{Worker: true}, false},
		{strong, "0.0.0.0:8080", false, Roles{API: true}, false},
		{"", "0.0.0.0:8080", false, Roles{API: true}, false},
	} {
		err := c.roles.Refuse(config.Settings{AdminKey: c.key, HTTPAddr: c.addr, AdminKeyAllowWeak: c.allowed})
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
