#!/usr/bin/python3
"""A whole Keyward, as `keyward up` starts it, under load by one partner: GetDeviceAccess and
BatchGetDeviceAccess, 1 to 256 in flight, receipts durable before every answer; then twice the capacity
offered. In the same rounds: the same HSM calls raw by as many processes as the core has workers, a unary
echo, and fsync. `mesh_bench.py BUILD [--quick] [--overload]`
"""
import argparse
import os
import pathlib
import struct
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "interop")]
DISK = "/var/tmp"  # a disk, so that durable means something; /tmp may be memory
tempfile.tempdir = DISK

import stubs  # first: makes the others importable

from keyward.v1 import device_access_service_pb2 as pb

import actors
import edge_bench
import hsm_bench
import measure
from keyward_partner.join import join
from mesh import Mesh
from metrics import Metrics
from overload import Overload

GATEWAY = "spiffe://keyward.test/region/r1/cell/a/svc/gateway"
PATH = "/keyward.v1.DeviceAccessService/"
IN_FLIGHT = (1, 4, 16, 64, 256)
LOADED = 64  # in flight, where CPU is compared
CHUNKS = 4  # messages of a stream in flight
OPEN_CHANNELS = 8  # more calls at once than the gateway lets one caller have
OPEN_TIMEOUT_MS = 1000
PENS, ROUND_S, ROUNDS, BUDGET_S = 1000, 1, 5, 150
FSYNCS = 100
SERVICES = {"gateway": "keyward-gateway", "authz": "keyward-authz", "orchestrator": "keyward-orchestrator",
            "core": "keyward-cryptocore", "hsm": "keyward-hsm-worker"}


