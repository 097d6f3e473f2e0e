package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"recarga/internal/doctor"
)

// source is one place where settings come from. get tells whether it has one.
type source struct {
	name string
	get  func(setting) (value string, ok bool, err error)
	// exposes says how others can read what get returns of a secret; empty where they cannot. Nil: never.
	exposes func(setting) string
}

// settingFlag marks a flag that gives a setting: --callback-url of an order is not the one of the settings.
const settingFlag = "setting"

// flagSource are the settings given as flags.
func flagSource(flags *pflag.FlagSet) source {
	return source{name: "flag", get: func(row setting) (string, bool, error) {
		f := flags.Lookup(row.flag())
		if f == nil || !f.Changed || f.Annotations[settingFlag] == nil {
			return "", false, nil
		}
		return f.Value.String(), true, nil
	}, exposes: func(row setting) string {
		return fmt.Sprintf("%s is given as the flag --%s, and every user of this machine sees it in the list of processes",
			row.env(), row.flag())
	}}
}

// environment are the RECARGA_ variables. An empty one is not set.
func environment(getenv func(string) string) source {
	return orFromFile("environment", setting.env, "_FILE", func(name string) (string, bool) {
		value := getenv(name)
		return value, value != ""
	})
}

// orFromFile is a source that has settings by the names that nameOf gives them. A secret may also be
// in a file, whose path the source has by the name with the suffix; its last line break is no part of it.
func orFromFile(from string, nameOf func(setting) string, suffix string, lookup func(name string) (string, bool)) source {
	return source{name: from, get: func(row setting) (string, bool, error) {
		name := nameOf(row)
		value, given := lookup(name)
		path, inFile := lookup(name + suffix)
		switch {
		case !row.secret || !inFile:
			return value, given, nil
		case given:
			return "", false, fmt.Errorf("%s and %s are both set (from %s); must be one of them", name, name+suffix, from)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", false, fmt.Errorf("%s (from %s): %w", name+suffix, from, err)
		}
		return strings.TrimRight(string(data), "\r\n"), true, nil
	}, exposes: func(row setting) string {
		name := nameOf(row)
		if path, inFile := lookup(name + suffix); inFile && doctor.OthersCanRead(path) {
			return fmt.Sprintf("%s names %s, which others can read", name+suffix, path)
		}
		return ""
	}}
}

// configFile reads a YAML file whose keys are the settings' lower-case names. Without a path it has
// nothing.
func configFile(path string) (source, error) {
	nothing := source{name: path, get: func(setting) (string, bool, error) { return "", false, nil }}
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
	file := orFromFile(path, setting.key, "_file", get)
	inFile := file.exposes
	file.exposes = func(row setting) string {
		if _, here := get(row.key()); here && doctor.OthersCanRead(path) {
			return fmt.Sprintf("%s is in %s, which others can read", row.key(), path)
		}
		return inFile(row)
	}
	return file, checkKeys(path, values)
}

func checkKeys(path string, values map[string]yaml.Node) error {
	names := settingNames(setting.key, "_file")
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

// configVariable names the settings' file where --config is not given.
const configVariable = envPrefix + "CONFIG"

// injected are the variables that Kubernetes sets by itself for a service named recarga or recarga-…, and Docker for a
// link: their names, and the values that they have. They must not keep the program from starting. One of such a name
// with another value was set by a person, who means something by it.
var injected = []struct{ name, value *regexp.Regexp }{
	{regexp.MustCompile(`^RECARGA_(.+_)?SERVICE_HOST$`), anIP},
	{regexp.MustCompile(`^RECARGA_(.+_)?SERVICE_PORT(_.+)?$`), aPort},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT(_\d+_(TCP|UDP|SCTP)(_START|_END)?)?$`), regexp.MustCompile(`^(tcp|udp|sctp)://\S+:\d+$`)},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_PROTO$`), regexp.MustCompile(`^(tcp|udp|sctp)$`)},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_PORT(_START|_END)?$`), aPort},
	{regexp.MustCompile(`^RECARGA_(.+_)?PORT_\d+_(TCP|UDP|SCTP)_ADDR$`), anIP},
}

var (
	aPort = regexp.MustCompile(`^\d+$`)
	anIP  = regexp.MustCompile(`^[0-9a-fA-F.:]+$`)
)

// isInjected also tells whether only the name is such a one.
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

// unknownVariables refuses RECARGA_ variables that are no setting: most are typing mistakes.
func unknownVariables(environ []string) error {
	names, links := settingNames(setting.env, "_FILE"), linked(environ)
	var errs []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(names, name) || name == configVariable ||
			strings.HasPrefix(name, envPrefix+"TEST_") ||
			slices.ContainsFunc(links, func(prefix string) bool { return strings.HasPrefix(entry, prefix) }) {
			continue
		}
		meant := nearest(name, names)
		switch ok, byName := isInjected(name, value); {
		case ok:
			continue
		case byName:
			meant = envPrefix + "HTTP_ADDR"
		}
		errs = append(errs, fmt.Errorf("%s (from environment) is no setting; did you mean %s?", name, meant))
	}
	return errors.Join(errs...)
}

// settingNames are all names that a source may have.
func settingNames(nameOf func(setting) string, suffix string) (names []string) {
	for _, row := range settingsTable(new(Settings)) {
		names = append(names, nameOf(row))
		if row.secret {
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
