package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"recarga/internal/command"
)

// headerFlags gives a command that sets an endpoint the flags of its own headers, and returns what reads them: nil
// where none is given, so that those that the endpoint has stay.
func headerFlags(cmd *cobra.Command) func() (map[string]string, error) {
	given := cmd.Flags().StringArray("header", nil, "a header of its own, as in 'X-Api-Key: KEY'; may be repeated")
	file := cmd.Flags().String("header-file", "",
		"a file of such headers, one a line, which other users of the machine do not see; an empty one takes all away")
	return func() (map[string]string, error) {
		lines := *given
		if *file != "" {
			text, err := os.ReadFile(*file)
			if err != nil {
				return nil, command.Usage(fmt.Errorf("--header-file: %w", err))
			}
			lines = append(lines, strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")...)
		} else if len(lines) == 0 {
			return nil, nil
		}
		headers := map[string]string{}
		for _, line := range lines {
			name, value, found := strings.Cut(line, ":")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			_, twice := headers[name]
			switch {
			case strings.TrimSpace(line) == "":
				continue
			case !found || name == "" || twice:
				return nil, command.Usage(fmt.Errorf("a header named %q; must be NAME: VALUE, each name once", name))
			}
			headers[name] = value
		}
		return headers, nil
	}
}
