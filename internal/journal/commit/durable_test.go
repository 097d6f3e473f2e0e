package commit

import (
	"path/filepath"
	"testing"

	"recarga/internal/testkit"
)

// TestCommitsAreDurable when the power fails, which no test can do: whatever a server's own setting is,
// commits wait for the disk.
func TestCommitsAreDurable(t *testing.T) {
	cases := []struct {
		url           func() string
		setting, want string
	}{
		{func() string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") }, "PRAGMA synchronous", "2"},
		{func() string { return testkit.Postgres(t).URL() }, "SHOW synchronous_commit", "on"},
	}
	for _, c := range cases {
		t.Run(c.setting, func(t *testing.T) {
			e, err := Open(t.Context(), c.url())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}()
			session, err := e.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.discard()
			var got string
			ask := &Statement{Query: c.setting, scan: func(row Scanner) error { return row.Scan(&got) }}
			if session.do(t.Context(), ask); ask.err != nil || got != c.want {
				t.Errorf("%s is %s, %v; want %s", c.setting, got, ask.err, c.want)
			}
		})
	}
}
