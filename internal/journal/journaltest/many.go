//go:build unix

package journaltest

import (
	"database/sql"
	_ "embed" // the statements
	"fmt"
	"strings"
	"testing"
	"time"
)

// Many is how many orders Fill makes: many.sql counts to it.
const Many = 1_000_000

//go:embed many.sql
var many string

// Fill puts a million orders of the last week into an empty journal, as they are when they have ended and their
// callers were notified. 10,000 of them are of the last hour: a tenth of these waits. Of all, one in a thousand is
// unknown, and one event in a hundred is not delivered. now is the time of the newest.
func Fill(tb testing.TB, url string, now time.Time) {
	tb.Helper()
	driver, path := "pgx", url
	parts := []string{"{now}", fmt.Sprint(now.UnixMicro()), "{apart}",
		fmt.Sprint((7*24*time.Hour - 2*time.Hour).Microseconds() / Many)}
	if file, is := strings.CutPrefix(url, "sqlite:"); is {
		driver, path = "sqlite", file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-262144)"
		parts = append(parts, "{bytes}", "x'7b7d'", "{settle}", "ANALYZE",
			"{event}", "unhex(printf('%012x%020x', created_at / 1000, key))")
	} else {
		parts = append(parts, "{bytes}", `'\x7b7d'::bytea`, "{settle}", "VACUUM ANALYZE",
			"{event}", "decode(lpad(to_hex(created_at / 1000), 12, '0') || lpad(to_hex(key), 20, '0'), 'hex')")
	}
	db, err := sql.Open(driver, path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }() // what it did is done
	for statement := range strings.SplitSeq(strings.NewReplacer(parts...).Replace(many), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}
