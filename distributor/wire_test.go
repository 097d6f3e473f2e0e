package distributor

import (
	"errors"
	"net"
	"testing"
	"time"
)

// TestWireKeepsItsWord: what was declared not sent is never written afterwards, and a write that is
// still under way counts as sent.
func TestWireKeepsItsWord(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close(); _ = theirs.Close() }()
	w := &wire{Conn: ours}
	before := w.expect(time.Now().Add(time.Minute))
	wrote := make(chan error, 1)
	go func() {
		_, err := w.Write([]byte("request"))
		wrote <- err
	}()
	one := make([]byte, 1)
	if _, err := theirs.Read(one); err != nil { // the rest of the write is still under way
		t.Fatal(err)
	}
	if !w.left(before) {
		t.Error("a write under way counts as not sent")
	}
	_ = theirs.Close()
	if err := <-wrote; err == nil {
		t.Error("a write that was cut off succeeds")
	}

	late := &wire{Conn: ours}
	before = late.expect(time.Now().Add(-time.Millisecond))
	if _, err := late.Write([]byte("x")); !errors.Is(err, errTooLate) || late.left(before) {
		t.Errorf("too late: %v", err)
	}
	given := &wire{Conn: ours}
	if before = given.expect(time.Now().Add(time.Minute)); given.left(before) {
		t.Error("nothing was written, and counts as sent")
	}
	if _, err := given.Write([]byte("x")); !errors.Is(err, errClosed) {
		t.Errorf("a write after it was declared not sent: %v", err)
	}
}
