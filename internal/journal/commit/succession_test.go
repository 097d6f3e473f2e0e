package commit

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
)

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

// TestAdmitted: of one system, no server is used that has a lower timeline than one that was seen, and that is said once
// for each that was promoted after it.
func TestAdmitted(t *testing.T) {
	var said []string
	cfg, err := pgx.ParseConfig("postgres://a,b/recarga?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	h := newHosts(cfg, func(r Risk) { said = append(said, r.Text) })
	for i, c := range []struct {
		place   int
		server  identity
		refused bool
		says    int // in all
	}{
		{0, identity{"09:00", "7", "00000009"}, false, 0},
		{1, identity{"10:00", "7", "0000000A"}, false, 0},
		{0, identity{"11:00", "7", "00000009"}, true, 1},
		{0, identity{"11:00", "7", "00000009"}, true, 1},
		{1, identity{"10:00", "7", "0000000A"}, false, 1},
		{0, identity{"12:00", "8", "00000001"}, false, 1}, // of another system
		{0, identity{"13:00", "", ""}, false, 1},          // it does not say
		{0, identity{"14:00", "7", "0000000B"}, false, 1}, // promoted in its turn
		{1, identity{"15:00", "7", "0000000A"}, true, 2},
	} {
		err := h.admit(c.place, c.server)
		var former *FormerPrimaryError
		if errors.As(err, &former) != c.refused || len(said) != c.says || h.outdated(c.server) != c.refused {
			t.Errorf("%d: %v, said %q", i, err, said)
		}
	}
	if want := "a:5432"; len(said) > 0 && said[0][:len(want)] != want {
		t.Errorf("says %q", said[0])
	}
}
