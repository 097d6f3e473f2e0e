package e2e

import (
	"slices"
	"strings"
	"testing"

	"recarga/internal/testkit"
)

// TestManagedRedis leads a whole life on a Redis as makers of hosted ones offer it, which forbids every command that
// describes the server: by the rights of its user; or by other names, together with an unknown HELLO, as behind a
// proxy. What cannot be known is said, and nothing fails for it.
func TestManagedRedis(t *testing.T) {
	testkit.Deep(t)
	t.Parallel()
	hidden := []string{"config", "info", "client", "memory", "script", "time"}
	for name, start := range map[string]func() string{
		"by rights": func() string {
			rules := []string{"~asynq:*", "~recarga:*", "&asynq:*", "&recarga:*", "+@all"}
			for _, command := range hidden {
				rules = append(rules, "-"+command)
			}
			return testkit.Redis(t).User(t, rules...)
		},
		"by other names": func() string {
			args := []string{"--requirepass", "secret"}
			for _, command := range append(slices.Clone(hidden), "hello") {
				args = append(args, "--rename-command", command, "")
			}
			return "redis://:secret@" + testkit.Redis(t, args...).Addr() + "/0"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.env["RECARGA_REDIS_URL"], w.env["RECARGA_DISTRIBUTOR_RATE"] = start(), "100/s"
			found := w.lead(t)
			for _, line := range found {
				if strings.HasPrefix(line, "fail") {
					t.Errorf("doctor: %s", line)
				}
			}
			for _, unknown := range []string{"version", "eviction", "memory", "persistence", "clock"} {
				if !slices.ContainsFunc(found, func(line string) bool {
					return strings.HasPrefix(line, "warn  redis "+unknown) && strings.Contains(line, "not known")
				}) {
					t.Errorf("doctor does not say that the %s of Redis is not known:\n%s", unknown, strings.Join(found, "\n"))
				}
			}
		})
	}
}
