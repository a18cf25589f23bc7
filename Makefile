# Every command that this project is worked with. `make test` is what CI runs.
.PHONY: build test lint
.DEFAULT_GOAL := build

build: ## compile everything
	go build ./...

test: ## all quick tests, with the race detector and in random order
	go test -race -shuffle=on -count=1 ./...

lint: ## formatting and the linters of .golangci.yml, built from the tools module
	go -C tools build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...
