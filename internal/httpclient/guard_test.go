package httpclient_test

import (
	"bufio"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"recarga/internal/httpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rawServer answers every request with what answer writes, and says on ended that the client has closed
// the connection.
func rawServer(t *testing.T, answer func(net.Conn)) (url string, ended <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 1)
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err == nil {
			answer(conn)
			_, _ = io.Copy(io.Discard, in)
			closed <- struct{}{}
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return "http://" + listener.Addr().String(), closed
}

// again writes a text until the client has gone.
func again(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

func once(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// TestEveryAnswerEnds: no answer, however it is made, outlives the request's context, and a 101 does not
// even wait for it.
func TestEveryAnswerEnds(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	for _, c := range []struct {
		name   string
		answer func(net.Conn)
		want   error
	}{
		{"101", once(switching), httpclient.ErrSwitchingProtocols},
		{"101 and words without end", again(switching), httpclient.ErrSwitchingProtocols},
		{"101 without headers", once("HTTP/1.1 101 x\r\n\r\n"), httpclient.ErrSwitchingProtocols},
		{"103, then 101", once("HTTP/1.1 103 Early Hints\r\n\r\n" + switching), httpclient.ErrSwitchingProtocols},
		{"103, then silence", once("HTTP/1.1 103 Early Hints\r\n\r\n"), context.DeadlineExceeded},
		{"103 without end", slowly("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), context.DeadlineExceeded},
		{"100 and 102 without end", again("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n"), nil},
		{"a header without end", again("HTTP/1.1 200 OK\r\nX: y\r\n"), nil},
		{"a line without end", again("HTTP/1.1 200 OK "), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, ended := rawServer(t, c.answer)
			base := &http.Transport{MaxResponseHeaderBytes: httpclient.MaxHeader}
			client := &http.Client{Transport: httpclient.Guard{Base: base}}
			defer client.CloseIdleConnections()
			timeout := time.Minute
			if errors.Is(c.want, context.DeadlineExceeded) {
				timeout = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err == nil {
				t.Fatalf("answered %s", res.Status)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if timeout == time.Minute && ctx.Err() != nil {
				t.Error("it took the whole timeout")
			}
			<-ended // the connection is closed
		})
	}
}

// slowly writes a text until the client has gone, so seldom that no bound of the header is reached.
func slowly(text string) func(net.Conn) {
	return func(conn net.Conn) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// TestEveryClientIsGuarded: no file of the program makes requests of its own without the guard.
func TestEveryClientIsGuarded(t *testing.T) {
	const root = "../.."
	found := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"), strings.Contains(path, "httpclient"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		guarded, clients := uses(file, "httpclient", "Guard"), uses(file, "http", "Transport", "DefaultTransport")
		found += clients
		if guarded < clients {
			t.Errorf("%s has %d transports, and %d httpclient.Guard", path, clients, guarded)
		}
		if n := uses(file, "http", "DefaultClient", "Get", "Head", "Post", "PostForm"); n > 0 {
			t.Errorf("%s sends requests past httpclient.Guard", path)
		}
		return nil
	})
	if err != nil || found < 5 {
		t.Errorf("%d transports found: %v", found, err)
	}
}

// uses counts a package's names in a file; of a type it counts the literals.
func uses(file *ast.File, pkg string, names ...string) (n int) {
	types := map[ast.Expr]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CompositeLit:
			types[node.Type] = true
		case *ast.SelectorExpr:
			x, ok := node.X.(*ast.Ident)
			isType := node.Sel.Name == "Transport" || node.Sel.Name == "Guard"
			if ok && x.Name == pkg && slices.Contains(names, node.Sel.Name) && (!isType || types[node]) {
				n++
			}
		}
		return true
	})
	return n
}
