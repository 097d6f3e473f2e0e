package tables

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// breaks are what a process of the former release, which runs on beside the migrated tables, may stumble over. A table
// that is new has nothing to do with it.
var breaks = map[string]*regexp.Regexp{
	"removes or renames": regexp.MustCompile(`\b(DROP|RENAME|TRUNCATE)\b`),
	"refuses or changes what a row was allowed to be": regexp.MustCompile(`\b(CHECK|REFERENCES|TRIGGER|SET NOT NULL|` +
		`ALTER COLUMN|UNIQUE|ADD CONSTRAINT|PRIMARY KEY)\b`),
}

// demands is a clause that adds a column which every insert must give: a DEFAULT is missing.
func demands(clause string) bool {
	return strings.Contains(clause, "ADD COLUMN") && strings.Contains(clause, "NOT NULL") &&
		!strings.Contains(clause, "DEFAULT")
}

// excused are migrations that seem to break the former release, and why they do not.
var excused = map[string]string{
	"00003_replay": beforeRelease, "00009_find": beforeRelease, "00011_finished": beforeRelease,
	"00012_line":      beforeRelease,
	"00005_endpoints": beforeRelease, "00014_archive": beforeRelease, "00015_truth": beforeRelease,
	"00022_callers": beforeRelease, "00024_held": beforeRelease,
	"00028_feed":     "its triggers fill columns and a table that are new",
	"00029_audit":    "its triggers keep a table that is new",
	"00035_filters":  "it drops only what is left of an interrupted build of its own indexes",
	"00036_evidence": "it drops only what is left of an interrupted build of its own index",
}

const beforeRelease = "the former release has it"

// TestFormerReleaseStays: a migration adds, and takes nothing from the former release that runs beside it.
func TestFormerReleaseStays(t *testing.T) {
	seen := map[string]bool{}
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, m := range Migrations(engine) {
			text, err := fs.ReadFile(migrations, folderOf(engine)+"/"+m.Name+".sql")
			if err != nil {
				t.Fatal(err)
			}
			all := broken(string(text))
			if engine == "postgres" {
				all = append(all, blocking(string(text))...)
			}
			for _, why := range all {
				seen[m.Name] = true
				if excused[m.Name] == "" {
					t.Errorf("%s, %s: %s; add now what is new, and remove with the release after, or say in excused why the "+
						"former release does not mind", engine, m.Name, why)
				}
			}
		}
	}
	for name := range excused {
		if !seen[name] {
			t.Errorf("%s is excused of nothing", name)
		}
	}
}

// statements are those of a migration, without comments and texts.
func statements(text string) (all []string) {
	text = regexp.MustCompile(`--.*|'[^']*'`).ReplaceAllString(text, "")
	for statement := range strings.SplitSeq(strings.ToUpper(text), ";") {
		all = append(all, strings.Join(strings.Fields(statement), " "))
	}
	return all
}

// blocks is what holds up all writers of a table that grows, the longer the larger it is.
var blocks = regexp.MustCompile(`\b(?:CREATE (?:UNIQUE )?INDEX .*?\bON|UPDATE) (ORDERS|ATTEMPTS|EVENTS|ARCHIVED)\b`)

// blocking are the statements of a migration for PostgreSQL that hold up others.
func blocking(text string) (all []string) {
	made := strings.ToUpper(text)
	for _, statement := range statements(text) {
		found := blocks.FindStringSubmatch(statement)
		if found == nil || strings.Contains(statement, "INDEX CONCURRENTLY") ||
			strings.Contains(made, "CREATE TABLE "+found[1]+" ") {
			continue
		}
		all = append(all, "holds up whoever writes to "+found[1]+"; do as 00028_feed does: "+statement)
	}
	return all
}

// broken is what the statements of a migration break.
func broken(text string) (all []string) {
	for _, statement := range statements(text) {
		if strings.HasPrefix(statement, "CREATE TABLE ") {
			continue
		}
		for what, pattern := range breaks {
			if pattern.MatchString(statement) {
				all = append(all, what+": "+statement)
			}
		}
		for clause := range strings.SplitSeq(statement, ",") {
			if demands(clause) {
				all = append(all, "an insert of the former release fails: "+clause)
			}
		}
	}
	return all
}

func TestBroken(t *testing.T) {
	for sql, want := range map[string]int{
		"CREATE TABLE x (a INTEGER NOT NULL PRIMARY KEY CHECK (a > 0)); INSERT INTO x VALUES (1);":       0,
		"-- DROP TABLE orders\nALTER TABLE orders ADD COLUMN a TEXT NOT NULL DEFAULT 'drop, not null';":  0,
		"ALTER TABLE orders ADD COLUMN a INTEGER; CREATE INDEX i ON orders (a);":                         0,
		"alter table orders\n  add column a integer not null;":                                           1,
		"ALTER TABLE orders ADD COLUMN a INTEGER DEFAULT 1, ADD COLUMN b INTEGER NOT NULL;":              1,
		"ALTER TABLE orders DROP COLUMN phone;":                                                          1,
		"ALTER TABLE orders RENAME COLUMN phone TO number;":                                              1,
		"DROP TABLE tallies; ALTER TABLE orders ALTER COLUMN amount TYPE TEXT;":                          2,
		"CREATE UNIQUE INDEX i ON orders (phone);":                                                       1,
		"ALTER TABLE orders ADD COLUMN a INTEGER CHECK (a > 0);":                                         1,
		"CREATE TRIGGER x AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION y();":               1,
		"ALTER TABLE orders ADD COLUMN a INTEGER, ADD CONSTRAINT c CHECK (a IS NULL OR state = 'sold');": 1,
	} {
		if got := broken(sql); len(got) != want {
			t.Errorf("%s: %q, want %d", sql, got, want)
		}
	}
}

func TestBlocking(t *testing.T) {
	for sql, want := range map[string]int{
		"CREATE INDEX i ON orders (phone);": 1,
		"CREATE UNIQUE INDEX IF NOT EXISTS i\nON events (id) WHERE id > 0; UPDATE orders SET a = 1": 2,
		"CREATE TABLE orders (id INTEGER); CREATE INDEX i ON orders (id);":                          0,
		"CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (phone);":                              0,
		"CREATE INDEX i ON callers (name); UPDATE callers SET name = 'on orders';":                  0,
	} {
		if got := blocking(sql); len(got) != want {
			t.Errorf("%s: %q, want %d", sql, got, want)
		}
	}
}
