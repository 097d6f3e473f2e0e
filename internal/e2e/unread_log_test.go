package e2e

import (
	"fmt"
	"testing"

	"recarga/topup"
)

// TestNobodyReadsTheLog: the reader of the log goes away, and orders are bought all the same.
func TestNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.env["RECARGA_LOG_LEVEL"] = "debug"
	p := w.start(t, "serve")
	if err := p.output.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	c := p.client()
	for i := range 3 {
		id := fmt.Sprint("UNREAD-", i)
		place(t, c, order(id, "5537686660"))
		if d := settled(t, c, topup.ID(id)); d.State != topup.StateSucceeded {
			t.Errorf("%s is %s", id, d.State)
		}
	}
}
