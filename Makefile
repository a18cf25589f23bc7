# Every command that this project is worked with. `make test` is what CI runs.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
.PHONY: build demo test lint
.DEFAULT_GOAL := build

# Compiler messages pass; downloads and packages, one a line of `go build -v`, are counted.
PROGRESS := awk '/^go: downloading/ { if (++d % 20 == 1) print "  downloading modules: " d; next } \
	/^[-a-zA-Z0-9._\/~]+$$/ { if (++c % 100 == 0) print "  compiled packages: " c; next } { print } { fflush() }'

build: ## bin/windvane
	@echo "building windvane; the first time takes about a minute, most of it for the Go module cache"
	@go build -v -o bin/windvane ./cmd/windvane 2>&1 | $(PROGRESS)

demo: build ## watch the daemon learn an emulated mesh and hold its objectives, as in make demo DEMO="--seed 2"
	@bin/windvane demo $(DEMO)

test: ## all quick tests, with the race detector and in random order
	go test -race -shuffle=on -count=1 ./...

lint: ## formatting and the linters of .golangci.yml, built from the tools module once
	@linter=$$(tools/linter.sh) && "$$linter" run ./...

# TRACE: the full trace of examples/mo1, else the shipped sample.
.PHONY: bench
bench: ## from the trace to a decision, and the search, timed; writes bench.json; as in make bench TRACE=path/to/trace.csv
	@go test -c -o bin/bench.test ./sim/train
	@BENCH_JSON=bench.json TRACE="$(TRACE)" BENCH_COMMAND="make bench TRACE=$(TRACE)" \
		BENCH_COMMIT="$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)" bin/bench.test -test.run '^TestBench$$'
	@go test -c -o bin/search.test ./plugins/search
	@cd plugins/search && BENCH_JSON="$(CURDIR)/bench.json" BENCH_COMMAND="make bench" \
		BENCH_COMMIT="$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)" ../../bin/search.test -test.run '^TestBench$$'
