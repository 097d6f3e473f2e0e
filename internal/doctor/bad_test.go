package doctor

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	"recarga/internal/exposure"
	"recarga/internal/journal/journaltest"
	"recarga/internal/sandbox"
	"recarga/internal/seal"
	"recarga/internal/testkit"
	"recarga/tasks"
	"recarga/topup"
)

func badSettings() []bad {
	with := func(change func(*Config)) func(*testing.T) []Finding {
		return of(newSettings, func(_ *testing.T, cfg *Config) { change(cfg) })
	}
	return []bad{
		{"distributor timeout", Warn, "is 30s", "RECARGA_DISTRIBUTOR_TIMEOUT",
			with(func(c *Config) { c.DistributorTimeout = 30 * time.Second })},
		{"unknown outcomes", Warn, "resend", "promise.*RECARGA_ON_UNKNOWN=hold",
			with(func(c *Config) { c.OnUnknown = "resend" })},
		{"distributor url", Fail, "http://vendor.example/api", "RECARGA_DISTRIBUTOR_URL.*https://",
			with(func(c *Config) { c.DistributorURL = "http://vendor.example/api" })},
		{"distributor url", Warn, "http://vendor.example/api", "RECARGA_DISTRIBUTOR_ALLOW_HTTP=false", with(func(c *Config) {
			c.DistributorURL, c.DistributorAllowHTTP = "http://vendor.example/api", true
		})},
		{"secrets", Warn, "^RECARGA_ADMIN_KEY is a flag$", "chmod 600.*_FILE", with(func(c *Config) {
			c.Exposed = []string{"RECARGA_ADMIN_KEY is a flag"}
		})},
		{"archive folder", Warn, "can be read by others", "RECARGA_ARCHIVE_DIR.*chmod 700",
			of(newSettings, func(t *testing.T, c *Config) { c.ArchiveDir = openFolder(t) })},
		{"sqlite permissions", Warn, "^others can read .*recarga.db$", "chmod 600",
			of(newSQLite, func(t *testing.T, c *Config) {
				folder := openFolder(t)
				c.DatabaseURL = "sqlite:" + folder + "/recarga.db"
				if err := os.WriteFile(folder+"/recarga.db", nil, 0o644); err != nil {
					t.Fatal(err)
				}
			})},
		{"admin key", Warn, "not set", "RECARGA_ADMIN_KEY", with(func(*Config) {})},
		{"admin key", Warn, "^RECARGA_ADMIN_KEY has 9 characters, 9 of them different$", "RECARGA_ADMIN_KEY",
			with(func(c *Config) { c.AdminKey, c.HTTPAddr = "admin-key", "127.0.0.1:8080" })},
		{"admin key", Fail, "^RECARGA_ADMIN_KEY has a word in it", "recarga key", with(func(c *Config) {
			c.AdminKey, c.HTTPAddr = "our-admin-key-of-2026-and-on", "0.0.0.0:8080"
		})},
		{"admin key", Warn, "^RECARGA_ADMIN_KEY has a word in it", "recarga key", with(func(c *Config) {
			c.AdminKey, c.HTTPAddr, c.AdminKeyAllowWeak = "our-admin-key-of-2026-and-on", "0.0.0.0:8080", true
		})},
		{"api key", Warn, "refuses every order", "RECARGA_API_KEY", with(func(*Config) {})},
		{"api key", Warn, "^RECARGA_API_KEY has 24 characters, 1 of them different$", "RECARGA_API_KEY",
			with(func(c *Config) { c.APIKey = strings.Repeat("x", 24) })},
		{"private webhooks", Warn, "is true", "RECARGA_WEBHOOK_ALLOW_PRIVATE=false",
			with(func(c *Config) { c.WebhookAllowPrivate = true })},
		{"http address", Warn, "all addresses", "RECARGA_HTTP_ADDR", with(func(c *Config) { c.HTTPAddr = ":8080" })},
		{"metrics address", Warn, "all addresses", "RECARGA_METRICS_ADDR",
			with(func(c *Config) { c.MetricsAddr = "[::]:9464" })},
		{"metrics address", Warn, "a public address", "RECARGA_METRICS_ADDR",
			with(func(c *Config) { c.MetricsAddr = "8.8.8.8:9464" })},
		{"redis access", Warn, "without a password", "RECARGA_REDIS_URL",
			with(func(c *Config) { c.RedisURL = "redis://redis.example:6379" })},
		{"redis access", Warn, `^redis://:xxxxx@redis.example:6379: .* in the clear$`, "rediss://",
			with(func(c *Config) { c.RedisURL = "redis://:geheim@redis.example:6379" })},
	}
}

