package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"recarga/internal/config"
	"recarga/internal/journal"
	"recarga/internal/journal/journaltest"
	"recarga/topup"
)

// TestArchiveByItself: what a worker does every day, and says of it.
func TestArchiveByItself(t *testing.T) {
	now := time.Now()
	s := config.Settings{DatabaseURL: journaltest.SQLite(t), Retention: 48 * time.Hour}
	j, err := journal.Open(t.Context(), s.DatabaseURL, journal.WithArchive(s.Archive()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for id, ended := range map[topup.ID]time.Time{"OLD": now.Add(-73 * time.Hour), "YOUNG": now.Add(-47 * time.Hour)} {
		o := topup.Request{ID: id, Caller: topup.DefaultCaller, Phone: "5537686660", Product: "MOVISTAR_TAE",
			Amount: topup.Pesos(10)}.Order(ended)
		ev, err := j.AcceptInvalid(t.Context(), o, "for the test", ended)
		if err == nil {
			err = j.RecordTry(t.Context(), *ev, topup.Try{At: ended}, topup.EventDelivered, time.Time{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	n := &Node{settings: s, journal: j, metrics: newMetrics(s, Roles{Worker: true}, "test"),
		log: slog.New(slog.NewTextHandler(&log, nil))}
	n.archiveBy(t.Context(), now)
	n.archiveBy(t.Context(), now)
	if got := log.String(); strings.Count(got, "\n") != 1 ||
		!strings.Contains(got, `msg="orders archived" orders=1 files=1`) {
		t.Error(got)
	}
	if err := os.RemoveAll(string(s.Archive())); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(s.Archive()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.archiveBy(t.Context(), now.Add(48*time.Hour))
	if got := log.String(); !strings.Contains(got, `level=ERROR msg="orders not archived"`) {
		t.Error(got)
	}
	recorder := httptest.NewRecorder()
	n.metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{"recarga_archived_orders_total 1\n", "recarga_archive_errors_total 1\n"} {
		if !strings.Contains(recorder.Body.String(), line) {
			t.Errorf("no %q in the metrics", line)
		}
	}
}
