package tables

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"recarga/internal/journal/commit"
	"recarga/internal/testkit"
	"recarga/topup"
)

// TestFormerDoubts: orders that a former release failed with an attempt in doubt are for a person to look at, the open
// ones get an end, and the others stay as they are.
func TestFormerDoubts(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "recarga.db") },
		"postgres": func(t *testing.T) string { return testkit.Postgres(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			former(t, url)
			db, err := Open(t.Context(), url, Config{Observe: func(commit.Commit) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}()
			for id, want := range map[topup.ID]struct {
				disputed bool
				ends     time.Time
			}{
				"GUESSED": {disputed: true}, "DECLINED": {}, "SOLD": {},
				"NEW":      {ends: time.UnixMicro(1000).Add(72 * time.Hour)},
				"EXPIRING": {ends: time.UnixMicro(5000)},
				"TRIED":    {ends: time.UnixMicro(2000).Add(30 * time.Minute)},
			} {
				d, err := db.Details(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				ends := time.Time{}
				if d.EndsAt != nil {
					ends = *d.EndsAt
				}
				if (d.DisputedAt != nil) != want.disputed || (len(d.Disputes) == 1) != want.disputed || !ends.Equal(want.ends) {
					t.Errorf("%s is disputed at %v (%+v), and ends at %s; want %+v", id, d.DisputedAt, d.Disputes, ends, want)
				}
			}
			n, err := db.Number(t.Context(), "SELECT COUNT(*) FROM orders WHERE disputed_at IS NOT NULL")
			if n != 1 || err != nil {
				t.Errorf("%d orders are disputed, %v", n, err)
			}
		})
	}
}

// former writes orders as the release before this migration did.
func former(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	e, err := commit.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	p, err := provider(e)
	if err == nil {
		_, err = p.UpTo(ctx, 14)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct {
		id, state        string
		attempts, doubts int
		expires, final   any
	}{
		{"GUESSED", "failed", 2, 1, nil, 3000}, {"DECLINED", "failed", 1, 0, nil, 3000},
		{"SOLD", "succeeded", 2, 1, nil, 3000},
		{"NEW", "queued", 0, 0, nil, nil}, {"EXPIRING", "queued", 0, 0, 5000, nil}, {"TRIED", "retrying", 1, 0, nil, nil},
	} {
		if _, err := e.Write.ExecContext(ctx, `INSERT INTO orders (id, caller, fingerprint, state, phone, product,
amount, operator, metadata,
callback_url, attempt_count, unknown_attempts, created_at, updated_at, expires_at, finished_at)
VALUES ($1, 'shop', $2, $3, '5537686660', 'MOVISTAR_TAE', 1000, '', '', '', $4, $5, 1000, 2000, $6, $7)`,
			o.id, []byte{1}, o.state, o.attempts, o.doubts, o.expires, o.final); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
