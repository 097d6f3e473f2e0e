package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/producer"
)

// Callers writes a table of callers, a line for each of their endpoints.
func Callers(s terminal.Screen, all ...producer.Caller) error {
	var rows [][]string
	for _, c := range all {
		facts := []string{c.Name, fmt.Sprint(c.Version), enabled(c.DisabledAt), keysOf(c), limitsOf(c)}
		if len(c.Endpoints) == 0 {
			rows = append(rows, append(facts, "-", "-", "-", "-", "-"))
		}
		for _, e := range c.Endpoints {
			rows = append(rows, append(slices.Clone(facts), e.Name, e.URL, typesOf(e),
				cmp.Or(strings.Join(e.HeaderNames, ", "), "-"), healthOf(e)))
		}
	}
	head := []string{"NAME", "VERSION", "STATE", "KEYS", "LIMITS", "ENDPOINT", "URL", "EVENTS", "HEADERS", "HEALTH"}
	return s.Table(head, rows)
}

// keysOf names a caller's keys by their last characters.
func keysOf(c producer.Caller) string {
	var keys []string
	for _, k := range c.Keys {
		text := "…" + k.Hint
		if k.ExpiresAt != nil {
			text += " until " + story.Clock(*k.ExpiresAt)
		}
		keys = append(keys, text)
	}
	return cmp.Or(strings.Join(keys, ", "), "-")
}

func limitsOf(c producer.Caller) string {
	var limits []string
	if c.IDPrefix != nil {
		limits = append(limits, "ids "+*c.IDPrefix+"…")
	}
	if c.MaxOpen != nil {
		limits = append(limits, fmt.Sprintf("%d open", *c.MaxOpen))
	}
	if c.MaxRate != nil {
		limits = append(limits, *c.MaxRate)
	}
	return cmp.Or(strings.Join(limits, ", "), "-")
}

func typesOf(e producer.Endpoint) string {
	if len(e.EventTypes) == 0 {
		return "all"
	}
	var types []string
	for _, t := range e.EventTypes {
		types = append(types, string(t))
	}
	return strings.Join(types, ",")
}

func healthOf(e producer.Endpoint) string {
	switch {
	case e.DisabledAt != nil && e.Reason != nil:
		return "disabled since " + story.Clock(*e.DisabledAt) + ": " + *e.Reason
	case e.FailingSince != nil:
		return "failing since " + story.Clock(*e.FailingSince)
	}
	return "good"
}

// Operators writes a table of operators.
func Operators(s terminal.Screen, all ...producer.Operator) error {
	var rows [][]string
	for _, o := range all {
		rows = append(rows, []string{
			o.Name, fmt.Sprint(o.Version), o.Role, enabled(o.DisabledAt),
			until(o.ExpiresAt), until(o.FormerKeyUntil),
		})
	}
	return s.Table([]string{"NAME", "VERSION", "ROLE", "STATE", "EXPIRES", "FORMER KEY UNTIL"}, rows)
}

func until(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return story.Clock(*at)
}

func enabled(disabledAt *time.Time) string {
	if disabledAt == nil {
		return "enabled"
	}
	return "disabled since " + story.Clock(*disabledAt)
}
