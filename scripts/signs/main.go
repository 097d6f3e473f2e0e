// Signs writes the parts of the documents that follow from the code or from a measurement.
//
// README's "Where things are" follows from the first sentences of the packages, the table of docs/architecture.md from
// the rules of .golangci.yml, and the speed tables from docs/bench.json. Run it from the module's root:
// go run ./scripts/signs
package main

//go:generate go run . ../..

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := write(root); err != nil {
		fmt.Fprintln(os.Stderr, "signs:", err)
		os.Exit(1)
	}
}

// write makes every document anew that is not as it must be.
func write(root string) error {
	documents, err := documents(root)
	if err != nil {
		return err
	}
	for path, text := range documents {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// documents have all that follows from elsewhere, by path from the root.
func documents(root string) (map[string]string, error) {
	rooms, err := readRooms(root)
	if err != nil {
		return nil, err
	}
	rules, err := readRules(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(root, "docs", "bench.json"))
	if err != nil {
		return nil, err
	}
	var bench report
	if err := json.Unmarshal(raw, &bench); err != nil {
		return nil, fmt.Errorf("docs/bench.json: %w", err)
	}
	english, spanish := bench.short(inEnglish), bench.short(inSpanish)
	parts := map[string]map[string]string{
		"README.md":            {"rooms": where(rooms), "speed": english},
		"README.es.md":         {"speed": spanish},
		"docs/architecture.md": {"imports": imports(rooms, rules)},
		"docs/deploy.md":       {"million": bench.perMillion()},
		"docs/performance.md":  {"results": bench.long(), "goals": bench.reached()},
	}
	made := map[string]string{}
	for path, named := range parts {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		made[path] = string(text)
		for name, part := range named {
			if made[path], err = replace(made[path], name, part); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return made, nil
}

// replace puts a part between its two marks, which are comments of Markdown.
func replace(text, name, part string) (string, error) {
	between := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^>]*-->\n).*?(<!-- end of ` + name + ` -->)`)
	if len(between.FindAllString(text, -1)) != 1 {
		return "", errors.New("the marks of " + name + " must stand there once")
	}
	return between.ReplaceAllStringFunc(text, func(found string) string {
		marks := between.FindStringSubmatch(found)
		return marks[1] + strings.TrimRight(part, "\n") + "\n" + marks[2]
	}), nil
}