// openFolder is one that everybody can read.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "recarga-open-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// TestOthersCanRead: a file is as open as the path to it.
func TestOthersCanRead(t *testing.T) {
	folder := openFolder(t)
	path := folder + "/secret"
	for _, c := range []struct {
		folder, file os.FileMode
		want         bool
	}{
		{0o755, 0o644, true}, {0o711, 0o604, true}, {0o755, 0o602, true}, {0o755, 0o640, false}, {0o755, 0o600, false},
		{0o700, 0o644, false}, {0o750, 0o666, false},
	} {
		err := os.WriteFile(path, nil, 0o600)
		if err = errors.Join(err, os.Chmod(path, c.file), os.Chmod(folder, c.folder)); err != nil {
			t.Fatal(err)
		}
		if got := exposure.OthersCanRead(path); got != c.want {
			t.Errorf("file %o in folder %o: %t", c.file, c.folder, got)
		}
	}
	if exposure.OthersCanRead(folder + "/none") {
		t.Error("what is not there can be read")
	}
}

func badDatabases() []bad {
	postgres := func(url func(*testing.T) string) func(*testing.T) []Finding {
		return of(newPostgres, func(t *testing.T, cfg *Config) { cfg.DatabaseURL = url(t) })
	}
	// The server that tests share is unsafe on purpose.
	unsafe := func(parameters string, statements ...string) func(*testing.T) []Finding {
		return postgres(func(t *testing.T) string {
			url := testkit.Postgres(t).URL()
			do(t, "pgx", url, statements...)
			return url + parameters
		})
	}
	return append(badFiles(), []bad{
		{"postgres reachable", Fail, `connection refused.*15 more`, "RECARGA_DATABASE_URL",
			postgres(func(t *testing.T) string { return "postgres://u@" + nobody(t) + "/x" })},
		{"postgres reachable", Fail, "^the URL cannot be parsed", "RECARGA_DATABASE_URL",
			postgres(func(*testing.T) string { return "postgres://u:%zz@x" })},
		{"postgres pooler", Fail, "shares sessions", "pool_mode = session", postgres(func(t *testing.T) string {
			return testkit.PgBouncer(t, testkit.Postgres(t), "pool_mode = transaction")
		})},
		{"postgres rights", Warn, "^recarga is a superuser$", "docs/postgresql.md", postgres(func(t *testing.T) string {
			return journaltest.Postgres(t).URL()
		})},
		{"postgres rights", Fail, "^recarga_run lacks DELETE on orders, UPDATE on orders$", "docs/postgresql.md",
			postgres(func(t *testing.T) string {
				owner, runner := journaltest.Roles(t, testkit.PostgresOwn(t))
				opened(t, owner)
				do(t, "pgx", owner, "REVOKE UPDATE, DELETE ON orders FROM recarga_run")
				return runner
			})},
		{"postgres rights", Warn, "^recarga_run may change goose_db_version", "docs/postgresql.md",
			postgres(func(t *testing.T) string {
				owner, runner := journaltest.Roles(t, testkit.PostgresOwn(t))
				opened(t, owner)
				do(t, "pgx", owner, "GRANT INSERT ON goose_db_version TO recarga_run")
				return runner
			})},
		{"postgres servers", Fail, "is a former primary that takes writes", "docs/postgresql.md",
			postgres(func(t *testing.T) string {
				former := testkit.PostgresOwn(t)
				promoted := former.Standby(former.Addr())
				former.Kill()
				promoted.Promote()
				former.Start()
				return strings.Replace(former.URL(), former.Addr(), former.Addr()+","+promoted.Addr(), 1)
			})},
		{"postgres version", Fail, "^11.22$", "14 or newer", judged("postgres version", judgePostgresVersion(110022))},
		{"postgres version", Warn, "^13.3$", "14 or newer", judged("postgres version", judgePostgresVersion(130003))},
		{"postgres writable", Fail, "default_transaction_read_only is on", "default_transaction_read_only=off",
			unsafe("&default_transaction_read_only=on")},
		{"postgres fsync", Fail, "fsync is off", "SET fsync = on", unsafe("")},
		{"postgres full_page_writes", Fail, "full_page_writes is off", "SET full_page_writes = on", unsafe("")},
		{"postgres synchronous_commit", Fail, "synchronous_commit is off",
			"remove synchronous_commit from RECARGA_DATABASE_URL", unsafe("&synchronous_commit=off")},
		{"postgres schema", Fail, `version 999; this program knows \d`, "newer recarga", unsafe("",
			"CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
			"INSERT INTO goose_db_version VALUES (999, true)")},
		{"postgres schema", Warn, `version 0; .* pending`, "recarga migrate, or start recarga serve", unsafe("",
			"CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
			"INSERT INTO goose_db_version VALUES (0, true)")},
		{"postgres schema", Warn, `^no tables yet$`, "^recarga migrate; until then serve, api and worker wait",
			unmigrated(newPostgres, func(t *testing.T) string { return testkit.Postgres(t).URL() })},
		{"postgres unknown orders", Warn, "^1 held$", "recarga resolve",
			unsafe("", "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
				"CREATE TABLE orders (state text, finished_at bigint)",
				"INSERT INTO orders VALUES ('unknown', NULL), ('retrying', NULL)")},
		{"postgres pauses and limits", Warn, "^caller shop is paused by ana$", "recarga queue resume",
			unsafe("", "CREATE TABLE controls (kind text, name text, value text, since bigint, by_whom text)",
				"INSERT INTO controls VALUES ('caller', 'shop', '', 1, 'ana')")},
		{"postgres caller keys", Warn, saysExpired, "rotate-key", unsafe("",
			"CREATE TABLE callers (name text, disabled_at bigint, key_expires_at bigint)", soonExpired)},
		{"postgres sealed secrets", Warn, "^of 1 callers, 1 are sealed with a former key$", "recarga rekey",
			of(newPostgres, func(t *testing.T, cfg *Config) {
				cfg.DatabaseURL, cfg.EncryptionKey, cfg.FormerEncryptionKeys = testkit.Postgres(t).URL(), "present key",
					[]string{"former key"}
				do(t, "pgx", cfg.DatabaseURL, "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
					"CREATE TABLE callers (name text, secrets bytea)",
					fmt.Sprintf(`INSERT INTO callers VALUES ('shop', '\x%x')`,
						seal.New("former key").Seal("recarga webhook secrets", []byte("[]"), "shop")))
			})},
		{"postgres clock", Warn, `^(9\.\d+|10)s ahead`, "synchronize the clocks",
			unsafe("&search_path=fake,pg_catalog", "CREATE SCHEMA fake",
				"CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT "+
					"pg_catalog.clock_timestamp() + interval '10s' $$")},
		{"postgres connections", Fail, "^10 allowed, [1-9] in use", "max_connections", postgres(func(t *testing.T) string {
			server := testkit.PostgresOwn(t)
			do(t, "pgx", server.URL(), "ALTER SYSTEM SET superuser_reserved_connections = 190")
			server.Stop()
			server.Start()
			return server.URL()
		})},
	}...)
}

