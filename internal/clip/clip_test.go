package clip_test

import (
	"testing"

	"recarga/internal/clip"
)

func TestClip(t *testing.T) {
	for _, c := range []struct{ s, to, marked, characters string }{
		{"", "", "", ""},
		{"abcd", "abcd", "abcd", "abcd"},
		{"abcde", "abcd", "abcd…", "abcd"},
		{"abcñ", "abc", "abc…", "abcñ"},
		{"ñañaña", "ña", "ña…", "ñaña"},
		{"a\xffb", "ab", "a\xffb", "a\xffb"},
		{"\xffabcde", "abc", "abc…", "\xffabc"},
	} {
		if got := clip.To(c.s, 4); got != c.to {
			t.Errorf("To(%q): %q, want %q", c.s, got, c.to)
		}
		if got := clip.Marked(c.s, 4); got != c.marked {
			t.Errorf("Marked(%q): %q, want %q", c.s, got, c.marked)
		}
		if got := clip.Characters(c.s, 4); got != c.characters {
			t.Errorf("Characters(%q): %q, want %q", c.s, got, c.characters)
		}
	}
}
