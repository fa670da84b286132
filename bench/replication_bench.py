#!/usr/bin/python3
"""Two regions of three cells, far from one another: how late changes are in the other region, and revocations in force, while stations and
officers of both change as much as these cores sustain. `replication_bench.py BUILD [--quick] [--per-s N]`

Each region is in a network namespace of its own; what goes from one to the other is late by a fault proxy (150 ± 50 ms one way), and
in the second variant 2 % of all packets are lost by nft as well. Where namespaces are not permitted that variant is skipped, and all
is on the loopback.
"""
import argparse
import collections
import contextlib
import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("interop", "support", "chaos")]
DISK = "/var/tmp"  # a disk, so that durable means something; /tmp may be memory

import netns

CELLS = ["r1/a", "r1/b", "r1/c", "r2/a", "r2/b", "r2/c"]
LINKS = [("r1/" + cell, "r2/" + cell) for cell in "abc"]
INJECTED = ("r1/a", "r2/b")  # one that both regions hear of directly, and one by way of others
OFFICER, PARTNER = "r1/a", "r2/b"
REVOKERS, PENS = 3, 4
DELAY_MS, JITTER_MS, LOSS = 150, 50, 0.02
SEED = 21
AIM_PER_S = 1000
IDLE_S, WARM_S, MEASURED_S, SETTLE_S = 5, 4, 25, 20
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
GROUPS = {"gateway": "keyward-gateway", "authz": "keyward-authz", "orchestrator": "keyward-orchestrator",
          "core": "keyward-cryptocore", "hsm": "keyward-hsm-worker", "replicator": "keyward-replicator"}

Variant = collections.namedtuple("Variant", "name loss")
Result = collections.namedtuple("Result", "variant offered written calls lags missing revoked usable cpu idle others cuts lost settled")


