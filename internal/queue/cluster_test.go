package queue_test

import (
	"fmt"
	"testing"
	"time"

	"recarga/internal/testkit"
	"recarga/topup"
)

// TestClusterFailover: a master dies, and its replica takes over. Whatever the cluster takes again, the queue does soon,
// not when its client reads the cluster's map by itself, once a minute.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	cluster := testkit.Cluster(t)
	q := open(t, cluster.URL)
	enqueue := func(i int) error {
		return q.EnqueueOrder(t.Context(), topup.Request{
			ID: topup.ID(fmt.Sprintf("C-%d", i)), Phone: "5537686660", Product: "MOVISTAR_TAE", Amount: topup.Pesos(10),
		}, time.Time{})
	}
	if err := enqueue(0); err != nil {
		t.Fatal(err)
	}
	for i, server := range cluster.Servers[:len(cluster.Servers)/2] { // one of them has the orders' queue
		server.Kill()
		testkit.Eventually(t, testkit.Patience, func() bool {
			return cluster.Client(t).Set(t.Context(), "{topups}", 1, 0).Err() == nil
		}, "the cluster lets a replica take over")
		began := time.Now()
		testkit.Eventually(t, 30*time.Second, func() bool { return enqueue(i+1) == nil }, "the queue finds it")
		server.Start()
		t.Logf("orders are enqueued %s after the cluster takes them again", time.Since(began).Round(time.Millisecond))
	}
}
