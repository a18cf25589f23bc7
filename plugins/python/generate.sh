#!/usr/bin/env bash
# Writes the code of the contract (plugins/proto) into windvane/proto, or into the folder
# $1. It needs grpcio-tools in the version of requirements.txt; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")"
# In the folder that it is imported from, so that one file finds the other.
"${PYTHON:-python3}" -m grpc_tools.protoc -Iwindvane/proto=../proto/v1 --python_out="${1:-.}" windvane/proto/policy.proto windvane/proto/sim.proto
