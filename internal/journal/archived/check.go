package archived

import (
	"context"
	"fmt"
	"slices"

	"recarga/internal/archive"
)

// Check is what a check of the archive found.
type Check struct {
	Totals
	// Wrong is what does not fit together; the files' contents can then not be relied on.
	Wrong []string `json:"wrong"`
	// Unused are files that no order is read from: the orders in them are in the tables, or in other files.
	Unused []string `json:"unused"`
}

// CheckArchive compares the files of the archive with their manifests, and with the orders that have left.
func (m *Mover) CheckArchive(ctx context.Context) (c Check, err error) {
	if m.folder == "" {
		return c, errNoFolder
	}
	files, err := m.folder.Files()
	if err != nil {
		return c, err
	}
	used := map[string]bool{}
	c.Wrong, c.Unused = []string{}, []string{}
	for one, err := range m.orders.members(ctx, Everything()) {
		if err != nil {
			return c, err
		}
		if !used[one.file] {
			used[one.file] = true
			c.checkFile(m.folder, one.file)
		}
		if err := m.orders.check(ctx, one); err != nil {
			c.Wrong = append(c.Wrong, err.Error())
		}
		c.Orders += int64(one.orders)
	}
	c.Unused = append(c.Unused, slices.DeleteFunc(files, func(name string) bool { return used[name] })...)
	taken, err := m.db.Number(ctx, sqls.Get("count_archived"))
	if err == nil && taken != c.Orders {
		c.Wrong = append(c.Wrong, fmt.Sprintf("%d ids are taken by archived orders; the files have %d", taken, c.Orders))
	}
	return c, err
}

func (c *Check) checkFile(folder archive.Folder, name string) {
	m, err := folder.Check(name)
	if err != nil {
		c.Wrong = append(c.Wrong, err.Error())
	}
	c.Files++
	c.Bytes += m.Bytes
}

func (o *Orders) check(ctx context.Context, m member) error {
	entries, err := o.unpack(m)
	if err != nil {
		return err
	}
	if entries, err = o.taken(ctx, m, entries); err == nil && len(entries) != m.orders {
		err = fmt.Errorf("archive %s: at %d: %d orders are read from there; it has %d of them", m.file, m.place, m.orders,
			len(entries))
	}
	return err
}
