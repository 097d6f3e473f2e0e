package view

import (
	"cmp"
	"fmt"

	"recarga/internal/story"
	"recarga/internal/terminal"
	"recarga/topup/desk"
)

// Acts shows what people and programs did.
func Acts(s terminal.Screen, all ...desk.Act) error {
	var rows [][]string
	for _, a := range all {
		on := cmp.Or(string(a.On), "-")
		if a.Count > 1 {
			on = fmt.Sprintf("%d, as %s", a.Count, on)
		}
		rows = append(rows, []string{
			story.Clock(a.At), a.By, a.Role, a.Action, cmp.Or(string(a.Detail), "-"), on, cmp.Or(string(a.Reason), "-"),
			a.Via, cmp.Or(string(a.Address), "-"),
		})
	}
	return s.Table([]string{"AT", "BY", "ROLE", "ACTION", "DETAIL", "ON", "WHY", "VIA", "FROM"}, rows, "FROM", "VIA",
		"ROLE")
}

// Controls shows pauses and limits.
func Controls(s terminal.Screen, all ...desk.ControlStanding) error {
	var rows [][]string
	for _, c := range all {
		value := "paused"
		if c.Kind.IsLimit() {
			value = string(c.Value)
		}
		rows = append(rows, []string{
			string(c.Kind), cmp.Or(string(c.Name), "-"), value, story.Clock(c.Since), c.By, string(c.Reason),
			fmt.Sprint(c.Waiting), until(c.FirstEnds),
		})
	}
	return s.Table([]string{"KIND", "NAME", "IS", "SINCE", "BY", "WHY", "WAITING", "FIRST ENDS"}, rows)
}
