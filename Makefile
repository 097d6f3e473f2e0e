# Recarga's tooling. Everything runs from a fresh checkout with Go, make and git.

# The packages whose tests take longest come first: so none of them is left to run alone at the end.
LONGEST := $(addprefix ./,internal/e2e internal/journal internal/testkit internal/api internal/sim/reference \
	cmd/recarga internal/reconcile internal/queue internal/sim internal/crash internal/table internal/console worker)
PKG ?= $(LONGEST) ./...
BENCH ?= .
BOUNDED ?=
TIERS ?=
TARGETS ?=
TWICE ?=
DURATION ?= 2m
RATE ?= 30
SEED ?=
ONLY ?= .
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# A tool is built once, from the Go module proxy, into a folder of its version.
GOLANGCI_VERSION := v2.15.0
TOOLS := $(CURDIR)/bin/tools
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck
# The tests of deploy/ render the chart, and read what was rendered as Kubernetes does.
HELM_VERSION := v4.3.1
HELM := $(TOOLS)/helm-$(HELM_VERSION)/helm
STRICT := $(TOOLS)/strict/strict
# The tests of internal/metrics ask Prometheus' own library whether the alerts fire.
PROMCHECK := $(TOOLS)/promcheck/promcheck
CYCLONEDX_VERSION := v1.10.0
CYCLONEDX := $(TOOLS)/cyclonedx-gomod-$(CYCLONEDX_VERSION)/cyclonedx-gomod
NFPM_VERSION := v2.45.2
NFPM := $(TOOLS)/nfpm-$(NFPM_VERSION)/nfpm
# What makes the bytes of a release is built by the compiler of the image: another one would compress otherwise.
PINNED_GO = GOTOOLCHAIN=go$(shell sed -n 's/^FROM golang:\([0-9.]*\) .*/\1/p' Dockerfile)

# A checkout that belongs to another user (a container's, a CI runner's) must not stop a build: go asks
# git for the revision, and git refuses. The version comes from VERSION.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.DEFAULT_GOAL := help
.PHONY: help demo test prove sim chaos siege model mutants fuzz check bench build release generate

# Tests mostly wait, for a commit or an answer: more of them run than there are cores.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
AT_ONCE := -p $(shell echo $$((2 * $(CORES)))) -parallel $(shell echo $$((4 * $(CORES))))

# SQLite is C that was translated into Go, and go-cmp only compares. The race detector watches whatever calls them, and
# not their insides: that would take half of the time of all tests.
UNWATCHED := $(addsuffix =-race=false,$(addprefix -gcflags=,modernc.org/sqlite/lib modernc.org/libc \
	github.com/google/go-cmp/cmp/...))

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run the whole system on this machine, with a simulated distributor
	go run ./cmd/recarga demo

# The race detector would keep each program for a second after its end.
test: export GORACE := atexit_sleep_ms=0
# Memory for time: under the race detector a tenth of the work is the garbage collector's.
test: export GOGC := 400
test: export GOFLAGS := $(GOFLAGS) $(UNWATCHED)
test: $(HELM) $(STRICT) $(PROMCHECK) ## Run every test, with the race detector, against real Redis and PostgreSQL
	@scripts/install-test-deps
	RECARGA_TEST_REQUIRE=1 scripts/in-memory go test -race -shuffle=on -count=1 -timeout 30m $(AT_ONCE) $(PKG)

prove: export RACE := -race $(UNWATCHED)
prove: ## Run the long proofs: every crash boundary, chaos, model … (BOUNDED=yes: some of each; TIERS=model)
	@scripts/install-test-deps
	scripts/in-memory scripts/prove $(if $(BOUNDED),--bounded) $(TIERS)

sim: SEEDS ?= 10000
sim: ## Simulate lives that a seed decides; from SEEDS=200000 every rare pair must be reached (SEED=7: show one)
ifeq ($(SEED),)
	go test -v -count=1 -timeout 0 -run '^TestLives$$' ./internal/sim -seeds $(SEEDS) -jobs $(CORES) $(shell test $(SEEDS) -lt 200000 || echo -every)
