package app

import (
	"errors"
	"fmt"

	"recarga/internal/access"
	"recarga/internal/config"
	"recarga/internal/exposure"
)

// workerRole is the name of the role that buys.
const workerRole = "worker"

// Roles says what a process does.
type Roles struct {
	API    bool // it accepts orders
	Worker bool // it buys them and delivers webhooks
}

func (r Roles) names() (names []string) {
	if r.API {
		names = append(names, "api")
	}
	if r.Worker {
		names = append(names, workerRole)
	}
	return names
}

// Refuse returns a mistake in the settings for these roles. A worker needs no keys, as it has no API.
func (r Roles) Refuse(s config.Settings) error {
	if r.API && s.CallbackURL != "" && s.APIKey == "" && s.AdminKey == "" {
		return errors.New("RECARGA_CALLBACK_URL is set, and neither RECARGA_API_KEY nor RECARGA_ADMIN_KEY; must come with " +
			"one of them: without a key nobody can place the orders whose webhooks go there")
	}
	if why := access.Weak(s.AdminKey); r.API && s.AdminKey != "" && why != "" && !s.AdminKeyAllowWeak &&
		!exposure.OnLoopback(s.HTTPAddr) {
		return fmt.Errorf("RECARGA_ADMIN_KEY is \"(hidden)\", which %s; must be a key that nobody can guess, as recarga "+
			"key makes one, "+
			"since RECARGA_HTTP_ADDR is %q, or RECARGA_ADMIN_KEY_ALLOW_WEAK true", why, s.HTTPAddr)
	}
	return nil
}
