package archived

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recarga/internal/archive"
	"recarga/internal/journal/commit"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
)

const (
	// memberOrders leave in one transaction, which keeps purchases waiting for some milliseconds, and are unpacked
	// to read one of them.
	memberOrders = 64
	// fileMembers are in one file, at most.
	fileMembers = 160
	// archiveLock is what PostgreSQL lets one process hold: who moves orders, one after the other.
	archiveLock = 0x7265636172676101
	// unlockFor bounds the wait for a server that does not take the lock back; then the connection's end does.
	unlockFor = 2 * time.Second
)

// ErrArchiving: another process moves orders to the archive at this moment.
var ErrArchiving = errors.New("another process is archiving")

// Mover moves orders from the tables to the archive.
type Mover struct {
	db     *tables.DB
	folder archive.Folder
	orders *Orders
}

// Mover moves more orders there.
func (o *Orders) Mover() *Mover { return &Mover{o.db, o.folder, o} }

// Totals counts what has left for the archive.
type Totals struct {
	// Orders that have left the tables.
	Orders int64 `json:"orders"`
	// Files that they are in.
	Files int `json:"files"`
	// Bytes of the files.
	Bytes int64 `json:"bytes"`
}

// Archive moves the orders that ended before a time, and of which every notification has ended, from the tables to
// files of the archive. A file is whole and durable before the first order of it leaves, so that each is in the tables
// or in the archive at any moment, whatever breaks off. An order that changes meanwhile stays. progress, if it is not
// nil, is called after each file.
//
// Errors: ErrArchiving; those of the files and the database. What was moved before one stays moved.
func (m *Mover) Archive(
	ctx context.Context, before, now time.Time, progress func(Totals),
) (total Totals, err error) {
	if m.folder == "" {
		return total, errNoFolder
	}
	conn, release, err := m.alone(ctx)
	if err != nil {
		return total, fmt.Errorf("archive: %w", err)
	}
	defer release()
	for after := (tables.Place{}); ; {
		one, next, err := m.archiveFile(ctx, conn, before, now, after)
		if one.Files > 0 {
			total = Totals{Orders: total.Orders + one.Orders, Files: total.Files + 1, Bytes: total.Bytes + one.Bytes}
			if progress != nil {
				progress(total)
			}
		}
		if err != nil || next == after {
			return total, err
		}
		after = next
	}
}

// alone is a connection of the only process that moves orders: the numbers of members then rise in the order of their
// commits, which an export relies on. SQLite has one writer anyhow.
func (m *Mover) alone(ctx context.Context) (conn *sql.Conn, release func(), err error) {
	if conn, err = m.db.Write.Conn(ctx); err != nil {
		return nil, nil, err
	}
	mine := true
	// The end of the connection is the end of its transaction and its lock, whatever has become of them. A busy server
	// takes its time to see that end, so that the lock is given back first.
	release = func() {
		if m.db.IsPostgres() && mine {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockFor)
			defer cancel()
			_, _ = conn.ExecContext(ctx, sqls.Get("postgres/unlock_archive"), archiveLock)
		}
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if m.db.IsPostgres() {
		err = conn.QueryRowContext(ctx, sqls.Get("postgres/lock_archive"), archiveLock).Scan(&mine)
	}
	if err == nil && !mine {
		err = ErrArchiving
	}
	if err != nil {
		release()
	}
	return conn, release, err
}

// archiveFile moves the orders behind after that fit one file. next is where it ended, or after when there are no
// more.
func (m *Mover) archiveFile(
	ctx context.Context, conn *sql.Conn, before, now time.Time, after tables.Place,
) (moved Totals, next tables.Place, err error) {
	groups, manifest, next, err := m.writeFile(ctx, before, now, after)
	if err != nil || len(groups) == 0 {
		return moved, next, err
	}
	for _, g := range groups {
		began := time.Now()
		n, moveErr := m.move(ctx, conn, manifest.File, g)
		moved.Orders += int64(n)
		if err = cmp.Or(moveErr, leaveTo(ctx, time.Since(began))); err != nil {
			break
		}
	}
	if moved.Orders == 0 && err == nil {
		return moved, next, m.folder.Remove(manifest.File) // all have changed meanwhile
	}
	if moved.Orders > 0 {
		moved.Files, moved.Bytes = 1, manifest.Bytes
	}
	return moved, next, err
}

// leaveTo leaves the database to purchases for as long as it was kept from them: SQLite gives its lock to whoever asks
// at the right moment.
func leaveTo(ctx context.Context, d time.Duration) error {
	pause, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pause.Done()
	return ctx.Err()
}

// group is orders that leave together, as a member.
type group struct {
	place   int64           // in its file
	records []tables.Record // of its orders
	// sums of their lines, by the orders' keys: what is deleted must be what was written.
	sums map[int64][sha256.Size]byte
}

