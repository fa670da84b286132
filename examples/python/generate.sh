#!/bin/sh
# Makes the Python stubs of Keyward's public API: generate.sh DIRECTORY, then add it to PYTHONPATH.
# Needs Debian's protobuf-compiler and protobuf-compiler-grpc (or pip's grpcio-tools).
set -eu

out=${1:?usage: generate.sh DIRECTORY}
proto=$(cd "$(dirname "$0")/../../proto" && pwd)
mkdir -p "$out"
protoc -I "$proto" --python_out="$out" --grpc_out="$out" \
    --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
    "$proto"/keyward/v1/*.proto "$proto"/google/rpc/*.proto
