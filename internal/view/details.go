package view

import (
	"fmt"
	"maps"
	"slices"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/topup"
)

// Details shows an order's life: what it is, each attempt, each event with its tries.
func Details(s terminal.Screen, d topup.Details) error {
	if err := Orders(s, d.Order); err != nil {
		return err
	}
	priority := ""
	if d.Priority != topup.PriorityNormal {
		priority = string(d.Priority)
	}
	facts := [][2]string{{"caller", d.Caller}}
	for _, name := range slices.Sorted(maps.Keys(d.Metadata)) {
		facts = append(facts, [2]string{"metadata " + name, d.Metadata[name]})
	}
	for _, fact := range append(facts, [][2]string{
		{"priority", priority}, {"message", string(d.ResponseMessage)}, {"transaction", string(d.TransactionID)},
		{"reference", string(d.Reference)}, {"auth code", string(d.AuthCode)},
	}...) {
		if fact[1] != "" {
			if _, err := fmt.Fprintf(s, "%s: %s\n", terminal.Printable(fact[0]), terminal.Printable(fact[1])); err != nil {
				return err
			}
		}
	}
	if err := conclusion(s, d.Conclusion); err != nil {
		return err
	}
	return life(s, story.Of(d))
}

// conclusion shows what the evidence says of an order that is unknown; nil: nothing.
func conclusion(s terminal.Screen, c *topup.Conclusion) error {
	if c == nil {
		return nil
	}
	lines := "conclusion: " + c.Call.Words() + "\n"
	for _, reason := range c.Reasons {
		lines += "  - " + terminal.Printable(reason) + "\n"
	}
	_, err := fmt.Fprint(s, lines)
	return err
}

func life(s terminal.Screen, steps []story.Step) error {
	var rows [][]string
	for _, step := range steps {
		text := step.Text
		if step.Took > 0 {
			text += fmt.Sprintf(" in %d ms", step.Took.Milliseconds())
		}
		rows = append(rows, []string{story.Clock(step.At), step.Title, text})
		for _, line := range step.Lines {
			rows = append(rows, []string{"", "", line})
		}
	}
	if _, err := fmt.Fprintln(s); err != nil {
		return err
	}
	return s.Table([]string{"TIME", "WHAT", "RESULT"}, rows)
}
