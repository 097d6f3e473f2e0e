//go:build unix

package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"recarga/internal/servers"
)

// poll is how often a condition is checked that gives no signal.
const poll = 5 * time.Millisecond

// Eventually waits until cond is true, asking often, and fails the test with msg when it is not so
// within timeout.
func Eventually(tb testing.TB, timeout time.Duration, cond func() bool, msg string, args ...any) {
	tb.Helper()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for deadline := time.Now().Add(timeout); !cond(); <-ticker.C {
		if time.Now().After(deadline) {
			tb.Fatalf("after %s: %s", timeout, fmt.Sprintf(msg, args...))
		}
	}
}

// Dwindles waits until nothing is left, for as long as ever less is: a busy machine may take what time it needs. It
// fails the test with msg when nothing has become less for Patience.
func Dwindles(tb testing.TB, left func() int, msg string, args ...any) {
	tb.Helper()
	for least := left(); least > 0; {
		Eventually(tb, Patience, func() bool { return left() < least }, "%s: %d are left", fmt.Sprintf(msg, args...), least)
		least = left()
	}
}

// FreePort is a TCP port of 127.0.0.1 that was free a moment ago; another program may take it first.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := servers.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// Chromium is the path of a Chromium or Chrome.
func Chromium(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
		"/Applications/Chromium.app/Contents/MacOS/Chromium",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(tb, "chromium not found: apt-get install chromium, or run make test")
	return ""
}

// Node is a folder with the packages of another one's package-lock.json, which node can run in.
func Node(tb testing.TB, from string) (folder string) {
	tb.Helper()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(tb, name+" not found: apt-get install nodejs npm, or run make test")
		}
	}
	folder = tb.TempDir()
	if err := os.CopyFS(folder, os.DirFS(from)); err != nil {
		tb.Fatal(err)
	}
	install := exec.CommandContext(tb.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		tb.Fatalf("npm ci: %v\n%s", err, out)
	}
	return folder
}

// Program returns where a program is, which a package of Debian has.
func Program(tb testing.TB, name, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(tb, name+" not found: apt-get install "+debian+", or run make test")
	}
	return path
}

// Built returns the path of a program that the Makefile builds.
func Built(tb testing.TB, path string) string {
	tb.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(tb, path+" is not built: run make test")
	}
	return path
}

// missing ends a test whose server program is not there.
func missing(tb testing.TB, text string) {
	tb.Helper()
	if os.Getenv("RECARGA_TEST_REQUIRE") == "1" {
		tb.Fatal(text)
	}
	tb.Skip(text)
}
