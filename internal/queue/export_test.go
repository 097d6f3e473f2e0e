package queue

// StopEmbedded and RestartEmbedded make the embedded Redis unreachable and reachable again.
func (q *Queue) StopEmbedded()          { q.embedded.Close() }
func (q *Queue) RestartEmbedded() error { return q.embedded.Restart() }
