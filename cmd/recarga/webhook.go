package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"recarga/internal/command"
	"recarga/internal/config"
	"recarga/webhook"
)

func newWebhookCommand(p *command.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "webhook"}
	cmd.AddCommand(newWebhookListenCommand(p), newWebhookTriggerCommand(p), newWebhookRedeliverCommand(p),
		newWebhookPingCommand(p))
	return cmd
}

// secretFlag gives a command --secret.
func secretFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("secret", "",
		"whsec_…, the same on both sides (RECARGA_WEBHOOK_SECRET, or RECARGA_WEBHOOK_SECRET_FILE, which other users of "+
			"the machine do not see)")
}

// webhookSecret is the one of the flag, or that of the settings; empty where neither has one.
func webhookSecret(flag string, s config.Settings) (string, error) {
	secret := cmp.Or(flag, s.WebhookSecret)
	if secret == "" {
		return "", nil
	}
	if err := webhook.ParseSecret(secret); err != nil { // the settings' own has been checked
		return "", command.Usage(fmt.Errorf("--secret: %w", err))
	}
	return secret, nil
}

// checkURLFlag refuses what is no URL, without showing a password in it.
func checkURLFlag(name, value string) error {
	if config.WebURL(value) {
		return nil
	}
	if value == "" {
		return command.Usage(&config.SettingError{Setting: name, Allowed: config.AllowedURL})
	}
	return command.Usage(&config.SettingError{Setting: name, Source: "flag", Value: config.Setting{}.Shown(value),
		Allowed: config.AllowedURL})
}
