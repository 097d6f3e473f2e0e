// Package deploy_test holds what is shipped to what it promises.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"recarga/internal/testkit"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnitIsConfined: who takes the process over gets as little as can be.
func TestUnitIsConfined(t *testing.T) {
	lines := strings.Split(read(t, "recarga.service"), "\n")
	for _, want := range []string{
		"DynamicUser=yes", "UMask=0077", "StateDirectoryMode=0700", "NoNewPrivileges=yes",
		"CapabilityBoundingSet=", "AmbientCapabilities=", "SystemCallArchitectures=native",
		"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
		"ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "MemoryDenyWriteExecute=yes",
		"MemoryMax=1G", "LimitNOFILE=65536",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("recarga.service lacks %s", want)
		}
	}
}

// TestUnitIsWatched: systemd waits until the service is ready, restarts one that stands still, and does not cut off a
// stop: see app.TestStopsWithin, e2e.TestServiceManager.
func TestUnitIsWatched(t *testing.T) {
	lines := strings.Split(read(t, "recarga.service"), "\n")
	for _, want := range []string{
		"Type=notify", "NotifyAccess=main", "WatchdogSec=120s", "Restart=on-failure", "TimeoutStartSec=90s",
		"TimeoutStopSec=180s",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("recarga.service lacks %s", want)
		}
	}
}

// TestUnitIsUnderstood asks systemd itself.
func TestUnitIsUnderstood(t *testing.T) {
	analyze := testkit.Program(t, "systemd-analyze", "systemd")
	// It also wants the program that is started to be there.
	unit := filepath.Join(t.TempDir(), "recarga.service")
	text := regexp.MustCompile(`ExecStart=\S+`).ReplaceAllString(read(t, "recarga.service"), "ExecStart=/bin/true")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), analyze, "verify", unit).CombinedOutput()
	if err != nil || len(said) > 0 {
		t.Errorf("%v: %s", err, said)
	}
}

// TestImage: no root, nothing but the API is heard from outside, and a fixed version of everything that it is made of.
func TestImage(t *testing.T) {
	text := read(t, "../Dockerfile")
	if !strings.Contains(text, "\nUSER 65532:65532\n") {
		t.Error("the image runs as root")
	}
	for _, line := range regexp.MustCompile(`(?m)^(ENV|EXPOSE) .*`).FindAllString(text, -1) {
		if strings.Contains(line, "9464") {
			t.Errorf("the image's metrics leave loopback: %s", line)
		}
	}
	if !regexp.MustCompile(`(?m)^FROM golang:\d+\.\d+\.\d+ `).MatchString(text) {
		t.Error("the compiler's version is not fixed")
	}
}

// service is one of docker-compose.yml.
type service struct {
	Image       string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	MemLimit    string   `yaml:"mem_limit"`
	Environment map[string]string
	Ports       []string
}

// TestComposeIsConfined: every container has bounds, and is published on loopback only.
func TestComposeIsConfined(t *testing.T) {
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal([]byte(read(t, "../docker-compose.yml")), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) != 6 {
		t.Errorf("%d services", len(file.Services))
	}
	for name, s := range file.Services {
		sealed := slices.Equal(s.CapDrop, []string{"ALL"}) && slices.Contains(s.SecurityOpt, "no-new-privileges:true")
		if !sealed || s.MemLimit == "" {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		data := name == "postgres" || name == "redis"
		if !s.ReadOnly && !data {
			t.Errorf("%s can write to its root file system", name)
		}
		if s.Image != "recarga" && !regexp.MustCompile(`:\d+(\.\d+)+`).MatchString(s.Image) {
			t.Errorf("%s: the version of %s is not fixed", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is published at %s", name, p)
			}
		}
		if _, set := s.Environment["RECARGA_METRICS_ADDR"]; set {
			t.Errorf("the metrics of %s leave loopback", name)
		}
	}
}
