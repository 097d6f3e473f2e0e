package table

import (
	"slices"
	"testing"
)

// TestVocabulary holds every word against what it is compared with: a word that Plain would change is never found.
func TestVocabulary(t *testing.T) {
	asWritten := []string{"0", "1", "00", "-"} // compared as they are: see statement.Word
	for meaning, words := range vocabulary {
		if len(words) == 0 {
			t.Errorf("%s: no words", meaning)
		}
		for i, word := range words {
			if Plain(word) != word && !slices.Contains(asWritten, word) {
				t.Errorf("%s: %q is compared as %q, so that it is never found", meaning, word, Plain(word))
			}
			if slices.Contains(words[:i], word) {
				t.Errorf("%s: %q stands there twice", meaning, word)
			}
		}
	}
}

func TestWordsOfNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("words that there are not must end the program: else the column would never be found")
		}
	}()
	Words("no such thing")
}