func badFiles() []bad {
	file := func(url func(*testing.T) string) func(*testing.T) []Finding {
		return of(newSQLite, func(t *testing.T, cfg *Config) { cfg.DatabaseURL = url(t) })
	}
	containing := func(text string) func(*testing.T) []Finding {
		return file(func(t *testing.T) string {
			url := newSQLiteURL(t)
			mustDo(t, os.WriteFile(url[len("sqlite:"):], []byte(text), 0o600))
			return url
		})
	}
	with := func(statements ...string) func(*testing.T) []Finding {
		return file(func(t *testing.T) string {
			url, path := closedSQLite(t)
			do(t, "sqlite", path, statements...)
			return url
		})
	}
	return []bad{
		{"sqlite file", Fail, `folder /.*/none does not exist`, "RECARGA_DATABASE_URL",
			file(func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/none/recarga.db" })},
		{"sqlite file system", Fail, "^nfs$", "local disk in RECARGA_DATABASE_URL",
			judged("sqlite file system", judgeFileSystem("nfs"))},
		{"sqlite file system", Warn, "^tmpfs", "local disk in RECARGA_DATABASE_URL",
			judged("sqlite file system", judgeFileSystem("tmpfs"))},
		{"sqlite disk space", Warn, "^1024.0 MiB free$", "RECARGA_DATABASE_URL",
			judged("sqlite disk space", judgeSpace(spaceWarn-1))},
		{"sqlite disk space", Fail, "^50.0 MiB free$", "RECARGA_DATABASE_URL",
			judged("sqlite disk space", judgeSpace(50<<20))},
		{"sqlite journal mode", Warn, "not WAL", "local disk in RECARGA_DATABASE_URL", with("PRAGMA journal_mode = DELETE")},
		{"sqlite journal mode", Fail, "no SQLite database", "another file in RECARGA_DATABASE_URL",
			containing("my notes, in a file of more than twenty bytes")},
		{"sqlite integrity", Fail, ".", "backup", file(func(t *testing.T) string {
			url, path := closedSQLite(t)
			data, err := os.ReadFile(path)
			mustDo(t, err)
			const page = 4096
			for i := 2 * page; i < len(data); i++ {
				data[i] = 0xAA
			}
			mustDo(t, os.WriteFile(path, data, 0o600))
			return url
		})},
		{"sqlite schema", Fail, `version 999; this program knows \d`, "newer recarga",
			with("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")},
		{"sqlite schema", Warn, "pending", "recarga migrate, or start recarga serve", with(forgetVersions)},
		{"sqlite schema", Warn, `^no tables yet$`, "^recarga migrate; until then serve, api and worker wait",
			unmigrated(newSQLite, newSQLiteURL)},
		{"sqlite schema", Warn, "^version 0; .* pending", "^recarga migrate; until then serve, api and worker wait",
			unmigrated(newSQLite, func(t *testing.T) string {
				url, path := closedSQLite(t)
				do(t, "sqlite", path, forgetVersions)
				return url
			})},
		{"sqlite unknown orders", Warn, "^1 held$", "recarga resolve",
			with(`INSERT INTO orders (id, caller, fingerprint, state, phone, product, amount, operator, metadata,
			callback_url, created_at, updated_at) VALUES ('A', 'shop', x'00', 'unknown', '5537686660', 'MOVISTAR_TAE', 1000, '', '', '', 1, 1)`)},
		{"sqlite pauses and limits", Warn, "^rate is limited to 5/s by ana, and others$", "recarga queue limit",
			with("INSERT INTO controls VALUES ('rate', '', '5/s', 1, 'ana', 'x'), ('caller', 'shop', '', 2, 'ana', 'x')")},
		{"sqlite caller keys", Warn, saysExpired, "rotate-key", with("DROP TABLE callers",
			"CREATE TABLE callers (name TEXT, disabled_at INTEGER, key_expires_at INTEGER)", soonExpired)},
		{"sqlite sealed secrets", Warn, "^of 2 callers, 1 are sealed with a former key$", "recarga rekey",
			withCallers("present key", "former key")},
		{"sqlite sealed secrets", Fail, "^no key opens those of caller-1$", "RECARGA_ENCRYPTION_KEY_OLD",
			withCallers("present key", "lost key")},
	}
}

const saysExpired = `^former has expired 1970-01-01, shop expires \d{4}-\d\d-\d\d$`

// soonExpired are callers whose keys end: before, in a week, in a year, and of one that is disabled.
var soonExpired = fmt.Sprintf("INSERT INTO callers VALUES ('former', NULL, 1), ('shop', NULL, %d), "+
	"('next-year', NULL, %d), ('off', 1, 1), ('ever', NULL, NULL)",
	time.Now().AddDate(0, 0, 7).UnixMicro(), time.Now().AddDate(1, 0, 0).UnixMicro())

// withCallers has a caller for each key, which seals its secrets.
func withCallers(keys ...string) func(*testing.T) []Finding {
	return of(newSQLite, func(t *testing.T, cfg *Config) {
		url, path := closedSQLite(t)
		for i, key := range keys {
			name := fmt.Sprint("caller-", i)
			do(t, "sqlite", path, fmt.Sprintf("INSERT INTO callers (name, key_hash, callback_url, secrets, created_at) "+
				"VALUES ('%s', x'0%d', '', x'%x', 1)",
				name, i, seal.New(key).Seal("recarga webhook secrets", []byte("[]"), name)))
		}
		cfg.DatabaseURL, cfg.EncryptionKey, cfg.FormerEncryptionKeys = url, "present key", []string{"former key"}
	})
}

const forgetVersions = "DELETE FROM goose_db_version WHERE version_id > 0"

// unmigrated is what a part finds where RECARGA_MIGRATE is false.
func unmigrated(newPart func(Config) part, url func(*testing.T) string) func(*testing.T) []Finding {
	return of(newPart, func(t *testing.T, cfg *Config) { cfg.DatabaseURL, cfg.Migrate = url(t), false })
}

// TestOlderTables: what older tables lack is no finding of its own.
func TestOlderTables(t *testing.T) {
	url := testkit.Postgres(t).URL()
	do(t, "pgx", url, "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
		"INSERT INTO goose_db_version VALUES (0, true)")
	found := of(newPostgres, func(_ *testing.T, cfg *Config) { cfg.DatabaseURL = url })(t)
	for _, f := range found {
		if strings.Contains(f.Found, "does not exist") {
			t.Errorf("%+v", f)
		}
	}
	findingOf(t, found, "postgres schema")
}

// TestSQLiteIsLeftAlone: no file comes or goes, whether a process has the book of record open or not.
func TestSQLiteIsLeftAlone(t *testing.T) {
	closed, _ := closedSQLite(t)
	for name, url := range map[string]string{"new": newSQLiteURL(t), "closed": closed, "open": usedSQLite(t)} {
		t.Run(name, func(t *testing.T) {
			before := files(t, url)
			for _, f := range of(newSQLite, func(_ *testing.T, cfg *Config) { cfg.DatabaseURL = url })(t) {
				if f.Status != OK {
					t.Errorf("%+v", f)
				}
			}
			if after := files(t, url); after != before {
				t.Errorf("files were %s and are %s", before, after)
			}
		})
	}
}

func badRedis() []bad {
	with := func(url func(*testing.T) string) func(*testing.T) []Finding {
		return of(newRedis, func(t *testing.T, cfg *Config) { cfg.RedisURL = url(t) })
	}
	args := func(args ...string) func(*testing.T) []Finding {
		return with(func(t *testing.T) string { return testkit.Redis(t, args...).URL() })
	}
	// One finding of a Redis whose queues have everything that is wrong.
	neglected := with(neglectedQueues)
	return []bad{
		{"redis reachable", Fail, "connection refused.*10 more", "RECARGA_REDIS_URL",
			with(func(t *testing.T) string { return "redis://" + nobody(t) })},
		{"redis reachable", Fail, "^redis url cannot be parsed", "RECARGA_REDIS_URL",
			with(func(*testing.T) string { return "redis://:geheim%@x" })},
		{"redis reachable", Fail, "must end in .master=NAME", "RECARGA_REDIS_URL",
			with(func(*testing.T) string { return "redis-sentinel://x:1" })},
		{"redis reachable", Fail, "NOAUTH", "RECARGA_REDIS_URL", args("--requirepass", "geheim")},
		{"redis version", Fail, "^3.2.12$", "upgrade Redis", judged("redis version", judgeRedisVersion("3.2.12"))},
		{"redis version", Warn, "^6.0.16$", "upgrade Redis to 6.2", judged("redis version", judgeRedisVersion("6.0.16"))},
		{"redis eviction", Fail, "allkeys-lru", "maxmemory-policy noeviction", args("--maxmemory-policy", "allkeys-lru")},
		{"redis memory", Fail, ` used of maxmemory 100.0 KiB$`, "maxmemory", args("--maxmemory", "100kb")},
		{"redis persistence", Warn, "a restart loses all", "appendonly yes", args("--appendonly", "no")},
		{"redis persistence", Warn, "last snapshot", "appendonly yes", args("--appendonly", "no", "--save", "3600 1")},
		{"redis persistence", Warn, "appendfsync no", "appendfsync everysec", args("--appendfsync", "no")},
		{"redis clock", Fail, `^10(\.\d+)?s behind`, "synchronize the clocks", with(func(t *testing.T) string {
			server := miniredis.RunT(t)
			server.SetTime(time.Now().Add(-10 * time.Second))
			return "redis://" + server.Addr()
		})},
		{"redis clock", Warn, "2s ahead", "synchronize the clocks",
			judged("redis clock", clock(2*time.Second, redisClockWarn, redisClockFail))},
		{"queues paused", Warn, "^topups is paused$", "console.*unpause", neglected},
		{"queues served", Fail, `^1 tasks in default, which nobody serves and Recarga does not know, 3 tasks in topups, which nobody serves$`,
			"start recarga serve", neglected},
		{"queues served", Warn, "0 servers for topups", "start recarga serve", args()},
		{"tasks archived", Warn, "^1 in topups$", "--state=archived", neglected},
		{"tasks without lease", Warn, "^1 in topups$", "worker", neglected},
		{"oldest pending task", Fail, "topups waits for 20m", "RECARGA_DISTRIBUTOR_CONCURRENCY", neglected},
	}
}

// TestCluster: the worst of its masters is shown, with its address.
func TestCluster(t *testing.T) {
	server := testkit.Redis(t, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--maxmemory-policy",
		"allkeys-lru")
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	mustDo(t, rdb.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	testkit.Eventually(t, patience, func() bool {
		return strings.Contains(rdb.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, "the cluster is ready")
	mustDo(t, rdb.Close())
	found := of(newRedis, func(_ *testing.T, cfg *Config) { cfg.RedisURL = "redis-cluster://" + server.Addr() })(t)
	f := findingOf(t, found, "redis eviction")
	if f.Status != Fail || f.Found != server.Addr()+": maxmemory-policy is allkeys-lru" {
		t.Errorf("%+v", f)
	}
	if f := findingOf(t, found, "queues served"); f.Status != Warn {
		t.Errorf("%+v", f)
	}
}

func neglectedQueues(t *testing.T) string {
	url := testkit.Redis(t).URL()
	options, err := redis.ParseURL(url)
	mustDo(t, err)
	rdb := redis.NewClient(options)
	defer func() { mustDo(t, rdb.Close()) }()
	client, inspector := asynq.NewClientFromRedisClient(rdb), asynq.NewInspectorFromRedisClient(rdb)
	for _, id := range []topup.ID{"FETCHED", "ARCHIVED", "OLD"} {
		task, err := tasks.NewPurchase(topup.Request{ID: id})
		mustDo(t, err)
		_, err = client.EnqueueContext(t.Context(), task)
		mustDo(t, err)
		if id == "FETCHED" { // by a worker, whose lease somebody removed
			mustDo(t, rdb.LMove(t.Context(), "asynq:{topups}:pending", "asynq:{topups}:active", "RIGHT", "LEFT").Err())
		}
	}
	_, err = client.EnqueueContext(t.Context(), asynq.NewTask("stranger", nil))
	mustDo(t, err)
	mustDo(t, inspector.ArchiveTask("topups", "ARCHIVED"))
	mustDo(t, inspector.PauseQueue("topups"))
	mustDo(t, rdb.HSet(t.Context(), "asynq:{topups}:t:OLD", "pending_since",
		time.Now().Add(-20*time.Minute).UnixNano()).Err())
	return url
}

func badDistributors() []bad {
	with := func(change func(t *testing.T, cfg *Config)) func(*testing.T) []Finding {
		return of(newDistributor, func(t *testing.T, cfg *Config) {
			cfg.DistributorCustomerID, cfg.DistributorSecretKey = "demo", "demo"
			change(t, cfg)
		})
	}
	return []bad{
		{"distributor reachable", Fail, "connection refused", "RECARGA_DISTRIBUTOR_URL",
			with(func(t *testing.T, cfg *Config) { cfg.DistributorURL = "http://" + nobody(t) })},
		{"distributor reachable", Fail, "cannot be used", "RECARGA_DISTRIBUTOR_URL",
			with(func(_ *testing.T, cfg *Config) { cfg.DistributorURL = "ftp://x" })},
		{"distributor certificate", Warn, `, 10 days$`, "renew it",
			with(func(t *testing.T, cfg *Config) { signed(t, cfg, &cfg.DistributorURL, 10*24*time.Hour+time.Hour) })},
		{"distributor certificate", Fail, `expired.*3 more`, "renew it",
			with(func(t *testing.T, cfg *Config) { signed(t, cfg, &cfg.DistributorURL, -time.Hour) })},
		{"distributor certificate", Fail, `unknown authority`, "ca-certificates", with(func(t *testing.T, cfg *Config) {
			signed(t, cfg, &cfg.DistributorURL, time.Hour)
			cfg.RootCAs = nil
		})},
		{"distributor credentials", Fail, "refused.*1 more",
			"RECARGA_DISTRIBUTOR_CUSTOMER_ID and RECARGA_DISTRIBUTOR_SECRET_KEY", with(func(t *testing.T, cfg *Config) {
				cfg.DistributorURL, cfg.DistributorSecretKey = vendor(t, nil), "geheim"
			})},
		{"distributor credentials", Fail, "HTTP status 404", "must end in /api/distributor",
			with(func(t *testing.T, cfg *Config) { cfg.DistributorURL = vendor(t, nil) + "/login" })},
		{"distributor clock", Warn, `behind this machine`, "synchronize", with(func(t *testing.T, cfg *Config) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat))
				w.WriteHeader(http.StatusUnauthorized)
			}))
			t.Cleanup(server.Close)
			cfg.DistributorURL = server.URL
		})},
		{"distributor balance", Warn, `^0\.00 USD$`, "pay into the account", with(func(t *testing.T, cfg *Config) {
			cfg.DistributorURL = vendor(t, func(s *sandbox.Config) { s.InitialBalance.Decimal = decimal.Zero })
		})},
		{"distributor balance", Warn, `^40\.00 USD, below 50$`, "pay into the account",
			with(func(t *testing.T, cfg *Config) {
				cfg.DistributorURL, cfg.BalanceLow = vendor(t,
					func(s *sandbox.Config) { s.InitialBalance.Decimal = decimal.NewFromInt(40) }), topup.Pesos(50)
			})},
	}
}