class Customer:
    """A partner with a grant for a released batch of pens, and messages to send for it."""

    def __init__(self, mesh, pens):
        officer = actors.Officer(mesh)
        station = actors.Station(mesh, officer, mesh.temporary)
        messages = station.create_batch(pens)
        items = [item for message in messages for item in message.chunk.items]
        for i, item in enumerate(items):
            station.confirm(item, station.make_pen(item), "SN-%05d" % i)
        batch = messages[0].batch.name
        station.provisioning_call("ReleaseBatch", name=batch)
        partner = officer.create_partner("bench")
        invitation = officer.invite(partner, mesh.temporary / "invitation")
        self.directory = join(mesh.target, invitation, mesh.temporary / "partner").directory
        officer.grant(partner, batch=batch)
        station.close()
        self.officer, self.partner, self.device = officer, partner, items[0].device
        self._requests = [pb.GetDeviceAccessRequest(device_id=item.device_id, epoch=1,
                                                    purpose=actors.PURPOSE) for item in items]

    def unary_messages(self):
        return self._write("unary", self._requests)

    def batch_messages(self, items):
        """Chunks whose item ids count up from 0 through the file, as bench/stream_load.c wants them."""
        chunks = -(-1024 // items)
        return self._write("batch-%d" % items, [pb.BatchGetDeviceAccessRequest(items=[
            pb.BatchAccessItem(item_id=i, get=self._requests[i % len(self._requests)])
            for i in range(chunk * items, (chunk + 1) * items)]) for chunk in range(chunks)])

    def _write(self, name, messages):
        path = self.directory / (name + ".messages")
        bodies = [message.SerializeToString() for message in messages]
        path.write_bytes(b"".join(struct.pack(">I", len(body)) + body for body in bodies))
        return path


class Target:
    """The mesh as something to be loaded."""

    def __init__(self, mesh, customer, binaries):
        self._mesh = mesh
        groups = self.groups()
        self.workers = len(groups["hsm"])
        self._core = Metrics(groups["core"][0])
        self._orchestrator = Metrics(groups["orchestrator"][0])
        directory = customer.directory
        self._argv = [binaries / "grpc_load", "target=" + mesh.target, "peer=" + GATEWAY,
                      "key=%s" % (directory / "tls-key.pem"), "cert=%s" % (directory / "tls-cert.pem"),
                      "ca=%s" % (directory / "ca.pem"), "seconds=%s" % ROUND_S]
        self._customer = customer
        self._unary = ["path=%sGetDeviceAccess" % PATH, "messages=%s" % customer.unary_messages()]

    def groups(self):
        """The mesh's processes now: name → pids."""
        tree = measure.descendants(self._mesh.pid)
        groups = {name: tree[program] for name, program in SERVICES.items()}
        groups["redis"] = [pid for name, pids in tree.items() if name.startswith("redis") for pid in pids]
        for name, pids in groups.items():
            if not pids:
                raise measure.Replaced(name)
        return groups

    def unary(self, in_flight, prefix=()):
        return self._sample(prefix, [*self._unary, "mode=closed", "in_flight=%d" % in_flight,
                             "channels=%d" % -(-in_flight // edge_bench.STREAMS_MAX)])

    def overload(self, rate, prefix=()):
        return self._sample(prefix, [*self._unary, "mode=open", "rate=%d" % rate, "channels=%d" % OPEN_CHANNELS,
                             "timeout_ms=%d" % OPEN_TIMEOUT_MS])

    def batch(self, in_flight):
        items = max(1, in_flight // CHUNKS)
        return self._sample((), ["path=%sBatchGetDeviceAccess" % PATH, "mode=stream", "in_flight=%d" % in_flight,
                             "items=%d" % items, "messages=%s" % self._customer.batch_messages(items)])

    def _sample(self, prefix, argv):
        groups = self.groups()
        with measure.Process([*prefix, *self._argv, *argv]) as load:
            return measure.measure([load], groups, self._counts)

    def _counts(self):
        core, orchestrator = self._core.read(), self._orchestrator.read()
        return {
            "hsm calls": sum(value for name, value in core.items()
                             if name.startswith("keyward_hsm_calls_total{")),
            "derivations": core.get('keyward_hsm_operations_total{op="derive"}', 0),
            "commits": orchestrator.get("keyward_store_commits_total", 0),
            "frames": core.get('keyward_hop_frames_total{direction="received"}', 0),
            "messages": core.get('keyward_hop_messages_total{direction="received"}', 0),
        }


def fsync_sample():
    """What one durable append costs here, alone."""
    times = []
    begin = time.monotonic()
    with tempfile.TemporaryFile() as file:
        file.truncate(FSYNCS * 4096)
        os.fsync(file.fileno())
        for i in range(FSYNCS):
            start = time.monotonic()
            os.pwrite(file.fileno(), bytes(4096), i * 4096)
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - start) * 1e6)
    return measure.Sample(per_s=FSYNCS / (time.monotonic() - begin), failed=0, p50_us=measure.median(times),
                          p99_us=max(times), cpu_us={}, noisy=False, extra={})


class Rows:
    """Everything that one round measures."""

    def __init__(self, target, token, echo):
        self.raw = measure.Row("raw", lambda: token.load("list", target.workers))
        self.raw_one = measure.Row("raw, one process", lambda: token.load("list", 1))
        self.echo_one = measure.Row("echo", lambda: echo.core_client("libgrpc", 1))
        self.echo = measure.Row("echo", lambda: echo.core_client("libgrpc", LOADED))
        self.edge = measure.Row("edge", lambda: echo.core_client("edge", LOADED))
        self.fsync = measure.Row("fsync", fsync_sample)
        self.unary = {n: measure.Row("unary, %d in flight" % n, lambda n=n: target.unary(n)) for n in IN_FLIGHT}
        self.batch = {n: measure.Row("batch, %d in flight" % n, lambda n=n: target.batch(n)) for n in IN_FLIGHT}

    def all(self):
        return [self.raw, self.raw_one, self.echo_one, self.echo, self.edge, self.fsync, *self.unary.values(),
                *self.batch.values()]


def best(rows):
    return max(rows.values(), key=lambda row: row.per_s)


def hsm_calls(row):
    """Of one request; the workers' health checks are in it."""
    return row.of(lambda sample: sample.extra["hsm calls"] / max(1e-9, sample.extra["derivations"]))


def of_raw_cpu(rows, row):
    """CPU of the raw list over CPU of a call, all processes and the client: what the rate is of the raw
    rate when the cores are busy with nothing else. Others' noise hardly touches it."""
    return measure.ratio(rows.raw, row, lambda raw: raw.cpu_us["load"],
                         lambda call: sum(call.cpu_us.values()))


def of_raw(rows, row):
    return measure.ratio(row, rows.raw, lambda sample: sample.per_s)


def print_load(rows):
    groups = [*SERVICES, "redis"]
    print("### Mesh: calls, and CPU µs per call of each process\n")
    measure.table(
        ["calls", "in flight", "per s", "of raw", "of raw by CPU", "p50 ms", "p99 ms", *groups, "client", "HSM calls",
         "per commit", "frames/message", "samples"],
        [["raw HSM", "-", "%.0f" % rows.raw.per_s, "1.00", "1.00", "%.2f" % (rows.raw.p50_us / 1e3),
          "%.2f" % (rows.raw.p99_us / 1e3), "", "", "", "", "%.0f" % rows.raw.cpu_us("load"), "", "", "", "", "",
          rows.raw.counts]] +
        [[name, n, "%.0f" % row.per_s, "%.2f" % of_raw(rows, row), "%.2f" % of_raw_cpu(rows, row),
          "%.2f" % (row.p50_us / 1e3),
          "%.2f" % (row.p99_us / 1e3), *("%.0f" % row.cpu_us(group) for group in groups),
          "%.0f" % row.cpu_us("load"), "%.2f" % hsm_calls(row), "%.1f" % (1 / max(1e-9, row.extra("commits"))),
          "%.1f" % row.of(lambda sample: sample.extra["frames"] / max(1e-9, sample.extra["messages"])),
          row.counts]
         for name, variants in (("unary", rows.unary), ("batch", rows.batch)) for n, row in variants.items()])


def print_aims(rows, overload, calls_expected):
    loaded, echo_us = rows.unary[LOADED], rows.echo.cpu_us("server", "load")
    layers_us = loaded.cpu_us("gateway", "authz", "orchestrator", "core") - rows.edge.cpu_us("server")
    floor_us = 4 * rows.echo_one.p50_us + rows.raw_one.p50_us + rows.fsync.p50_us
    print("### Mesh: aims\n")
    measure.table(["what", "aim", "reached"], [
        *(["partner's %s calls, of the raw HSM rate" % name, "≥ %.1f" % aim,
           "%.2f (by CPU %.2f)" % (of_raw(rows, best(variants)), of_raw_cpu(rows, best(variants)))]
          for name, variants, aim in (("unary", rows.unary, 0.5), ("batch", rows.batch, 0.9))),
        ["CPU of four layers without HSM and edge (%.0f µs), of four unary echo hops (4 × %.0f µs)" %
         (layers_us, echo_us), "≤ 0.15", "%.2f" % (layers_us / (4 * echo_us))],
        ["the same with batch calls",
         "≤ 0.15", "%.2f" % (rows.batch[LOADED].cpu_us("gateway", "authz", "orchestrator", "core") /
                             (4 * echo_us))],
        ["unloaded p50 (%.0f µs), of 4 echo hops + HSM + fsync (4 × %.0f + %.0f + %.0f µs)" %
         (rows.unary[1].p50_us, rows.echo_one.p50_us, rows.raw_one.p50_us, rows.fsync.p50_us), "≤ 1.5",
         "%.2f" % (rows.unary[1].p50_us / floor_us)],
        ["HSM calls per key request", "%d" % calls_expected, "%.2f" % hsm_calls(loaded)],
        *overload.aims(),
    ])


def print_overload(target, customer, quick):
    overload = Overload(target, customer.officer, customer.partner, customer.device, quick)
    overload.print(OPEN_TIMEOUT_MS)
    measure.table(["what", "aim", "reached"], [*overload.aims()])


def bench(mesh, binaries, quick):
    measure.say("mesh: making %d pens and a partner" % PENS)
    customer = Customer(mesh, PENS)
    target = Target(mesh, customer, binaries)
    with hsm_bench.Token(binaries) as token, edge_bench.Echo(binaries) as echo:
        rows = Rows(target, token, echo)
        measure.run_rounds(rows.all(), 1 if quick else ROUNDS, BUDGET_S)
        overload = Overload(target, customer.officer, customer.partner, customer.device, quick)
        expected = sum(token.calls.values())
        if abs(hsm_calls(rows.unary[LOADED]) - expected) > 0.5:
            raise RuntimeError("a call makes %.2f HSM calls, the raw list %d: hsm_bench.FACTS?" %
                               (hsm_calls(rows.unary[LOADED]), expected))
        print_load(rows)
        overload.print(OPEN_TIMEOUT_MS)
        print_aims(rows, overload, expected)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--overload", action="store_true", help="nothing but twice the capacity")
    options = parser.parse_args()
    binaries = options.build / "bin"
    with Mesh(binaries / "keyward") as mesh:
        if options.overload:
            customer = Customer(mesh, PENS // 10)
            print_overload(Target(mesh, customer, binaries), customer, options.quick)
        else:
            bench(mesh, binaries, options.quick)


if __name__ == "__main__":
    main()
