package openapi

import (
	"testing"

	"recarga/internal/access"
)

// TestTextsAreOfOperations: a text that nothing shows would be kept right for nobody. That every operation has one,
// each start finds.
func TestTextsAreOfOperations(t *testing.T) {
	for id, text := range texts.Operations {
		if _, known := access.Of(id); !known || text.Text == "" {
			t.Errorf("%s: an operation: %t, its text: %q", id, known, text.Text)
		}
	}
}