// writeFile writes one file, and remembers what is in it. There is none without orders that may leave.
func (m *Mover) writeFile(
	ctx context.Context, before, now time.Time, after tables.Place,
) (groups []group, manifest archive.Manifest, next tables.Place, err error) {
	var file *archive.Writer
	var from, until time.Time
	for next = after; len(groups) < fileMembers; {
		records, entries, err := m.leaving(ctx, before, next)
		if err != nil {
			return nil, manifest, next, err
		}
		if len(records) == 0 {
			break
		}
		if file == nil {
			if file, err = m.folder.Create(now); err != nil {
				return nil, manifest, next, err
			}
			defer file.Discard()
			from = records[0].CreatedAt
		}
		g, err := written(file, records, entries)
		if err != nil {
			return nil, manifest, next, err
		}
		last := records[len(records)-1]
		groups, until, next = append(groups, g), last.CreatedAt, last.Place()
	}
	if len(groups) > 0 {
		manifest, err = file.Close(from, until, now)
	}
	return groups, manifest, next, err
}

// leaving are the next orders behind a place that ended before a time and may leave: nobody disputes them, who
// would still have to look at them, and no event of them is still to be delivered.
func (m *Mover) leaving(
	ctx context.Context, before time.Time, after tables.Place,
) (records []tables.Record, entries []Entry, err error) {
	err = m.db.Snapshot(ctx, func(t *sql.Tx) (err error) {
		if records, err = tables.Query(ctx, t, tables.ScanOrder, sqls.Get("leaving"), after.At, after.Key,
			before.UnixMicro(), memberOrders); err == nil {
			entries, err = m.orders.entriesOf(ctx, t, records)
		}
		return err
	})
	return records, entries, err
}

// written writes a group.
func written(file *archive.Writer, records []tables.Record, entries []Entry) (g group, err error) {
	g.records, g.sums = records, map[int64][sha256.Size]byte{}
	lines := make([][]byte, len(entries))
	for i, e := range entries {
		if lines[i], err = json.Marshal(e); err != nil {
			return g, err
		}
		g.sums[e.Journal.Key] = sha256.Sum256(lines[i])
	}
	g.place, err = file.Member(lines)
	return g, err
}

// move takes the orders of a group out of the tables, but for those that are not as they were written.
func (m *Mover) move(ctx context.Context, conn *sql.Conn, file string, g group) (n int, err error) {
	for range commit.Retries {
		n, err = m.db.Alter(ctx, conn, func() (int, error) { return m.leave(ctx, conn, file, g) })
		if err == nil || !m.db.Transient(err) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("move to %s: %w", file, err)
	}
	return n, nil
}

func (m *Mover) leave(ctx context.Context, conn *sql.Conn, file string, g group) (n int, err error) {
	records, err := tables.Query(ctx, conn, tables.ScanOrder, m.db.Words(sqls.Engines("chosen_orders")),
		m.db.Keys(g.records))
	if err != nil {
		return 0, err
	}
	entries, err := m.orders.entriesOf(ctx, conn, records)
	if err != nil {
		return 0, err
	}
	leaving := records[:0]
	for i, one := range entries {
		line, err := json.Marshal(one)
		if err != nil {
			return 0, err
		}
		if sha256.Sum256(line) == g.sums[one.Journal.Key] {
			leaving = append(leaving, records[i])
		}
	}
	if len(leaving) == 0 {
		return 0, nil
	}
	return len(leaving), m.take(ctx, conn, file, g.place, leaving)
}

// sqlDeletes take the chosen orders out of the tables, themselves last.
var sqlDeletes = []sqlfile.Engines{
	sqls.Engines("delete_events"), sqls.Engines("delete_attempts"), sqls.Engines("delete_resolutions"),
	sqls.Engines("delete_corrections"), sqls.Engines("delete_disputes"), sqls.Engines("delete_orders"),
}

func (m *Mover) take(ctx context.Context, conn *sql.Conn, file string, place int64, leaving []tables.Record) error {
	var number int64
	from, until := leaving[0].CreatedAt.UnixMicro(), leaving[len(leaving)-1].CreatedAt.UnixMicro()
	if err := conn.QueryRowContext(ctx, sqls.Get("new_member"), file, place, len(leaving), from,
		until).Scan(&number); err != nil {
		return err
	}
	for _, r := range leaving {
		if _, err := conn.ExecContext(ctx, sqls.Get("new_archived"), string(r.ID), number); err != nil {
			return err
		}
	}
	keys := m.db.Keys(leaving)
	for _, del := range sqlDeletes {
		if _, err := conn.ExecContext(ctx, m.db.Words(del), keys); err != nil {
			return err
		}
	}
	return nil
}

// CountLeaving is how many orders ended before a time and can leave for the archive.
func (m *Mover) CountLeaving(ctx context.Context, before time.Time) (int64, error) {
	return m.db.Number(ctx, sqls.Get("count_leaving"), before.UnixMicro())
}
