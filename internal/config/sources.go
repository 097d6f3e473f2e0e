package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"recarga/internal/exposure"
)

// Source is one place where settings come from. get reports whether it has a setting.
type Source struct {
	name string
	get  func(Setting) (value string, ok bool, err error)
	// exposes says how others can read what get returns of a secret; empty where they cannot. Nil: never.
	exposes func(Setting) string
}

// flagMark marks a flag that gives a setting: --callback-url of an order is not the one of the settings.
const flagMark = "setting"

// AddFlags gives a command a flag for each of the named settings; none named means all but those of the client.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, row := range Table(new(Settings)) {
		if len(names) == 0 && row.Name == "API_URL" || len(names) > 0 && !slices.Contains(names, row.Name) {
			continue
		}
		flags.String(row.Flag(), row.Default, fmt.Sprintf("%s (%s)", row.Help, row.Env()))
		f := flags.Lookup(row.Flag())
		f.Annotations = map[string][]string{flagMark: {row.Env()}}
		if row.Choice {
			f.NoOptDefVal = "true"
		}
	}
	flags.SortFlags = false
}

// Read takes each setting from the flags, the environment (NAME=value) or the file of settings that the flag config or
// RECARGA_CONFIG names, in that order, or its default. The error joins all mistakes, a line each.
func Read(flags *pflag.FlagSet, environ []string, required Required) (Settings, error) {
	path, err := flags.GetString("config")
	if err != nil {
		return Settings{}, err
	}
	getenv := func(name string) string { return Getenv(environ, name) }
	file, fileErr := configFile(cmp.Or(path, getenv(FileVariable)))
	s, err := Load(required, flagSource(flags), Environment(getenv), file)
	return s, errors.Join(checkEnvironment(environ), fileErr, err)
}

// Origin is where a setting comes from, as its source calls it: a flag, a variable, or a key of the file of settings.
// Empty: none of them has it.
func Origin(flags *pflag.FlagSet, environ []string, name string) string {
	table := Table(new(Settings))
	row := table[slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })]
	if f := flags.Lookup(row.Flag()); f != nil && f.Changed {
		return "--" + row.Flag()
	}
	for _, variable := range []string{row.Env(), row.Env() + "_FILE"} {
		if Getenv(environ, variable) != "" {
			return variable
		}
	}
	path, _ := flags.GetString("config") // "" where there is no such flag
	path = cmp.Or(path, Getenv(environ, FileVariable))
	if file, err := configFile(path); err == nil {
		if _, ok, _ := file.get(row); ok {
			return row.Key() + " in " + path
		}
	}
	return ""
}

// Getenv is the value that an environment gives a name; empty where it gives none.
func Getenv(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// flagSource are the settings given as flags.
func flagSource(flags *pflag.FlagSet) Source {
	return Source{name: "flag", get: func(row Setting) (string, bool, error) {
		f := flags.Lookup(row.Flag())
		if f == nil || !f.Changed || f.Annotations[flagMark] == nil {
			return "", false, nil
		}
		return f.Value.String(), true, nil
	}, exposes: func(row Setting) string {
		return fmt.Sprintf("%s is given as the flag --%s, and every user of this machine sees it in the list of processes",
			row.Env(), row.Flag())
	}}
}

// Environment are the RECARGA_ variables. An empty one is not set.
func Environment(getenv func(string) string) Source {
	return orFromFile("environment", Setting.Env, "_FILE", func(name string) (string, bool) {
		value := getenv(name)
		return value, value != ""
	})
}

// orFromFile is a source that has settings by the names that nameOf gives them. A secret may also be
// in a file, whose path the source has by the name with the suffix; its last line break is no part of it.
func orFromFile(
	from string, nameOf func(Setting) string, suffix string, lookup func(name string) (string, bool),
) Source {
	return Source{name: from, get: func(row Setting) (string, bool, error) {
		name := nameOf(row)
		value, given := lookup(name)
		path, inFile := lookup(name + suffix)
		switch {
		case !row.Secret || !inFile:
			return value, given, nil
		case given:
			return "", false, fmt.Errorf("%s and %s are both set (from %s); must be one of them", name, name+suffix, from)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", false, fmt.Errorf("%s (from %s): %w", name+suffix, from, err)
		}
		return strings.TrimRight(string(data), "\r\n"), true, nil
	}, exposes: func(row Setting) string {
		name := nameOf(row)
		if path, inFile := lookup(name + suffix); inFile && exposure.OthersCanRead(path) {
			return fmt.Sprintf("%s names %s, which others can read", name+suffix, path)
		}
		return ""
	}}
}

// configFile reads a YAML file whose keys are the settings' lower-case names. Without a path it has
// nothing.
func configFile(path string) (Source, error) {
	nothing := Source{name: path, get: func(Setting) (string, bool, error) { return "", false, nil }}
	if path == "" {
		return nothing, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nothing, fmt.Errorf("--config: %w", err)
	}
	// Nodes keep a value as it is written: 0123 and 1.50 are texts here, and no numbers.
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nothing, fmt.Errorf("--config %s: %w", path, err)
	}
	get := func(name string) (string, bool) {
		value, ok := values[name]
		return value.Value, ok && value.Tag != "!!null"
	}
	file := orFromFile(path, Setting.Key, "_file", get)
	inFile := file.exposes
	file.exposes = func(row Setting) string {
		if _, here := get(row.Key()); here && exposure.OthersCanRead(path) {
			return fmt.Sprintf("%s is in %s, which others can read", row.Key(), path)
		}
		return inFile(row)
	}
	return file, checkKeys(path, values)
}

