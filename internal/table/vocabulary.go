package table

import (
	_ "embed" // the vocabulary

	"recarga/internal/yamlfile"
)

//go:embed vocabulary.yaml
var vocabularyFile []byte

// vocabulary has the words by what they mean.
var vocabulary = yamlfile.Read[map[string][]string](vocabularyFile)

// Words are what tables call something, as vocabulary.yaml has it; of headers the surest comes first. It panics where
// the file has no such words: a mistake in this program.
func Words(meaning string) []string {
	words, known := vocabulary[meaning]
	if !known {
		panic("no words for " + meaning)
	}
	return words
}
