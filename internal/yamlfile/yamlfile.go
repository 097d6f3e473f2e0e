// Package yamlfile reads YAML files that are part of the program: texts and words, kept apart from the code that uses
// them.
package yamlfile

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Read is what a file holds. It panics where that is no YAML of a T, or has a field that T does not: a mistake in this
// program, which every start finds.
func Read[T any](file []byte) (content T) {
	d := yaml.NewDecoder(bytes.NewReader(file))
	d.KnownFields(true)
	if err := d.Decode(&content); err != nil {
		panic(err)
	}
	return content
}
