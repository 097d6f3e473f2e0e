package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"recarga/internal/journal/archived"
)

// archiveEvery is the longest time between two searches for orders that are old enough to leave. Orders leave by whole
// days, so that nearly all searches find nothing.
const archiveEvery = time.Hour

// startArchiver needs the journal; its end needs to come before the journal's.
func (n *Node) startArchiver(context.Context) error {
	if n.settings.Retention == 0 || n.settings.Archive() == "" {
		return nil
	}
	n.background(n.archiveOld)
	return nil
}

// archiveOld archives soon after the start, and then again and again; not all workers at once.
func (n *Node) archiveOld(ctx context.Context) {
	for wait := archiveEvery / 60; sleep(ctx, wait+rand.N(wait)) == nil; wait = archiveEvery / 2 {
		n.archiveBy(ctx, time.Now())
	}
}

func (n *Node) archiveBy(ctx context.Context, now time.Time) {
	before := n.settings.ArchiveBefore(now)
	moved, err := n.journal.Archive(ctx, before, now, nil)
	if moved.Orders > 0 {
		n.log.Info("orders archived", "orders", moved.Orders, "files", moved.Files, "bytes", moved.Bytes, "ended_before",
			before)
	}
	failed := err != nil && ctx.Err() == nil && !errors.Is(err, archived.ErrArchiving)
	if failed {
		n.log.Error("orders not archived", "error", err)
	}
	n.metrics.Archived(moved.Orders, !failed)
}

// sleep waits; the error is the context's, where that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
