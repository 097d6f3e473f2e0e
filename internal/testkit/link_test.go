package testkit

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestLink: each state does to a conversation what it says, and Heal ends it.
func TestLink(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	heard := make(chan byte, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for b := make([]byte, 1); ; {
					if _, err := conn.Read(b); err != nil {
						return
					}
					heard <- b[0]
					if _, err := conn.Write(b); err != nil {
						return
					}
				}
			}()
		}
	}()
	l := NewLink(t, listener.Addr().String())
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	// say sends one byte, and returns the error of the answer.
	say := func(conn net.Conn, within time.Duration) error {
		if _, err := conn.Write([]byte{'x'}); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	gone := func(err error) bool { return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) }

	conn := dial()
	if err := say(conn, Patience); err != nil || <-heard != 'x' {
		t.Fatalf("healthy: %v", err)
	}
	l.Slow(30 * time.Millisecond)
	began := time.Now()
	if err := say(conn, Patience); err != nil || time.Since(began) < 60*time.Millisecond {
		t.Errorf("slow: %v after %s", err, time.Since(began))
	}
	<-heard
	l.Stall()
	if err := say(conn, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || len(heard) != 0 {
		t.Errorf("stalled: %v, %d bytes arrived", err, len(heard))
	}
	l.Heal()
	_ = conn.SetReadDeadline(time.Now().Add(Patience))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil || <-heard != 'x' {
		t.Errorf("what was held back does not arrive: %v", err)
	}
	l.Mute()
	if err := say(conn, Patience); !gone(err) || <-heard != 'x' {
		t.Errorf("mute: %v", err)
	}
	l.Heal()
	conn = dial()
	if err := say(conn, Patience); err != nil {
		t.Errorf("healed: %v", err)
	}
	l.Cut()
	if err := say(conn, Patience); !gone(err) {
		t.Errorf("cut: %v", err)
	}
	if err := say(dial(), Patience); !gone(err) {
		t.Errorf("cut: a new connection: %v", err)
	}

	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	l.Turn(other.Addr().String())
	conn = dial()
	if to, err := other.Accept(); err != nil {
		t.Errorf("turned: %v", err)
	} else if _, err := to.Write([]byte{'y'}); err != nil {
		t.Errorf("turned: %v", err)
	}
	if err := say(conn, Patience); err != nil {
		t.Errorf("turned: %v", err)
	}
}