def wait_for(what, condition, patience_s=60):
    """Without taking the cores of who is waited for."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("not in %d s: %s" % (patience_s, what))
        time.sleep(0.02)


class Clocks:
    """CPU that everybody has used so far."""

    def __init__(self, mesh):
        tree = measure.descendants(mesh.pid)
        self.wall, self.machine = time.monotonic(), measure.machine_cpu_s()
        self.groups = {name: sum(measure.process_cpu_s(pid) for pid in tree[program]) for name, program in GROUPS.items()}
        self.groups["load"] = time.process_time()

    def since(self, before):
        """Cores used by each group, and by others."""
        wall = self.wall - before.wall
        used = {name: (self.groups[name] - before.groups[name]) / wall for name in self.groups}
        return used, (self.machine - before.machine) / wall - sum(used.values())


class Bench:
    """A mesh whose regions are far apart, and who works on it."""

    def __init__(self, mesh, proxy, network):
        self._mesh, self._network = mesh, network
        self._links = [proxy.link(mesh.replicator_address(called), seed=SEED + i) for i, (_, called) in enumerate(LINKS)]
        for link, (caller, called) in zip(self._links, LINKS):
            link.set("both", delay_ms=DELAY_MS, jitter_ms=JITTER_MS)
            mesh.route(caller, called, link.address)
        measure.say("replication: making pens and a partner")
        self._officer_files = mesh.directory / "officer"
        officer = actors.Officer(mesh)
        self._station = actors.Station(mesh, officer, mesh.temporary)
        self._make_pens()
        name = officer.create_partner("bench")
        self._partner = join(mesh.target, officer.invite(name, mesh.temporary / "invitation"), mesh.temporary / "partner")
        self._injectors = [Injector(mesh, cell, self._station, self._officer_files, name, {"batch": self._batch})
                           for cell in INJECTED]
        self._wait_until_known(officer)
        officer.close()

    def close(self):
        for injector in self._injectors:
            injector.close()
        self._station.close()

    def _make_pens(self):
        messages = self._station.create_batch(PENS)
        self._batch = messages[0].batch.name
        items = [item for message in messages for item in message.chunk.items]
        for i, item in enumerate(items):
            self._station.confirm(item, self._station.make_pen(item), "SN-%05d" % i)
        self._station.provisioning_call("ReleaseBatch", name=self._batch)
        self._devices = [item.device for item in items]

    def _wait_until_known(self, officer):
        """A grant from the one region is good in the other: so is all that came before."""
        calls = Calls()
        with Revocations(self._mesh, OFFICER, PARTNER, self._partner, self._devices[0], self._officer_files, calls) as one:
            wait_for("a first revocation", lambda: one.refused_s or calls.check())
        for injector in self._injectors:
            wait_for("a station in " + injector.cell, lambda injector=injector: self._changes_of(injector))

    @staticmethod
    def _changes_of(injector):
        try:
            injector.create_batch()
            return True
        except KeywardError:
            return False

    def run(self, variant, per_s, seconds):
        """One row."""
        if self._network:
            self._network.set_all(["west"], ["east"], loss=variant.loss)
            self._network.set_all(["east"], ["west"], loss=variant.loss)
        idle, _ = self._clocked(IDLE_S)
        with Lanes(self._mesh.directory, CELLS) as lanes:
            wait_for("all cells are level", lanes.held_everywhere)
            return self._load(variant, per_s, seconds, lanes, idle)

    def _clocked(self, seconds):
        before = Clocks(self._mesh)
        time.sleep(seconds)
        return Clocks(self._mesh).since(before)

    def _load(self, variant, per_s, seconds, lanes, idle):
        calls, cuts = Calls(), self._cuts()
        with contextlib.ExitStack() as stack:
            revokers = [stack.enter_context(Revocations(self._mesh, OFFICER, PARTNER, self._partner, device, self._officer_files,
                                                        calls)) for device in self._devices[:REVOKERS]]
            for injector in self._injectors:
                for load in injector.load(per_s / PER_BATCH / len(INJECTED), calls):
                    stack.enter_context(load)
            time.sleep(WARM_S)
            lost = self._lost()
            skip = [(len(one.refused_s), len(one.usable_s)) for one in revokers]
            begin = time.monotonic()
            cpu, others = self._clocked(seconds)
            end, lost = time.monotonic(), self._lost() - lost
        settled = self._settle(lanes)
        calls.check()
        lags, missing = lanes.lags(begin, end)
        return Result(variant, per_s, lanes.written(begin, end) / (end - begin), calls, lags, missing,
                      [took for one, (at, _) in zip(revokers, skip) for took in one.refused_s[at:]],
                      [took for one, (_, at) in zip(revokers, skip) for took in one.usable_s[at:]],
                      cpu, idle, others, self._cuts() - cuts, lost, settled)

    def _settle(self, lanes):
        """Until all cells hold all, now that nobody writes; seconds, or None."""
        begin = time.monotonic()
        try:
            wait_for("all cells are level", lanes.held_everywhere, SETTLE_S)
        except TimeoutError:
            return None
        return time.monotonic() - begin

    def _lost(self):
        """Packets, both ways."""
        return self._network.dropped("west", "east") + self._network.dropped("east", "west") if self._network else 0

    def _cuts(self):
        """Of links, in all cells."""
        return sum(value for cell in CELLS
                   for name, value in Metrics.at(self._mesh.metrics_url("replicator", cell)).read().items()
                   if name.startswith("keyward_replication_links_cut_total"))


def ms(values, share):
    return "%.0f" % (1e3 * percentile(values, share)) if values else "–"


def print_lags(results):
    print("### Replication: 2 regions × 3 cells, %d ± %d ms one way\n" % (DELAY_MS, JITTER_MS))
    measure.table(
        ["links", "changes offered per s", "written per s", "lag p50 ms", "p99", "p99.9", "lags", "not there after %d s" % SETTLE_S,
         "revoked → refused p50 ms", "p99", "max", "of", "granted → usable p50 ms", "packets lost", "links cut", "level again after ms"],
        [[result.variant.name, result.offered, "%.0f" % result.written, ms(result.lags, 0.5), ms(result.lags, 0.99),
          ms(result.lags, 0.999), len(result.lags), result.missing, ms(result.revoked, 0.5), ms(result.revoked, 0.99),
          ms(result.revoked, 1), len(result.revoked), ms(result.usable, 0.5), result.lost, "%d" % result.cuts,
          "–" if result.settled is None else "%.0f" % (1e3 * result.settled)] for result in results])


def print_cpu(results):
    print("### Replication: CPU, ms in a second, by process of all six cells\n")
    names = [*GROUPS, "load"]
    measure.table(["links", "changes per s", *names, "all cells", "CPU µs per change and cell", "others"], [
        row for result in results for row in (
            [result.variant.name, "none", *("%.0f" % (1e3 * result.idle[name]) for name in names),
             "%.0f" % (1e3 * mesh_cpu(result.idle)), "", ""],
            [result.variant.name, "%.0f" % result.written, *("%.0f" % (1e3 * result.cpu[name]) for name in names),
             "%.0f" % (1e3 * mesh_cpu(result.cpu)),
             "%.0f" % (1e6 * (mesh_cpu(result.cpu) - mesh_cpu(result.idle)) / max(1, result.written) / len(CELLS)),
             "%.0f" % (1e3 * result.others)])])


def mesh_cpu(used):
    return sum(used[name] for name in GROUPS)


def print_environment(results, refusal):
    print("Seeds of the proxy's links: %d to %d. Changes by stations in %s (CreateBatch of %d), by officers there (grants), and by %d officers who "
          "grant and revoke in %s; a partner asks in %s. Load average %.1f." % (
              SEED, SEED + len(LINKS) - 1, " and ".join(INJECTED), INJECTED_PENS, REVOKERS, OFFICER, PARTNER, os.getloadavg()[0]))
    for result in results:
        if result.calls.refused:
            print("Refused, %s, %d/s: %s of %d calls." % (result.variant.name, result.offered, dict(result.calls.refused),
                                                        result.calls.count))
    if refusal:
        print("**Skipped: lost packets. Network namespaces are %s.**" % refusal)
    print(flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--per-s", type=int, default=0, help="changes offered in a second; without it: the aim, then what is sustained")
    options = parser.parse_args()
    refusal = netns.refusal()
    tempfile.tempdir = DISK
    program = options.build.resolve()
    with contextlib.ExitStack() as stack:
        network = None if refusal else stack.enter_context(netns.Network(["west", "east"]))
        hosts = {} if refusal else {cell: "west" if cell.startswith("r1") else "east" for cell in CELLS}
        mesh = stack.enter_context(SpreadMesh(program / "bin" / "keyward", network, hosts,
                                              words=["--regions=2", "--cells=3", "--start-ms=120000"]))
        proxy = stack.enter_context(FaultProxy(program / "tests" / "fault-proxy", network.argv("west") if network else ()))
        bench = Bench(mesh, proxy, network)
        stack.callback(bench.close)
        results = run(bench, network, options)
    print_lags(results)
    print_cpu(results)
    print_environment(results, refusal)


def run(bench, network, options):
    """The aim first; where that is more than is sustained, half of what was written."""
    seconds = MEASURED_S // 3 if options.quick else MEASURED_S
    results = []
    for variant in [Variant("late", 0)] + ([Variant("late, 2 % lost", LOSS)] if network else []):
        measure.say("replication: %s, %d/s" % (variant.name, options.per_s or AIM_PER_S))
        results.append(bench.run(variant, options.per_s or AIM_PER_S, seconds))
        if not options.per_s and not is_sustained(results[-1]):
            half = int(results[-1].written / 2)
            measure.say("replication: %s, %d/s" % (variant.name, half))
            results.append(bench.run(variant, half, seconds))
    return results


def is_sustained(result):
    return result.written >= 0.9 * result.offered and result.missing == 0 and percentile(result.lags, 0.99) < 1


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if not netns.refusal():
        netns.enter()
    import stubs  # first: makes the others importable

    import actors
    import measure
    from fault_proxy import FaultProxy
    from injection import PENS as INJECTED_PENS
    from injection import Calls, Injector, Revocations
    from keyward_partner.errors import KeywardError
    from keyward_partner.join import join
    from lag import Lanes, percentile
    from metrics import Metrics
    from spread_mesh import SpreadMesh

    PER_BATCH = 4 * INJECTED_PENS + 2  # changes: a device, its key, a fact and a wrapped key for each pen; batch and request
    main()
