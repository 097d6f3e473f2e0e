// Package archived is the orders that have left the tables for the archive: it moves them there, finds them again by
// their ids, and checks that they are whole. internal/archive keeps the files.
package archived

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"recarga/internal/archive"
	"recarga/internal/journal/tables"
	"recarga/internal/sqlfile"
	"recarga/topup"
)

//go:embed sql
var sqlFiles embed.FS

var sqls = sqlfile.Load(sqlFiles, "sql")

var errNoFolder = errors.New("archive: no folder is set")

// Orders reads the orders that have left.
type Orders struct {
	db     *tables.DB
	folder archive.Folder
}

// In are the orders that have left a database for a folder; "": there is none, and what has left cannot be read.
func In(db *tables.DB, folder archive.Folder) *Orders { return &Orders{db, folder} }

// Entry is an order that has left, or topup.ErrNotFound.
func (o *Orders) Entry(ctx context.Context, id topup.ID) (Entry, error) {
	m, err := tables.One(ctx, o.db, scanMember, sqls.Get("archived"), string(id))
	if err != nil {
		return Entry{}, fmt.Errorf("order %s: %w", id, err)
	}
	entries, err := o.unpack(m)
	if err != nil {
		return Entry{}, fmt.Errorf("order %s has been archived: %w", id, err)
	}
	for _, e := range entries {
		if e.ID == id {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("order %s has been archived, and is not in %s at %d", id, m.file, m.place)
}

// Order is the row of an order that has left, as far as a repeat or a refusal looks at it, or topup.ErrNotFound.
func (o *Orders) Order(ctx context.Context, id topup.ID) (tables.Record, error) {
	e, err := o.Entry(ctx, id)
	if err != nil {
		return tables.Record{}, err
	}
	return e.record()
}

// member is orders that left together.
type member struct {
	number int64  // of all members, rising
	file   string // that it is in
	place  int64  // in the file
	orders int    // that are read from there
}

func scanMember(row tables.Scanner) (m member, err error) {
	err = row.Scan(&m.number, &m.file, &m.place, &m.orders)
	return m, err
}

// unpack reads the entries of a member.
func (o *Orders) unpack(m member) ([]Entry, error) {
	if o.folder == "" {
		return nil, fmt.Errorf("%s: %w", m.file, errNoFolder)
	}
	lines, err := o.folder.Member(m.file, m.place)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(lines))
	for i, line := range lines {
		if entries[i], err = parse(line); err != nil {
			return nil, fmt.Errorf("archive %s: at %d: %w", m.file, m.place, err)
		}
	}
	return entries, nil
}

// Newest is the number of the newest member.
func Newest(ctx context.Context, t *sql.Tx) (number int64, err error) {
	err = t.QueryRowContext(ctx, sqls.Get("newest_member")).Scan(&number)
	return number, err
}

// Range chooses orders that have left.
type Range struct {
	// After and UpTo bound the numbers of members; After is not included.
	After, UpTo int64
	// Since and Until bound, in microseconds, when the orders were placed: members without any of those are left out.
	Since, Until int64
	// EndedSince leaves out files whose orders all ended before it. Zero: none.
	EndedSince time.Time
}

// Everything is all that has left.
func Everything() Range {
	return Range{UpTo: math.MaxInt64, Since: math.MinInt64, Until: math.MaxInt64}
}

// members are those of a Range, but for its EndedSince, by their numbers.
func (o *Orders) members(ctx context.Context, in Range) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		for {
			page, err := tables.List(ctx, o.db, scanMember, sqls.Get("members"), in.After, in.UpTo, in.Since, in.Until)
			if err != nil {
				yield(member{}, err)
				return
			}
			for _, m := range page {
				if in.After = m.number; !yield(m, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// Left are the orders that have left, member by member; beside those of the Range others may come. An error is the
// last that comes.
func (o *Orders) Left(ctx context.Context, in Range) iter.Seq2[Entry, error] {
	oldest := archive.MadeFrom(in.EndedSince)
	return func(yield func(Entry, error) bool) {
		for m, err := range o.members(ctx, in) {
			if err == nil && m.file < oldest { // all orders of a file ended before it was made
				continue
			}
			var entries []Entry
			if err == nil {
				entries, err = o.entries(ctx, m)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// With are the orders that some ids are of, and those that left together with them.
func (o *Orders) With(ctx context.Context, ids []topup.ID) (all []Entry, err error) {
	members, err := tables.List(ctx, o.db, scanMember, o.db.Words(sqls.Engines("members_of")), tables.Set(o.db, ids))
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		entries, err := o.entries(ctx, m)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

// entries are those of a member that left with it; the others had changed when it was their turn.
func (o *Orders) entries(ctx context.Context, m member) ([]Entry, error) {
	entries, err := o.unpack(m)
	if err != nil || len(entries) == m.orders {
		return entries, err
	}
	return o.taken(ctx, m, entries)
}

// taken are those of the entries whose ids are taken by orders of the member.
func (o *Orders) taken(ctx context.Context, m member, entries []Entry) ([]Entry, error) {
	ids := make([]topup.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	ids, err := tables.List(ctx, o.db, func(row tables.Scanner) (id topup.ID, err error) {
		err = row.Scan(&id)
		return id, err
	}, o.db.Words(sqls.Engines("taken")), tables.Set(o.db, ids), m.number)
	return slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(ids, e.ID) }), err
}
