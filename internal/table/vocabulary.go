package table

import (
	_ "embed" // the vocabulary

	"go.yaml.in/yaml/v3"
)

//go:embed vocabulary.yaml
var vocabularyFile []byte

// vocabulary has the words by what they mean.
var vocabulary = func() (words map[string][]string) {
	if err := yaml.Unmarshal(vocabularyFile, &words); err != nil {
		panic(err) // a mistake in this program, which every start finds
	}
	return words
}()

// Words are what tables call something, as vocabulary.yaml has it; of headers the surest comes first. It panics where
// the file has no such words: a mistake in this program.
func Words(meaning string) []string {
	words, known := vocabulary[meaning]
	if !known {
		panic("no words for " + meaning)
	}
	return words
}
