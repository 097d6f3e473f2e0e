package csvsafe_test

import (
	"testing"

	"recarga/internal/csvsafe"
)

func TestHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "ORD-1": "ORD-1", "Recarga aprobada": "Recarga aprobada", "10.50": "10.50",
		"=1+1": "'=1+1", "+5215537686660": "'+5215537686660", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1",
		"＝1": "'＝1", "＠x": "'＠x", "\xff=1": "\xff=1",
	} {
		if got := csvsafe.Harmless(cell); got != want {
			t.Errorf("Harmless(%q) = %q, want %q", cell, got, want)
		}
	}
}
