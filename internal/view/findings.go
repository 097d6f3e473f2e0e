package view

import (
	"fmt"
	"io"
	"strings"

	"recarga/internal/doctor"
	"recarga/internal/terminal"
)

// Findings writes a line for each, with its fix below it.
func Findings(s terminal.Screen, found []doctor.Finding) error {
	names := make([]doctor.Check, len(found))
	for i, f := range found {
		names[i].Name = f.Check
	}
	for _, f := range found {
		if err := Finding(s, f, names...); err != nil {
			return err
		}
	}
	return nil
}

// Finding writes one of those that these checks may have.
func Finding(s terminal.Screen, f doctor.Finding, of ...doctor.Check) error {
	const fixAt = len("fail") + 2
	widest := 0
	for _, c := range of {
		widest = max(widest, len(c.Name))
	}
	var b strings.Builder
	status := string(f.Status)
	fmt.Fprintf(&b, "%s  %-*s  %s\n", s.Coloured(status, fmt.Sprintf("%-4s", status)), widest, f.Check,
		s.Hanging(terminal.Printable(f.Found), fixAt+widest+2))
	if f.Fix != "" {
		fmt.Fprintf(&b, "%*s→ %s\n", fixAt, "", s.Hanging(terminal.Printable(f.Fix), fixAt+2))
	}
	_, err := io.WriteString(s, b.String())
	return err
}
