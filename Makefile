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

# Half as many packages again as there are cores at a time: some wait for processes.
test: ## all quick tests, with the race detector and in random order
	go test -race -shuffle=on -count=1 -p $$(($$(getconf _NPROCESSORS_ONLN) * 3 / 2)) ./...

lint: ## formatting, the linters of .golangci.yml, the contract of plugins/proto with buf, and the mixin with jsonnet; all are built from tools once
	@linter=$$(tools/linter.sh) && "$$linter" run ./...
	@tools/proto.sh check
	@cd tools/jsonnet && go test ./...

# TRACE: the full trace of examples/mo1, else the shipped sample. Each package of BENCHED has a TestBench.
BENCHED := sim/model sim/train daemon/journal daemon/explain daemon/lifecycle plugins/search plugins/host daemon
.PHONY: bench
bench: ## the benchmarks, beside their peers; writes bench.json; as in make bench TRACE=path/to/trace.csv
	@$(if $(TRACE),test -f "$(TRACE)" || { echo "bench: there is no trace $(TRACE)" >&2; exit 1; })
	@rm -f bench.json
	@set -e; commit=$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown); \
	echo "$$(nproc) cores, $$(go version | cut -d' ' -f3), $$commit; trace: $(or $(TRACE),the sample of examples/mo1)"; \
	echo "What runs on one core is timed in CPU time. ratio: how many times better than the peer."; \
	for package in $(BENCHED); do \
		go test -c -o bin/bench.test ./$$package; \
		(cd $$package && BENCH_JSON="$(CURDIR)/bench.json" BENCH_COMMAND="make bench TRACE=$(TRACE)" BENCH_COMMIT="$$commit" \
			TRACE="$(if $(TRACE),$(abspath $(TRACE)))" "$(CURDIR)/bin/bench.test" -test.run '^TestBench$$' | sed -u '/^PASS$$/d'); \
	done; echo; echo "written: bench.json"

.PHONY: peers
peers: ## make bench, then its peers in Python (integration/peers), whose figures go into bench.json; as in make peers TRACE=path
	@set -e; splits=$$(mktemp -d); trap 'rm -rf "$$splits"' EXIT; \
	BENCH_SPLITS="$$splits" $(MAKE) --no-print-directory bench; \
	integration/peers/run.sh "$(abspath $(or $(TRACE),examples/mo1/trace-sample.csv))" "$(CURDIR)/bench.json" "$$splits"

# A test of each of these packages holds what it writes against the code; this writes it anew.
.PHONY: docs
docs: ## what is generated of docs: configuration, commands, API, metrics, reason codes, ways out
	go test ./daemon/config -run TestReference -update
	go test ./cmd/windvane -run TestCommandsPage -update
	go test ./daemon/api -run TestOpenAPI -update
	go test ./daemon -run 'TestMetrics|TestFaultMatrix' -update
	go test ./daemon/explain -run TestReasonCodes -update

.PHONY: python
python: ## the tests of the package for Python, and of plugins in Python under the host; needs python3 with pip
	@plugins/python/test.sh

.PHONY: package
package: ## the Debian and the RPM package into dist, as in make package VERSION=1.2.0
	@VERSION=$(VERSION) systemd/package.sh

.PHONY: image
image: ## the container image windvane:VERSION, by podman or docker, as in make image VERSION=1.2.0
	@tool=$$(command -v podman || command -v docker) || { echo "image: install podman or docker" >&2; exit 1; }; \
	version="$(or $(VERSION),0.0.0-snapshot)"; \
	"$$tool" build -f deploy/container/Containerfile --build-arg VERSION="$$version" \
		--build-arg REVISION="$$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)" -t "windvane:$$version" .

.PHONY: integration
integration: ## the tests against a real mesh: etcd, kube-apiserver, istiod and Envoy, built the first time (about 10 minutes); needs python3 with pip
	@programs=$$(integration/tools/build.sh) && WINDVANE_PROGRAMS="$$programs" go test -tags integration -count=1 -timeout 25m -v ./integration/...

.PHONY: mesh mesh-evaluate
mesh: ## a real mesh, kept up until Ctrl-C: prints where it is, a windvane configuration for it, and how to load it
	@programs=$$(integration/tools/build.sh) && go build -o bin/mesh ./integration/mesh && WINDVANE_PROGRAMS="$$programs" exec bin/mesh up

mesh-evaluate: ## windvane on the real mesh beside no control, the best static setting and thresholds: hours, on a quiet machine; as in make mesh-evaluate EVALUATE="--smoke"
	@programs=$$(integration/tools/build.sh) && go build -o bin/mesh ./integration/mesh && WINDVANE_PROGRAMS="$$programs" exec bin/mesh evaluate $(EVALUATE)

.PHONY: ui ui-check ui-browser
ui: ## the dashboard, from web/ui into daemon/ui/dist, which is committed; needs Node 20.19 or newer with npm
	@cd web/ui && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

ui-check: ui ## that daemon/ui/dist is what web/ui gives
	@test -z "$$(git status --porcelain -- daemon/ui/dist)" || { git status --short -- daemon/ui/dist; \
		echo "ui-check: daemon/ui/dist is not what web/ui gives; commit what make ui has written" >&2; exit 1; }

ui-browser: ## the dashboard in a headless Chromium (CHROMIUM, else /usr/bin/chromium): faults, a thousand services, accessibility
	@cd web/ui && { test -d node_modules || npm ci --no-audit --no-fund --loglevel=error; } && npm run --silent browser
