package journal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"recarga/internal/archive"
	"recarga/internal/journal/commit"
	"recarga/internal/sqlfile"
	"recarga/topup"
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

var errNoFolder = errors.New("archive: no folder is set")

// WithArchive sets where old orders are kept.
func WithArchive(folder archive.Folder) Option { return func(j *Journal) { j.archive = folder } }

// Archived counts what has left for the archive.
type Archived struct {
	// Orders that have left the tables.
	Orders int64 `json:"orders"`
	// Files that they are in.
	Files int `json:"files"`
	// Bytes of the files.
	Bytes int64 `json:"bytes"`
}

// member is orders that leave together.
type member struct {
	place   int64    // in its file
	records []record // of its orders
	// sums of their lines: what is deleted must be what was written.
	sums map[int64][sha256.Size]byte
}

// Archive moves the orders that ended before a time, and of which every notification has ended, from the tables to
// files of the archive. A file is whole and durable before the first order of it leaves, so that each is in the tables
// or in the archive at any moment, whatever breaks off. An order that changes meanwhile stays. progress, if it is not
// nil, is called after each file.
//
// Errors: ErrArchiving; those of the files and the database. What was moved before one stays moved.
func (j *Journal) Archive(
	ctx context.Context, before, now time.Time, progress func(Archived),
) (total Archived, err error) {
	if j.archive == "" {
		return total, errNoFolder
	}
	conn, release, err := alone(ctx, j.engine)
	if err != nil {
		return total, fmt.Errorf("archive: %w", err)
	}
	defer release()
	for after := (Place{}); ; {
		one, next, err := j.archiveFile(ctx, conn, before, now, after)
		if one.Files > 0 {
			total = Archived{Orders: total.Orders + one.Orders, Files: total.Files + 1, Bytes: total.Bytes + one.Bytes}
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

var (
	sqlLockArchive   = sqls.Get("postgres/lock_archive")
	sqlUnlockArchive = sqls.Get("postgres/unlock_archive")
)

// alone is a connection of the only process that moves orders: the numbers of members then rise in the order of their
// commits, which an export relies on. SQLite has one writer anyhow.
func alone(ctx context.Context, e *commit.Engine) (conn *sql.Conn, release func(), err error) {
	if conn, err = e.Write.Conn(ctx); err != nil {
		return nil, nil, err
	}
	mine := true
	// The end of the connection is the end of its transaction and its lock, whatever has become of them. A busy server
	// takes its time to see that end, so that the lock is given back first.
	release = func() {
		if e.IsPostgres() && mine {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockFor)
			defer cancel()
			_, _ = conn.ExecContext(ctx, sqlUnlockArchive, archiveLock)
		}
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if e.IsPostgres() {
		err = conn.QueryRowContext(ctx, sqlLockArchive, archiveLock).Scan(&mine)
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
func (j *Journal) archiveFile(
	ctx context.Context, conn *sql.Conn, before, now time.Time, after Place,
) (moved Archived, next Place, err error) {
	members, manifest, next, err := j.writeFile(ctx, before, now, after)
	if err != nil || len(members) == 0 {
		return moved, next, err
	}
	for _, m := range members {
		began := time.Now()
		n, moveErr := j.move(ctx, conn, manifest.File, m)
		moved.Orders += int64(n)
		if err = cmp.Or(moveErr, leaveTo(ctx, time.Since(began))); err != nil {
			break
		}
	}
	if moved.Orders == 0 && err == nil {
		return moved, next, j.archive.Remove(manifest.File) // all have changed meanwhile
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

// writeFile writes one file, and remembers what is in it. There is none without members.
func (j *Journal) writeFile(
	ctx context.Context, before, now time.Time, after Place,
) (members []member, m archive.Manifest, next Place, err error) {
	var file *archive.Writer
	var from, until time.Time
	for next = after; len(members) < fileMembers; {
		records, entries, err := j.leaving(ctx, before, next)
		if err != nil {
			return nil, m, next, err
		}
		if len(records) == 0 {
			break
		}
		last := records[len(records)-1]
		next = Place{last.CreatedAt.UnixMicro(), last.key}
		if len(entries) == 0 {
			continue
		}
		if file == nil {
			if file, err = j.archive.Create(now); err != nil {
				return nil, m, next, err
			}
			defer file.Discard()
			from = entries[0].CreatedAt
		}
		until = last.CreatedAt
		one, err := written(file, records, entries)
		if err != nil {
			return nil, m, next, err
		}
		members = append(members, one)
	}
	if len(members) > 0 {
		m, err = file.Close(from, until, now)
	}
	return members, m, next, err
}

// leaving are the next records behind a place that have ended before a time, and the entries of those of them that
// may leave.
func (j *Journal) leaving(
	ctx context.Context, before time.Time, after Place,
) (records []record, entries []entry, err error) {
	t, err := j.engine.Read.BeginTx(ctx, j.engine.ReadTx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = t.Rollback() }() // it only read
	ended := Filter{FinishedUntil: before}
	const undisputed = true // somebody must still look at the others
	if records, err = query(ctx, t, scanOrder, ended.oldest(undisputed), ended.args(after, memberOrders)...); err != nil {
		return nil, nil, err
	}
	all, err := entriesOf(ctx, j.engine, t, records)
	for _, e := range all {
		if !e.due() {
			entries = append(entries, e)
		}
	}
	return records, entries, err
}

// written writes a member.
func written(file *archive.Writer, records []record, entries []entry) (m member, err error) {
	m.sums = map[int64][sha256.Size]byte{}
	lines := make([][]byte, len(entries))
	for i, e := range entries {
		if lines[i], err = json.Marshal(e); err != nil {
			return m, err
		}
		m.sums[e.Journal.Key] = sha256.Sum256(lines[i])
	}
	for _, r := range records {
		if _, ok := m.sums[r.key]; ok {
			m.records = append(m.records, r)
		}
	}
	m.place, err = file.Member(lines)
	return m, err
}

// move takes the orders of a member out of the tables, but for those that are not as they were written.
func (j *Journal) move(ctx context.Context, conn *sql.Conn, file string, m member) (n int, err error) {
	for range commit.Retries {
		n, err = j.engine.Alter(ctx, conn, func() (int, error) { return m.leave(ctx, j.engine, conn, file) })
		if err == nil || !j.engine.Transient(err) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("move to %s: %w", file, err)
	}
	return n, nil
}

var (
	sqlNewMember    = sqls.Get("new_member")
	sqlNewArchived  = sqls.Get("new_archived")
	sqlChosenOrders = sqls.Engines("chosen_orders")
	// sqlDeletes take the chosen orders out of the tables, themselves last.
	sqlDeletes = []sqlfile.Engines{
		sqls.Engines("delete_events"), sqls.Engines("delete_attempts"), sqls.Engines("delete_resolutions"),
		sqls.Engines("delete_corrections"), sqls.Engines("delete_disputes"), sqls.Engines("delete_orders"),
	}
)

func (m member) leave(ctx context.Context, e *commit.Engine, conn *sql.Conn, file string) (n int, err error) {
	records, err := query(ctx, conn, scanOrder, e.Words(sqlChosenOrders), keysOf(e, m.records))
	if err != nil {
		return 0, err
	}
	entries, err := entriesOf(ctx, e, conn, records)
	if err != nil {
		return 0, err
	}
	leaving := records[:0]
	for i, one := range entries {
		line, err := json.Marshal(one)
		if err != nil {
			return 0, err
		}
		if sha256.Sum256(line) == m.sums[one.Journal.Key] {
			leaving = append(leaving, records[i])
		}
	}
	if len(leaving) == 0 {
		return 0, nil
	}
	return len(leaving), m.take(ctx, e, conn, file, leaving)
}

func (m member) take(ctx context.Context, e *commit.Engine, conn *sql.Conn, file string, leaving []record) error {
	var number int64
	from, until := leaving[0].CreatedAt.UnixMicro(), leaving[len(leaving)-1].CreatedAt.UnixMicro()
	if err := conn.QueryRowContext(ctx, sqlNewMember, file, m.place, len(leaving), from,
		until).Scan(&number); err != nil {
		return err
	}
	for _, r := range leaving {
		if _, err := conn.ExecContext(ctx, sqlNewArchived, string(r.ID), number); err != nil {
			return err
		}
	}
	keys := keysOf(e, leaving)
	for _, del := range sqlDeletes {
		if _, err := conn.ExecContext(ctx, e.Words(del), keys); err != nil {
			return err
		}
	}
	return nil
}

var sqlCountLeaving = sqls.Get("count_leaving")

// CountLeaving is how many orders ended before a time and can leave for the archive.
func (j *Journal) CountLeaving(ctx context.Context, before time.Time) (int64, error) {
	return j.number(ctx, sqlCountLeaving, before.UnixMicro())
}

var sqlArchived = sqls.Get("archived")

// archived is an order that has left, or topup.ErrNotFound.
func (j *Journal) archived(ctx context.Context, id topup.ID) (e entry, err error) {
	var file string
	var place int64
	err = j.engine.Read.QueryRowContext(ctx, sqlArchived, string(id)).Scan(&file, &place)
	if errors.Is(err, sql.ErrNoRows) {
		err = topup.ErrNotFound
	}
	if err != nil {
		return e, fmt.Errorf("order %s: %w", id, err)
	}
	entries, err := j.unpack(file, place)
	if err != nil {
		return e, fmt.Errorf("order %s has been archived: %w", id, err)
	}
	for _, e := range entries {
		if e.ID == id {
			return e, nil
		}
	}
	return e, fmt.Errorf("order %s has been archived, and is not in %s at %d", id, file, place)
}

func (j *Journal) archivedRecord(ctx context.Context, id topup.ID) (record, error) {
	e, err := j.archived(ctx, id)
	if err != nil {
		return record{}, err
	}
	return e.record()
}

// unpack reads the entries of a member.
func (j *Journal) unpack(file string, place int64) ([]entry, error) {
	if j.archive == "" {
		return nil, fmt.Errorf("%s: %w", file, errNoFolder)
	}
	lines, err := j.archive.Member(file, place)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(lines))
	for i, line := range lines {
		if entries[i], err = parseEntry(line); err != nil {
			return nil, fmt.Errorf("archive %s: at %d: %w", file, place, err)
		}
	}
	return entries, nil
}

// stored is a member that is in the archive.
type stored struct {
	number int64  // of all members, rising
	file   string // that it is in
	place  int64  // in the file
	orders int    // that are read from there
}

var sqlMembers = sqls.Get("members")

// members are those with numbers above from, up to to, whose orders were placed between the two times.
func (j *Journal) members(ctx context.Context, from, to int64, since, until int64) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		for {
			page, err := list(ctx, j, func(row scanner) (m stored, err error) {
				err = row.Scan(&m.number, &m.file, &m.place, &m.orders)
				return m, err
			}, sqlMembers, from, to, since, until)
			if err != nil {
				yield(stored{}, err)
				return
			}
			for _, m := range page {
				if from = m.number; !yield(m, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// present are those of a member's entries that left with it; the others had changed when it was their turn.
func (j *Journal) present(ctx context.Context, m stored) ([]entry, error) {
	entries, err := j.unpack(m.file, m.place)
	if err != nil || len(entries) == m.orders {
		return entries, err
	}
	return j.taken(ctx, m, entries)
}

var sqlTaken = sqls.Engines("taken")

// taken are those of the entries whose ids are taken by orders of the member.
func (j *Journal) taken(ctx context.Context, m stored, entries []entry) ([]entry, error) {
	ids, err := list(ctx, j, scanID, j.engine.Words(sqlTaken), set(j.engine, idsOf(entries)), m.number)
	return slices.DeleteFunc(entries, func(e entry) bool { return !slices.Contains(ids, e.ID) }), err
}

// ArchiveCheck is what a check of the archive found.
type ArchiveCheck struct {
	Archived
	// Wrong is what does not fit together; the files' contents can then not be relied on.
	Wrong []string `json:"wrong"`
	// Unused are files that no order is read from: the orders in them are in the tables, or in other files.
	Unused []string `json:"unused"`
}

var sqlCountArchived = sqls.Get("count_archived")

// CheckArchive compares the files of the archive with their manifests, and with the orders that have left.
func (j *Journal) CheckArchive(ctx context.Context) (c ArchiveCheck, err error) {
	if j.archive == "" {
		return c, errNoFolder
	}
	files, err := j.archive.Files()
	if err != nil {
		return c, err
	}
	used := map[string]bool{}
	c.Wrong, c.Unused = []string{}, []string{}
	for m, err := range j.members(ctx, 0, math.MaxInt64, math.MinInt64, math.MaxInt64) {
		if err != nil {
			return c, err
		}
		if !used[m.file] {
			used[m.file] = true
			c.checkFile(j.archive, m.file)
		}
		if err := j.checkMember(ctx, m); err != nil {
			c.Wrong = append(c.Wrong, err.Error())
		}
		c.Orders += int64(m.orders)
	}
	c.Unused = append(c.Unused, slices.DeleteFunc(files, func(name string) bool { return used[name] })...)
	taken, err := j.number(ctx, sqlCountArchived)
	if err != nil {
		return c, err
	}
	if taken != c.Orders {
		c.Wrong = append(c.Wrong, fmt.Sprintf("%d ids are taken by archived orders; the files have %d", taken, c.Orders))
	}
	return c, nil
}

func (c *ArchiveCheck) checkFile(folder archive.Folder, name string) {
	m, err := folder.Check(name)
	if err != nil {
		c.Wrong = append(c.Wrong, err.Error())
	}
	c.Files++
	c.Bytes += m.Bytes
}

func (j *Journal) checkMember(ctx context.Context, m stored) error {
	entries, err := j.unpack(m.file, m.place)
	if err != nil {
		return err
	}
	if entries, err = j.taken(ctx, m, entries); err == nil && len(entries) != m.orders {
		err = fmt.Errorf("archive %s: at %d: %d orders are read from there; it has %d of them", m.file, m.place, m.orders,
			len(entries))
	}
	return err
}
