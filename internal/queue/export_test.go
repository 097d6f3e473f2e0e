package queue

// StopEmbedded and RestartEmbedded make the embedded Redis unreachable and reachable again.
func (q *Queue) StopEmbedded()          { q.embedded.Close() }
func (q *Queue) RestartEmbedded() error { return q.embedded.Restart() }

// ProcessAt is asynq's time for a task that is due at another one, and Nearly is how long a process keeps the time.
var ProcessAt = processAt

const Nearly = nearly
