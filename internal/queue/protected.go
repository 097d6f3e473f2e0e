package queue

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// greetingTimeout is what a server may take that says something to whoever connects. Most say nothing.
const greetingTimeout = time.Second

// Protected returns an error where a server of the options is in protected mode, nil where none says so. Such a server
// says why and closes the connection at once; the client has written by then, and knows a broken pipe only.
func Protected(ctx context.Context, options *redis.UniversalOptions) error {
	if options.TLSConfig != nil || options.Dialer != nil {
		return nil // it says so in plain text, over the network
	}
	for _, addr := range options.Addrs {
		if said := greeting(ctx, addr); strings.HasPrefix(said, "-DENIED") {
			return fmt.Errorf("redis at %s is in protected mode: without a password it takes connections of its own machine "+
				"alone; must have a password (requirepass in redis.conf, or ACL SETUSER), which the URL then has too", addr)
		}
	}
	return nil
}

// greeting is the line that a server sends to whoever connects; empty where it waits to be asked.
func greeting(ctx context.Context, addr string) string {
	dialer := net.Dialer{Timeout: greetingTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()                       // nothing was written
	_ = conn.SetReadDeadline(time.Now().Add(greetingTimeout)) // a connection of TCP has deadlines
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}
