package journal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"recarga/internal/access"
)

func testOperators(t *testing.T, s store) {
	ana, luis := operator("ana"), operator("luis")
	luis.Role = access.Viewer
	for _, o := range []access.Account{luis, ana} {
		must(t, s.AddOperator(t.Context(), o))
	}
	if err := s.AddOperator(t.Context(), operator("ana")); kind(err) != "conflict" {
		t.Errorf("a name twice: %v", err)
	}
	until := noon.Add(time.Hour)
	changed := ana
	changed.Version, changed.Role, changed.KeyHash, changed.FormerHash = 2, access.Operator, []byte("new"), ana.KeyHash
	changed.FormerUntil, changed.ExpiresAt, changed.DisabledAt = &until, &until, &until
	must(t, s.ChangeOperator(t.Context(), changed))
	if err := s.ChangeOperator(t.Context(), changed); kind(err) != "lost" {
		t.Errorf("a change of a version that is over: %v", err)
	}
	all, err := s.Operators(t.Context())
	must(t, err)
	want := []access.Account{changed, luis}
	if diff := cmp.Diff(want, all, cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("operators (-want +got):\n%s", diff)
	}
	for hash, name := range map[string]string{"new": "ana", "ana": "ana", "luis": "luis"} {
		if o, err := s.OperatorByKey(t.Context(), []byte(hash)); err != nil || o.Name != name {
			t.Errorf("the key %s is of %q, %v", hash, o.Name, err)
		}
	}
	if _, err := s.Operator(t.Context(), "nobody"); kind(err) != "not found" {
		t.Errorf("nobody: %v", err)
	}
}

func testSessions(t *testing.T, s store) {
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-24*time.Hour)
	must(t, s.EndSession(t.Context(), "old", past))
	must(t, s.EndSession(t.Context(), "one", soon))
	must(t, s.EndSession(t.Context(), "one", soon))
	for id, want := range map[string]bool{"one": true, "other": false, "old": false} {
		if ended, err := s.SessionEnded(t.Context(), id); err != nil || ended != want {
			t.Errorf("session %s ended: %v, %v", id, ended, err)
		}
	}
}
