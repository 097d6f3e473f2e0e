package commit

import (
	"sync/atomic"
	"time"
)

// Commit is one transaction, made or not.
type Commit struct {
	// Operations that shared it.
	Operations int
	// Took is the time from the first statement to the answer, with all that was tried again.
	Took time.Duration
	// Err is why it was not made, or may not have been.
	Err error
}

// Stats counts since the Committer was started.
type Stats struct {
	// Commits made, and the Operations that shared them.
	Commits, Operations int64
	// LargestBatch is the most operations one commit had.
	LargestBatch int64
}

type stats struct {
	commits, operations, largest atomic.Int64
}

func (s *stats) add(operations int64) {
	s.commits.Add(1)
	s.operations.Add(operations)
	for most := s.largest.Load(); operations > most && !s.largest.CompareAndSwap(most, operations); {
		most = s.largest.Load()
	}
}

// Stats reports how well operations share their commits.
func (c *Committer) Stats() Stats {
	return Stats{Commits: c.stats.commits.Load(), Operations: c.stats.operations.Load(),
		LargestBatch: c.stats.largest.Load()}
}