// signed starts a server with a certificate that is valid for so long, and puts its URL and its
// authority into the configuration.
func signed(t *testing.T, cfg *Config, url *string, valid time.Duration) {
	t.Helper()
	a := testkit.NewAuthority(t)
	*url, cfg.RootCAs = secured(t, a, valid), a.Pool
}

// TestOneLogin: a doctor who tries more often may lock the account.
func TestOneLogin(t *testing.T) {
	for name, secret := range map[string]string{"right": "demo", "wrong": "geheim"} {
		t.Run(name, func(t *testing.T) {
			s := sandbox.New(sandbox.DefaultConfig(), nil)
			defer s.Close()
			logins := make(chan struct{}, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/login") {
					logins <- struct{}{}
				}
				s.ServeHTTP(w, r)
			}))
			defer server.Close()
			of(newDistributor, func(_ *testing.T, cfg *Config) {
				cfg.DistributorURL, cfg.DistributorCustomerID, cfg.DistributorSecretKey = server.URL+"/api/distributor", "demo",
					secret
			})(t)
			if n := len(logins); n != 1 || len(s.Requests()) != 0 {
				t.Errorf("%d logins and %d purchases, want one and none", n, len(s.Requests()))
			}
		})
	}
}

func badAuxiliaries() []bad {
	with := func(change func(t *testing.T, cfg *Config)) func(*testing.T) []Finding {
		return of(newAuxiliaries, change)
	}
	return []bad{
		{"operator endpoint", Warn, "^off: RECARGA_OPERATOR_CALLBACK_URL is wrong$", "RECARGA_OPERATOR_WEBHOOK_SECRET",
			with(func(_ *testing.T, cfg *Config) {
				cfg.OperatorOff = errors.New("RECARGA_OPERATOR_CALLBACK_URL is wrong")
			})},
		{"operator endpoint", Warn, "connection refused", "RECARGA_OPERATOR_CALLBACK_URL",
			with(func(t *testing.T, cfg *Config) {
				cfg.OperatorCallbackURL, cfg.WebhookAllowPrivate = "http://"+nobody(t)+"/x", true
			})},
		{"operator endpoint", Warn, "not a public address|not public", "RECARGA_OPERATOR_CALLBACK_URL",
			with(func(t *testing.T, cfg *Config) {
				cfg.OperatorCallbackURL = "https://" + nobody(t) + "/x"
			})},
		{"traces", Warn, "^not exported: OTEL_TRACES_EXPORTER is wrong$", "OTEL_", with(func(_ *testing.T, cfg *Config) {
			cfg.TracesOff = errors.New("OTEL_TRACES_EXPORTER is wrong")
		})},
		{"traces", Warn, "connection refused", "start the collector",
			with(func(t *testing.T, cfg *Config) { cfg.TraceCollector = nobody(t) })},
	}
}

