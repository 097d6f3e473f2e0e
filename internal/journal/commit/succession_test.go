package commit

import "testing"

// TestSuccession: a former primary that was started again takes writes, and is not taken for the one that succeeded it.
func TestSuccession(t *testing.T) {
	now := identity{started: "10:00", system: "7", timeline: "00000003"}
	for name, c := range map[string]struct {
		other identity
		want  bool
	}{
		"the same by another name": {now, false},
		"promoted since":           {identity{"09:00", "7", "00000004"}, true},
		"a former primary, again":  {identity{"11:00", "7", "00000002"}, false},
		"of the same history":      {identity{"11:00", "7", "00000003"}, false},
		"one that does not say":    {identity{started: "09:00"}, true},
	} {
		if got := c.other.succeeds(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
