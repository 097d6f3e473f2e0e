package queue

import (
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Refused reports whether Redis would not run a command for us, whatever its arguments: this user may not, or the
// server, or a proxy before it, does not know it or knows it by another name. Others go on to work.
func Refused(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && slices.ContainsFunc([]string{
		"NOPERM", "unknown command", "unknown subcommand", "can't run this command", "Unknown Redis command",
		"not allowed", "not permitted", "not supported", "not available", "disabled",
	}, func(text string) bool { return strings.Contains(strings.ToLower(reply.Error()), strings.ToLower(text)) })
}
