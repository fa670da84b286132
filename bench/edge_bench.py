#!/usr/bin/python3
"""The gateway's edge against libgrpc's own server: a unary echo of 256 bytes by one thread each, mutual TLS,
the same clients. CPU is the server process's. `edge_bench.py BUILD [--quick]`
"""
import argparse
import pathlib
import struct
import tempfile

import measure

ID = "spiffe://bench/svc/node"  # bench/echo.h
PATH = "/bench.Echo/Call"
MESSAGE = bytes(256)
SERVERS = (("edge", "edge_server"), ("libgrpc", "grpc_echo"))
STREAMS_MAX = 64  # calls in flight on one connection of gRPC core's client
LOADED = 64  # in flight, where the aims are
AIMS = {"gRPC core": 0.6, "coalescing": 0.25}
ROUND_S, ROUNDS, BUDGET_S = 1, 4, 70


class Echo:
    """Both servers, and load on them."""

    def __init__(self, binaries, servers=SERVERS):
        self._temporary = tempfile.TemporaryDirectory(prefix="keyward-bench-")
        directory = pathlib.Path(self._temporary.name)
        self._binaries, self._credentials = binaries, directory / "credentials"
        with measure.Process([binaries / "bench_credentials", self._credentials]) as make:
            make.wait()
        self._messages = directory / "messages"
        self._messages.write_bytes(struct.pack(">I", len(MESSAGE)) + MESSAGE)
        self.servers, self._ports = {}, {}
        for name, program in servers:
            server = measure.Process([binaries / program, self._credentials])
            self.servers[name] = server
            self._ports[name] = int(server.expect("READY port="))

    def core_client(self, name, in_flight):
        """One sample of gRPC core's client."""
        files = ["%s=%s" % (name, self._credentials / (name + ".pem")) for name in ("key", "cert", "ca")]
        return self._sample(name, [
            self._binaries / "grpc_load", "target=127.0.0.1:%d" % self._ports[name], "peer=" + ID, *files,
            "path=" + PATH, "messages=%s" % self._messages, "mode=closed", "in_flight=%d" % in_flight,
            "channels=%d" % -(-in_flight // STREAMS_MAX), "seconds=%s" % ROUND_S])

    def coalescing_client(self, name, in_flight):
        """One sample of a client that writes once for all calls that are due."""
        return self._sample(name, [self._binaries / "h2_load", self._credentials, self._ports[name],
                                   in_flight, ROUND_S])

    def _sample(self, name, argv):
        with measure.Process(argv) as load:
            return measure.measure([load], {"server": [self.servers[name].pid]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.stop()
        self._temporary.cleanup()


def ratio(pair):
    return measure.ratio(pair["edge"], pair["libgrpc"], lambda sample: sample.cpu_us["server"])


def print_rows(rows):
    print("### Edge: unary echo, CPU of the server process\n")
    print('"Edge of libgrpc" is the median of the ratios of each round, in which both ran one after the other; '
          "it is not the ratio of the two columns.\n")
    measure.table(["client", "in flight", "edge µs", "libgrpc µs", "edge of libgrpc", "edge calls/s",
                   "libgrpc calls/s", "edge p50/p99 µs", "libgrpc p50/p99 µs", "samples"],
                  [[client, in_flight, "%.1f" % pair["edge"].cpu_us("server"),
                    "%.1f" % pair["libgrpc"].cpu_us("server"), "%.2f" % ratio(pair),
                    "%.0f" % pair["edge"].per_s, "%.0f" % pair["libgrpc"].per_s,
                    "%.0f / %.0f" % (pair["edge"].p50_us, pair["edge"].p99_us),
                    "%.0f / %.0f" % (pair["libgrpc"].p50_us, pair["libgrpc"].p99_us),
                    "%s %s" % (pair["edge"].counts, pair["libgrpc"].counts)]
                   for client, in_flight, pair in rows])
    measure.table(["what", "aim", "reached"],
                  [["edge CPU per unary call of libgrpc's server, %s client, %d in flight" % (client, LOADED),
                    "≤ %.2f" % AIMS[client], "%.2f" % ratio(pair)]
                   for client, in_flight, pair in rows if in_flight == LOADED])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with Echo(options.build / "bin") as echo:
        loads = [("gRPC core", echo.core_client, n) for n in ((LOADED,) if options.quick else (1, LOADED, 256))]
        loads += [("coalescing", echo.coalescing_client, n) for n in ((LOADED,) if options.quick else (1, LOADED))]
        rows = [(client, in_flight, {
            server: measure.Row("%s, %d in flight, %s" % (client, in_flight, server),
                                lambda load=load, server=server, n=in_flight: load(server, n))
            for server, _ in SERVERS}) for client, load, in_flight in loads]
        measure.run_rounds([row for _, _, pair in rows for row in pair.values()],
                           1 if options.quick else ROUNDS, BUDGET_S)
    print_rows(rows)


if __name__ == "__main__":
    main()