func checkKeys(path string, values map[string]yaml.Node) error {
	names := settingNames(Setting.Key, "_file")
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, key) {
			errs = append(errs, fmt.Errorf("%q (from %s) is no setting; did you mean %s?", key, path, nearest(key, names)))
		} else if values[key].Kind != yaml.ScalarNode {
			errs = append(errs, fmt.Errorf("%s (from %s) is a list or a map; must be one text", key, path))
		}
	}
	return errors.Join(errs...)
}

// FileVariable names the settings' file where --config is not given.
const FileVariable = Prefix + "CONFIG"

// injected are the variables that Kubernetes sets by itself for a service named recarga or recarga-…, and Docker for
// a
// link: their names, and the values that they have. They must not keep the program from starting. One of such a name
// with another value was set by a person, who means something by it.
var injected = []struct{ name, value *regexp.Regexp }{
	{regexp.MustCompile(`^RECARGA_(.+_)?SERVICE_HOST$`), anIP},
	{regexp.MustCompile(`^RECARGA_(.+_)?SERVICE_PORT(_.+)?$`), aPort},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT(_\d+_(TCP|UDP|SCTP)(_START|_END)?)?$`),
		regexp.MustCompile(`^(tcp|udp|sctp)://\S+:\d+$`)},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_PROTO$`), regexp.MustCompile(`^(tcp|udp|sctp)$`)},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_PORT(_START|_END)?$`), aPort},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_ADDR$`), anIP},
}

var (
	aPort = regexp.MustCompile(`^\d+$`)
	anIP  = regexp.MustCompile(`^[0-9a-fA-F.:]+$`)
)

// isInjected also reports whether only the name is such a one.
func isInjected(name, value string) (ok, byName bool) {
	for _, known := range injected {
		if known.name.MatchString(name) {
			ok, byName = ok || known.value.MatchString(value), true
		}
	}
	return ok, byName
}

// dockerLink is what Docker sets for a link: the containers' names, and with them the environment of the other one.
var dockerLink = regexp.MustCompile(`^(RECARGA_(?:.+_)?)NAME=/[^/]+/[^/]+$`)

func linked(environ []string) (prefixes []string) {
	for _, entry := range environ {
		if found := dockerLink.FindStringSubmatch(entry); found != nil {
			prefixes = append(prefixes, found[1]+"NAME=", found[1]+"ENV_")
		}
	}
	return prefixes
}

// checkEnvironment refuses RECARGA_ variables that are no setting: most are typing mistakes.
func checkEnvironment(environ []string) error {
	names, links := settingNames(Setting.Env, "_FILE"), linked(environ)
	var errs []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) || slices.Contains(names, name) || name == FileVariable ||
			strings.HasPrefix(name, Prefix+"TEST_") ||
			slices.ContainsFunc(links, func(prefix string) bool { return strings.HasPrefix(entry, prefix) }) {
			continue
		}
		meant := nearest(name, names)
		switch ok, byName := isInjected(name, value); {
		case ok:
			continue
		case byName:
			meant = Prefix + "HTTP_ADDR"
		}
		errs = append(errs, fmt.Errorf("%s (from environment) is no setting; did you mean %s?", name, meant))
	}
	return errors.Join(errs...)
}

// settingNames are all names that a source may have.
func settingNames(nameOf func(Setting) string, suffix string) (names []string) {
	for _, row := range Table(new(Settings)) {
		names = append(names, nameOf(row))
		if row.Secret {
			names = append(names, nameOf(row)+suffix)
		}
	}
	return names
}

// nearest is the name that differs least.
func nearest(name string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is Levenshtein's: how many letters must be put in, taken out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