func badCallbacks() []bad {
	with := func(change func(t *testing.T, cfg *Config)) func(*testing.T) []Finding {
		return of(newCallback, change)
	}
	return []bad{
		{"callback url", Fail, "^http://caller.example$|^http://caller.example .2 more not checked", "https://",
			with(func(_ *testing.T, cfg *Config) { cfg.CallbackURL = "http://caller.example/?token=geheim" })},
		{"callback url", Warn, "^http://127.0.0.1", "RECARGA_CALLBACK_URL", with(func(_ *testing.T, cfg *Config) {
			cfg.CallbackURL, cfg.WebhookAllowPrivate = "http://127.0.0.1:1/", true
		})},
		{"callback reachable", Fail, "its address is not public", "RECARGA_WEBHOOK_ALLOW_PRIVATE",
			with(func(t *testing.T, cfg *Config) { signed(t, cfg, &cfg.CallbackURL, time.Hour) })},
		{"callback reachable", Fail, "lookup nowhere.invalid", "RECARGA_CALLBACK_URL",
			with(func(_ *testing.T, cfg *Config) { cfg.CallbackURL = "https://nowhere.invalid" })},
		{"callback certificate", Warn, ", 20 days$", "RECARGA_CALLBACK_URL", with(func(t *testing.T, cfg *Config) {
			signed(t, cfg, &cfg.CallbackURL, 21*24*time.Hour-time.Minute)
			cfg.WebhookAllowPrivate = true
		})},
		{"callback certificate", Fail, "expired", "RECARGA_CALLBACK_URL", with(func(t *testing.T, cfg *Config) {
			signed(t, cfg, &cfg.CallbackURL, -time.Hour)
			cfg.WebhookAllowPrivate = true
		})},
	}
}
