// Package clip shortens texts from elsewhere, between two characters.
package clip

import (
	"strings"
)

// To is the beginning of a text, of at most so many bytes. What is not UTF-8 is left out.
func To(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// Marked is To with … at the end of what was cut. A text that is short enough stays as it is.
func Marked(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return To(s, most) + "…"
}

// Characters is the beginning of a text, of at most so many characters.
func Characters(s string, most int) string {
	for i := range s {
		if most--; most < 0 {
			return s[:i]
		}
	}
	return s
}