else
	go test -v -count=1 -run '^TestLives$$' ./internal/sim -seed $(SEED) -seeds 1 -story
endif

chaos: ## Break whatever can break, at random and under load (DURATION=30m RATE=30 SEED=)
	@scripts/install-test-deps
	RECARGA_TEST_REQUIRE=1 RECARGA_PROVE=1 RECARGA_CHAOS_DURATION=$(DURATION) RECARGA_CHAOS_RATE=$(RATE) RECARGA_CHAOS_SEED=$(SEED) \
		go test -v -timeout 0 -run '^TestChaos$$' ./internal/e2e

siege: DURATION := $(if $(filter file,$(origin DURATION)),60s,$(DURATION))
siege: ## Attack every listener at once, beside honest orders (DURATION=60s)
	RECARGA_TEST_REQUIRE=1 RECARGA_PROVE=1 RECARGA_SIEGE_DURATION=$(DURATION) go test -v -count=1 -timeout 0 -run '^TestSiege$$' ./internal/e2e

model: ## Check the model of an order's life exhaustively, with spin
	model/check

mutants: ## Break the path of the money in many ways, and see a test notice each (ONLY=worker)
	RECARGA_TEST_REQUIRE=1 nice go run ./scripts/mutants -only '$(ONLY)'

fuzz: ## Run every fuzz target for a while (DURATION=30m: each)
	scripts/fuzz $(DURATION)

check: $(GOLANGCI) $(GOVULNCHECK) ## Check format, vet, lint, go.mod, generated files and known vulnerabilities
	@files=$$(gofmt -l .); test -z "$$files" || { echo "not formatted: run gofmt -w on $$files"; exit 1; }
	@scripts/check-sleeps
	@go run ./scripts/words
	go vet ./...
	$(GOLANGCI) run ./...
	go mod tidy -diff
	@scripts/check-generated
	@scripts/check-vulnerabilities $(GOVULNCHECK)

bench: ## Run the Go benchmarks (PKG=./internal/journal BENCH=Begin)
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

build: ## Build the static program bin/recarga
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/recarga ./cmd/recarga

release: $(CYCLONEDX) $(NFPM) ## Build archives, packages, SBOMs and checksums into dist (TWICE=yes: compare two builds; TARGETS=linux/amd64)
	$(PINNED_GO) go run ./scripts/release -sbom $(CYCLONEDX) -nfpm $(NFPM) $(if $(TARGETS),-only $(TARGETS)) $(if $(TWICE),-twice)

generate: $(HELM) ## Write the generated files anew
	go generate ./...

$(GOLANGCI):
	@echo "Building golangci-lint $(GOLANGCI_VERSION) into bin/tools, once; it takes a minute or two."
	@GOFLAGS= GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(GOVULNCHECK):
	@echo "Building govulncheck $(GOVULNCHECK_VERSION) into bin/tools, once."
	@GOFLAGS= GOBIN=$(@D) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

$(HELM):
	@echo "Building helm $(HELM_VERSION) into bin/tools, once; it takes a few minutes."
	@GOFLAGS= GOBIN=$(@D) go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

$(STRICT): $(wildcard deploy/strict/*)
	@echo "Building deploy/strict into bin/tools."
	@GOFLAGS=-buildvcs=false go -C deploy/strict build -o $@ .

$(PROMCHECK): $(wildcard deploy/promcheck/*)
	@echo "Building deploy/promcheck into bin/tools, once; it takes a minute."
	@GOFLAGS=-buildvcs=false go -C deploy/promcheck build -o $@ .

$(CYCLONEDX):
	@echo "Building cyclonedx-gomod $(CYCLONEDX_VERSION) into bin/tools, once."
	@$(PINNED_GO) GOFLAGS= GOBIN=$(@D) go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)

$(NFPM):
	@echo "Building nfpm $(NFPM_VERSION) into bin/tools, once."
	@$(PINNED_GO) GOFLAGS= GOBIN=$(@D) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
