#!/usr/bin/env bash
# Prints the path of golangci-lint.
exec "$(dirname "$0")/tool.sh" . github.com/golangci/golangci-lint/v2/cmd/golangci-lint
