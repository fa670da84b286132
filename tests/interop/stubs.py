"""Imported first: makes the stubs in a directory of their own and puts them on the path, with the
example. What gRPC publishes itself comes under names that do not hide the package `grpc`:
`health.v1`, `reflection.v1`, `reflection.v1alpha`.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "python"
_GRPC = ROOT / "proto" / "grpc"
_directory = tempfile.TemporaryDirectory(prefix="keyward-stubs-")
PATH = _directory.name

subprocess.run([EXAMPLE / "generate.sh", PATH], check=True)
subprocess.run(["protoc", "-I", _GRPC, "--python_out", PATH, *_GRPC.glob("*/*/*.proto")],
               check=True)
sys.path[:0] = [str(EXAMPLE), PATH]
