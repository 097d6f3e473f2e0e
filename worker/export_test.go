package worker

import "context"

// SweepOnce is one round of the sweep, for everything that is due.
func (w *Worker) SweepOnce(ctx context.Context) {
	(&sweeper{Worker: w}).sweep(ctx, 0, 0)
}

// Persistent are the waits between the tries to write a result.
var Persistent = persistent
