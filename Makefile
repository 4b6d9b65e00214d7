# Everything a developer does here. `make` alone lists it.

FUZZTIME ?= 20s

.DEFAULT_GOAL := help
.PHONY: help build test bench soak mutants lint fuzz fmt clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary, ./permesso
	CGO_ENABLED=0 go build -trimpath -o permesso ./cmd/permesso

test: ## everything, on SQLite and on a PostgreSQL of its own; installs what is missing
	@.ci/install compiler postgresql chromium axe
	@.ci/lint
	@.ci/with-postgres .ci/test

bench: ## the whole path against a bare HTTP client, imports and plans of a million, on both databases; check of 500 campaigns
	@.ci/install postgresql
	@.ci/with-postgres go test -run '^$$' -bench . -benchtime 5x -timeout 30m ./internal/bench/...
	@go test -run '^$$' -bench Check500 -benchtime 5x ./cmd/permesso

soak: ## the proof at length, which writes docs/RELIABILITY.md: every scenario with ten seeds, the simulation, the mutants; hours
	@.ci/install postgresql
	@.ci/with-postgres .ci/soak

mutants: ## the program with each of many deliberate bugs: the proof must find them all
	@.ci/install postgresql
	@.ci/with-postgres go run ./internal/proof/mutants

lint: ## gofmt, go vet, staticcheck, govulncheck, and golangci-lint where it is installed
	@.ci/lint
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed: .golangci.yml was not applied"; fi

fuzz: ## every fuzz target for FUZZTIME (20s)
	@.ci/fuzz $(FUZZTIME)

fmt: ## gofmt the tree
	gofmt -w .

clean: ## remove what build made
	rm -f permesso
