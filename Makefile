# Recarga's tooling. Everything runs from a fresh checkout with Go, make and git.

PKG ?= ./...
BENCH ?= .
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

# A checkout that belongs to another user (a container's, a CI runner's) must not stop a build: go asks
# git for the revision, and git refuses. The version comes from VERSION.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.DEFAULT_GOAL := help
.PHONY: help demo test chaos siege model mutants fuzz check bench build generate

# What the race detector is left out of: some 2,600 short lives of the whole program (internal/crash), and the
# end-to-end tests with thousands of orders, which mostly wait, and leave a core to the model.
ALONE := Reconcile|BulkDelays|TestOutage|EmptyAccount|Asynqmon|RandomLives

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run the whole system on this machine, with a simulated distributor
	go run ./cmd/recarga demo

test: ## Run every test, with the race detector, against real Redis and PostgreSQL
	@scripts/install-test-deps
	RECARGA_TEST_REQUIRE=1 go test -race -shuffle=on -count=1 -timeout 15m $(PKG)
ifeq ($(PKG),./...)
	model/check --quick & model=$$!; RECARGA_TEST_REQUIRE=1 go test -count=1 -timeout 15m -run '$(ALONE)' ./internal/e2e ./worker; tests=$$?; wait $$model && exit $$tests
	RECARGA_TEST_REQUIRE=1 go test -v -count=1 -timeout 15m ./internal/crash
endif

chaos: ## Kill, pause and flush at random under load (DURATION=30m RATE=30 SEED=)
	@scripts/install-test-deps
	RECARGA_TEST_REQUIRE=1 RECARGA_CHAOS_DURATION=$(DURATION) RECARGA_CHAOS_RATE=$(RATE) RECARGA_CHAOS_SEED=$(SEED) \
		go test -v -timeout 0 -run '^TestChaos$$' ./internal/e2e

siege: DURATION := $(if $(filter file,$(origin DURATION)),60s,$(DURATION))
siege: ## Attack every listener at once, beside honest orders (DURATION=60s)
	RECARGA_TEST_REQUIRE=1 RECARGA_SIEGE_DURATION=$(DURATION) go test -v -count=1 -timeout 0 -run '^TestSiege$$' ./internal/e2e

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

generate: ## Write the generated files anew
	go generate ./...

$(GOLANGCI):
	@echo "Building golangci-lint $(GOLANGCI_VERSION) into bin/tools, once; it takes a minute or two."
	@GOFLAGS= GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

$(GOVULNCHECK):
	@echo "Building govulncheck $(GOVULNCHECK_VERSION) into bin/tools, once."
	@GOFLAGS= GOBIN=$(@D) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
