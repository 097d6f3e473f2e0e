package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"recarga/internal/queue"
	"recarga/tasks"
)

// What a due task may wait for a free worker: a customer stands at the checkout.
const pendingWarn, pendingFail = time.Minute, 10 * time.Minute

// count judges what each queue has too many of; fine is what is said when none has any.
func (r *redisPart) count(ctx context.Context, fine string, of func(queue.Info) (Status, string)) Finding {
	queues, err := r.inspector.Queues(ctx)
	if err != nil {
		return fail("%v", err)
	}
	var said []string
	worst := ok("%s", fine)
	for _, q := range queues {
		status, text := of(q)
		if status == OK {
			continue
		}
		said = append(said, text)
		if f := finding(status, "", nil); severity(f) > severity(worst) {
			worst = f
		}
	}
	if len(said) > 0 {
		worst.Found = strings.Join(said, ", ")
	}
	return worst
}

func (r *redisPart) paused(ctx context.Context) Finding {
	return r.count(ctx, "none", func(q queue.Info) (Status, string) {
		if q.Paused {
			return Warn, q.Queue + " is paused"
		}
		return OK, ""
	})
}

func (r *redisPart) served(ctx context.Context) Finding {
	serving, err := r.inspector.Serving()
	if err != nil {
		return fail("%v", err)
	}
	ours := []string{tasks.QueueTopups, tasks.QueueWebhooks}
	f := r.count(ctx, "", func(q queue.Info) (Status, string) {
		switch {
		case serving[q.Queue] > 0 || q.Size == 0:
			return OK, ""
		case slices.Contains(ours, q.Queue):
			return Fail, fmt.Sprintf("%d tasks in %s, which nobody serves", q.Size, q.Queue)
		default:
			return Warn, fmt.Sprintf("%d tasks in %s, which nobody serves and Recarga does not know", q.Size, q.Queue)
		}
	})
	if f.Status != OK {
		return f
	}
	return unless(serving[ours[0]] > 0 && serving[ours[1]] > 0, Warn, "%d servers for %s, %d for %s", serving[ours[0]],
		ours[0], serving[ours[1]], ours[1])
}

func (r *redisPart) archived(ctx context.Context) Finding {
	return r.count(ctx, "none", func(q queue.Info) (Status, string) {
		if q.Archived > 0 {
			return Warn, fmt.Sprintf("%d in %s", q.Archived, q.Queue)
		}
		return OK, ""
	})
}

func (r *redisPart) pending(ctx context.Context) Finding {
	return r.count(ctx, "none waits long", func(q queue.Info) (Status, string) {
		text := fmt.Sprintf("%s waits for %s", q.Queue, q.Latency.Round(time.Second))
		switch {
		case q.Latency > pendingFail:
			return Fail, text
		case q.Latency > pendingWarn:
			return Warn, text
		default:
			return OK, ""
		}
	})
}

// leaseless counts active tasks that nobody has a valid lease of.
func (r *redisPart) leaseless(ctx context.Context) Finding {
	return r.count(ctx, "none", func(q queue.Info) (Status, string) {
		switch n, err := r.inspector.Leaseless(ctx, q.Queue); {
		case err != nil:
			return Fail, fmt.Sprintf("%s: %v", q.Queue, err)
		case n > 0:
			return Warn, fmt.Sprintf("%d in %s", n, q.Queue)
		default:
			return OK, ""
		}
	})
}
