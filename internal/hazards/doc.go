// Package hazards has no code, only tests: what asynq can do to money. Each test runs one scenario on a plain worker,
// as people usually write it, and on ours. The plain worker charges twice or loses the order, which proves that the
// scenario is dangerous; ours charges once. The test asks the distributor's own ledger what was charged.
//
//	 1  kill -9 in the middle of a purchase                    TestHazard01KillMidCall
//	 2  a process that was paused continues where it stopped  TestHazard02Zombie
//	 3  the same, in a worker that had checked its context     TestHazard03CheckThenPause
//	 4  Redis refuses a finished task's removal for a moment   TestHazard04DoneRefused
//	 5  a canceled task is retried while its handler runs      TestHazard05CanceledHandlerRuns
//	 6  a shutdown gives a running task to somebody else       TestHazard06ShutdownRequeues
//	 7  two servers take back the same lost task               TestHazard07StaleRecoverer
//	 8  a running task's lease is not renewed any more         TestHazard08LeaseNotRenewed
//	 9  the answer to an enqueue is lost                       TestHazard09EnqueueAnswerLost
//	10  the answer to a dequeue is lost                        TestHazard10DequeueAnswerLost
//	19  a waiting task's hash is deleted or evicted            TestHazard19HashDeleted
//	20  a task is active without a lease                       TestHazard20ActiveWithoutLease
//
// asynq's own waits are long: a lease of 30 s, a search for lost leases every minute, a retry half a minute later. The
// tests shorten them from outside: they move the times in Redis into the past, and the next server that starts does
// what asynq would have done by itself.
package hazards
