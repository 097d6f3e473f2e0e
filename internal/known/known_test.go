package known_test

import (
	"errors"
	"testing"

	"recarga/internal/known"
)

func TestFigure(t *testing.T) {
	for name, tt := range map[string]struct {
		figure known.Figure[bool]
		read   bool
		why    string
	}{
		"read":     {known.Of(false, nil), true, ""},
		"not read": {known.Of(true, errors.New("Redis does not answer")), false, "Redis does not answer"},
		"zero":     {known.Figure[bool]{}, false, "it was not read"},
	} {
		got := tt.figure.Read()
		if (got != nil) != tt.read || got != nil && *got || tt.figure.Why() != tt.why {
			t.Errorf("%s: %v, %q", name, got, tt.figure.Why())
		}
	}
}
