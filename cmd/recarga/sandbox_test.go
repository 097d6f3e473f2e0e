package main

import (
	"net/http"
	"testing"

	"recarga/internal/command"
)

// TestSandboxProbes: the sandbox has its probes beside the distributor's API.
func TestSandboxProbes(t *testing.T) {
	vendor := start(t, nil, "", "sandbox", "--addr", "127.0.0.1:0", "--log-level", "error")
	addr := shows(t, &vendor.stdout, `RECARGA_DISTRIBUTOR_URL=http://([^/]+)`)
	want(t, nil, command.ExitOK, `^ready\n$`, `^$`, "healthcheck", "--metrics-addr", addr)
	res, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("/healthz is %s", res.Status)
	}
	vendor.stop()
	if status := vendor.ends(t); status != command.ExitOK {
		t.Errorf("exit status %d", status)
	}
}
