package hazards

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fate is what becomes of one command on its way to Redis.
type fate int

const (
	pass fate = iota
	// refuse answers with an error, and Redis never sees it.
	refuse
	// lose lets Redis do it, and cuts the connection instead of passing on the answer, unless that is
	// an error or nil. It happens once.
	lose
)

// proxy stands between a worker and Redis.
type proxy struct {
	addr, redis string
	rule        func(command []string) fate
	// hit is closed when something was refused or lost for the first time.
	hit  chan struct{}
	once sync.Once
}

// newProxy passes commands on to Redis as the rule says. The rule may block, to hold a command back.
func newProxy(t *testing.T, redis string, rule func(command []string) fate) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{addr: listener.Addr().String(), redis: redis, rule: rule, hit: make(chan struct{})}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// strike notes that the harm is done, and reports whether it is the first time.
func (p *proxy) strike() (first bool) {
	p.once.Do(func() { close(p.hit); first = true })
	return first
}

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.redis)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var losing atomic.Bool
	go p.answers(client, server, &losing)
	in := bufio.NewReader(client)
	for {
		command, raw, err := readCommand(in)
		if err != nil {
			return
		}
		switch p.rule(command) {
		case refuse:
			p.strike()
			// No other answer can be under way: asynq's scripts are never sent in a pipeline.
			if _, err := io.WriteString(client, "-ERR refused by the test\r\n"); err != nil {
				return
			}
			continue
		case lose:
			losing.Store(true)
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

func (p *proxy) answers(client, server net.Conn, losing *atomic.Bool) {
	defer func() { _ = client.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if losing.Swap(false) && says(buffer[:n]) && p.strike() {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// says reports whether an answer has content: it is no error, and not nil.
func says(answer []byte) bool {
	return answer[0] == ':' || answer[0] == '$' && answer[1] != '-'
}

// readCommand reads one command, as it is and in words.
func readCommand(in *bufio.Reader) (command []string, raw []byte, err error) {
	number := func(kind byte) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		raw = append(raw, line...)
		if line[0] != kind {
			return 0, fmt.Errorf("%q where %q was expected", line, kind)
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	words, err := number('*')
	for i := 0; i < words && err == nil; i++ {
		var size int
		if size, err = number('$'); err != nil {
			break
		}
		word := make([]byte, size+2)
		_, err = io.ReadFull(in, word)
		command, raw = append(command, string(word[:size])), append(raw, word...)
	}
	return command, raw, err
}

// script reports whether a command runs the script of asynq that has so many keys, the one at the index
// ending so: that is how they differ.
func script(command []string, keys, index int, suffix string) bool {
	if len(command) < 3+keys || !strings.HasPrefix(strings.ToLower(command[0]), "eval") ||
		command[2] != strconv.Itoa(keys) {
		return false
	}
	return strings.HasSuffix(command[3+index], suffix)
}

func isEnqueue(command []string) bool { return script(command, 2, 1, "}:pending") }
func isDequeue(command []string) bool { return script(command, 4, 0, "}:pending") }
func isDone(command []string) bool    { return script(command, 5, 0, "}:active") }
func isRetry(command []string) bool   { return script(command, 8, 3, "}:retry") }

func isRenewal(command []string) bool {
	return len(command) > 2 && strings.EqualFold(command[0], "zadd") && strings.HasSuffix(command[1], "}:lease") &&
		strings.EqualFold(command[2], "xx")
}

// ruleIf is a rule that treats some commands so.
func ruleIf(match func([]string) bool, treat fate) func([]string) fate {
	return func(command []string) fate {
		if match(command) {
			return treat
		}
		return pass
	}
}
