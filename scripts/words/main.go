// Words finds retired words in names, comments, messages and documents, and says what to write instead: one word has
// one meaning here, and it is the word of the field. Run it from the module's root: go run ./scripts/words [PATH…]
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// files are those that the repository has of these kinds.
var kinds = []string{".go", ".md", ".sql", ".lua", ".html", ".yaml", ".yml", ".tmpl", ".css", ".js"}

var word = regexp.MustCompile(`[A-Z]+[a-z]*|[a-z]+`)

func main() {
	paths, err := listed(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(2)
	}
	found := 0
	for _, path := range paths {
		n, err := check(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "words:", err)
			os.Exit(2)
		}
		found += n
	}
	if found > 0 {
		fmt.Fprintf(os.Stderr, "%d retired words\n", found)
		os.Exit(1)
	}
}

func listed(under []string) (paths []string, err error) {
	out, err := exec.Command("git", append([]string{"ls-files", "--"}, under...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSuffix(path, "\n")
		generated := strings.HasPrefix(path, "docs/openapi") || strings.Contains(path, "/testdata/")
		asset := strings.Contains(path, "/assets/") && !strings.HasPrefix(path, "internal/console/pages")
		if slices.Contains(kinds, filepath.Ext(path)) && !generated && !asset {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

func check(path string) (found int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if excepted(path, line) {
			continue
		}
		for _, problem := range problems(line) {
			fmt.Printf("%s:%d: %s\n", path, number, problem)
			found++
		}
	}
	return found, lines.Err()
}

func excepted(path, line string) bool {
	for _, a := range allowed {
		if strings.HasPrefix(path, a.path) && a.line.MatchString(line) {
			return true
		}
	}
	return false
}

// problems are a line's retired words, each once.
func problems(line string) (list []string) {
	for _, w := range word.FindAllString(line, -1) {
		w = strings.ToLower(w)
		if instead, is := retired[w]; is {
			list = append(list, fmt.Sprintf("%q is retired; write %s", w, instead))
		}
	}
	for phrase, instead := range phrases {
		if found := phrase.FindString(line); found != "" {
			list = append(list, fmt.Sprintf("%q is retired; write %s", found, instead))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
