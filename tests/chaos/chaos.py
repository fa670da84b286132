#!/usr/bin/python3
"""Load on a whole mesh whose processes are killed, and the checker on what came of it.

    chaos.py BUILD/bin/keyward [--seed=N] [--seconds=30] [--kills=20] [--pauses=0] [--in-flight=64] [--keep=DIR]

Prints the seed, the faults, what was done and how long each process was gone; exits with 1 when the
checker finds something or a process was not back in time. With --keep, history.jsonl, state.json and
the mesh's logs stay in DIR.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "interop")]

import stubs  # isort: first, makes the others importable

import actors
import checker
import history
import load
import nemesis
from keyward_partner.errors import KeywardError
from mesh import Mesh
from observe import Final
from world import World

PENS_PER_WORKER = 2
PROBE_PAUSE_S = 0.02
BACK_S = 10  # a process that is gone for longer has failed, on however slow a machine
PROMISE_S = 2  # what is promised of a machine that is not loaded with the tests' own load
DRAIN_S = 60
CLIENTS_NICE = 5  # clients of a real mesh are on other machines


class Probe(threading.Thread):
    """One client that does nothing but ask for the same key: is the mesh serving?"""

    def __init__(self, world, recorder):
        super().__init__(name="probe", daemon=True)
        self._world, self._recorder = world, recorder
        self._over = threading.Event()
        self.served = []  # begin and end of each call that was answered

    def run(self):
        grant, pen = self._world.grants[0], self._world.pens[-1]
        while not self._over.wait(PROBE_PAUSE_S):
            begin = self._recorder.now()
            try:
                grant.partner.fetch(pen, grant)
                self.served.append((begin, self._recorder.now()))
            except KeywardError:
                continue

    def stop(self):
        self._over.set()
        self.join()


class Run:
    """One mesh, one load, one check."""

    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="keyward-chaos-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.history, self.state = self.directory / "history.jsonl", self.directory / "state.json"
        self.problems = []

    def go(self):
        options = self.options
        with history.Recorder(self.history) as recorder, Mesh(options.binary, **self.environment()) as mesh:
            os.nice(CLIENTS_NICE)
            world = World(mesh, recorder, PENS_PER_WORKER * options.in_flight + 1)
            self.under_load(mesh, world, recorder)
            self.settle(mesh, recorder)
            officer = actors.Officer(mesh)
            state = Final(mesh, options.binary, officer).collect()
            officer.close()
            world.close()
            self.state.write_text(json.dumps(state))
            if options.keep:
                shutil.copytree(mesh.cell / "logs", self.directory / "logs", dirs_exist_ok=True)
        return self.verdict()

    def environment(self):
        return {"KEYWARD_FAILPOINTS": self.options.failpoints} if self.options.failpoints else {}

    def under_load(self, mesh, world, recorder):
        options, stop = self.options, threading.Event()
        faults = nemesis.plan(options.seed, options.seconds, options.kills, options.pauses)
        for fault in faults:
            print("  %6.2f s  %s %s%s" % (fault.at, fault.what, ", ".join(fault.targets),
                                         " for %.2f s" % fault.seconds if fault.seconds else ""))
        self.nemesis = nemesis.Nemesis(mesh, recorder, faults, options.seed)
        watch, probe = nemesis.Watch(self.nemesis, recorder), Probe(world, recorder)
        workers = [load.Worker(world, "w%02d" % i, options.seed,
                               world.pens[i * PENS_PER_WORKER:(i + 1) * PENS_PER_WORKER], stop)
                   for i in range(options.in_flight)]
        for thread in [watch, probe, *workers, self.nemesis]:
            thread.start()
        stop.wait(options.seconds)
        self.nemesis.join()
        stop.set()
        self.join(workers)
        self.await_whole(watch)
        watch.stop()
        probe.stop()
        self.report_returns(mesh, watch, probe)

    def join(self, workers):
        end = time.monotonic() + DRAIN_S
        for worker in workers:
            worker.join(max(0, end - time.monotonic()))
            if worker.is_alive():
                self.problems.append("%s does not end" % worker.name)
            elif worker.failure is not None:
                self.problems.append("%s: %r" % (worker.name, worker.failure))

    def await_whole(self, watch):
        """Until all processes are ready after the last kill."""
        last = max((when for when, _ in self.nemesis.kills), default=0)
        end = time.monotonic() + DRAIN_S
        while not any(begin > last for begin, _ in watch.ready_times[-1:]):
            if time.monotonic() > end:
                self.problems.append("not all processes came back")
                return
            watch.join(nemesis.POLL_S)

    def report_returns(self, mesh, watch, probe):
        print("back after (ms, from death to READY):")
        for part, times in sorted(nemesis.returns(mesh.said()).items()):
            print("  %-12s %s" % (part, " ".join("%.0f" % (1000 * one) for one in times)))
            self.bounded("%s was gone" % part, max(times))
        for what, times in (("all ready", watch.ready_times), ("served again", probe.served)):
            delays = list(nemesis.delays(self.nemesis.kills, times))
            if delays:
                print("%s after a kill (ms): %s" % (what, " ".join("%.0f" % (1000 * one) for one in delays)))
                self.bounded("not " + what, max(delays))

    def bounded(self, what, seconds):
        """What is stopped while it starts is not back before it may go on."""
        paused = sum(fault.seconds for fault in self.nemesis.faults)
        if seconds > BACK_S + paused:
            self.problems.append("%s for %.2f s" % (what, seconds))
        if seconds > PROMISE_S:
            print("  %s for %.2f s: longer than the %d s promised%s" %
                  (what, seconds, PROMISE_S, ", with pauses of %.2f s" % paused if paused else ""))

    def settle(self, mesh, recorder):
        """The mesh is at rest, and said so."""
        officer, end = actors.Officer(mesh), time.monotonic() + DRAIN_S
        nap = threading.Event()
        while True:
            try:
                officer.read(actors.method(load.key_pb2, "KeyService", "ListKeys"),
                             load.key_pb2.ListKeysRequest(parent="devices/-", page_size=1))
                break
            except KeywardError:
                if time.monotonic() > end:
                    raise
                nap.wait(nemesis.POLL_S)
        officer.close()
        recorder.note("at rest")

    def verdict(self):
        calls = history.read(self.history)
        violations = checker.check(calls, json.loads(self.state.read_text()))
        outcomes = collections.Counter((call.operation, call.outcome) for call in calls)
        print("calls: %d" % len(calls))
        for operation in sorted({operation for operation, _ in outcomes}):
            print("  %-24s %s" % (operation, "  ".join("%s %d" % (outcome, outcomes[operation, outcome])
                                                     for outcome in ("ok", "refused", "unknown"))))
        print("kills: %d" % len(self.nemesis.kills))
        for problem in [*self.problems, *violations]:
            print("FOUND  %s" % problem)
        print("%d violations, %d problems; seed %s" % (len(violations), len(self.problems), self.options.seed))
        if violations or self.problems:
            print("history and state are in %s" % self.directory)
        elif not self.options.keep:
            shutil.rmtree(self.directory)
        return 1 if violations or self.problems else 0


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pauses", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--failpoints", help="as KEYWARD_FAILPOINTS, for the first life of each process")
    parser.add_argument("--keep", help="directory for the history, the final state and the logs")
    options = parser.parse_args(words)
    options.binary = options.binary.resolve()
    return options


def main():
    options = options_of(sys.argv[1:])
    print("seed %s: %g s, %d in flight, %d kills, %d pauses" %
          (options.seed, options.seconds, options.in_flight, options.kills, options.pauses))
    return Run(options).go()


if __name__ == "__main__":
    sys.exit(main())
