#!/usr/bin/python3
"""A third region joins two that run: `third_region_test.py BUILD/bin/keyward BUILD/tests/seed-devices`.

Two regions of one cell, with many devices (KW_DEVICES, of which KW_KEYED have keys) whose changes nobody keeps any more, and
clients of both that go on. `keyward region add` brings the third, which joins by a snapshot and the tail. Then one of the first two
is fenced while it writes.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import OWNERS, Cells  # isort: first, makes the others importable
from clients import Crowd

import history
from calls import TIMEOUT_S
from keyward_partner.errors import KeywardError
from mesh import FIRST, Mesh, eventually
from processes import Processes, send
from world import Grant, Partner, World
import actors

SECOND, THIRD = "r2/a", "r3/a"
DEVICES = int(os.environ.get("KW_DEVICES", 20000))
KEYED = int(os.environ.get("KW_KEYED", DEVICES // 10))
KEPT = 1000  # changes
PATIENCE_S = 120 + DEVICES // 500
CLIENTS, PAUSE_S = 4, 0.1
CALLS = 25  # of each client, before it begins
LOOK_S = 0.05
REFUSED_S = 1
REVOKED = "NOT_FOUND"  # a partner is not told why a grant does not cover a device
FENCED = 'keyward_feed_verdicts_total{verdict="fenced"}'
JOINING, JOINED = "keyward_feed_joining", "keyward_feed_joined_total"


def wait_for(what, condition):
    """As `eventually`, for what takes long, and without keeping a processor busy."""
    end, nap = time.monotonic() + PATIENCE_S, threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("not in time: " + what)
        nap.wait(LOOK_S)
    return value


def spread(served):
    """Figures of some calls, for who reads."""
    times = sorted(1000 * one.seconds for one in served)
    return "%d calls, p50 %.0f ms, p99 %.0f ms, longest %.0f ms, %d LOCAL_ONLY" % (
        len(times), times[len(times) // 2], times[int(len(times) * 0.99)], times[-1], sum(one.local_only for one in served))


class Watch(threading.Thread):
    """What the orchestrators' logs grow to, until it is told to end."""

    def __init__(self, mesh):
        super().__init__(daemon=True)
        self._mesh, self._over, self.logs = mesh, threading.Event(), {}

    def run(self):
        while not self._over.wait(LOOK_S):
            for log in self._mesh.directory.glob("*/*/data/*.db-wal"):
                try:
                    cell = str(log.parent.parent.relative_to(self._mesh.directory))
                    self.logs[cell] = max(self.logs.get(cell, 0), log.stat().st_size)
                except OSError:
                    continue  # gone meanwhile

    def end(self):
        self._over.set()
        self.join()
        return "; ".join("%s %.0f MB" % (cell, size / 1e6) for cell, size in sorted(self.logs.items()))


class Third(unittest.TestCase):
    def setUp(self):
        self.mesh = self.enterContext(Mesh(BINARY, words=["--regions=2", "--cells=1", "--start-ms=120000"]))
        self.cells = Cells(self.mesh, BINARY)
        recorder = self.enterContext(history.Recorder(self.mesh.temporary / "history.jsonl"))
        self.cells.await_whole()
        self.world = World(self.mesh, recorder, CLIENTS + 1)
        self.addCleanup(self.world.close)
        self.officers, self.partners = {}, {}
        for cell in self.cells.names:
            self.meet(cell)

    # who asks

    def meet(self, cell):
        """An officer and a partner there."""
        place = self.cells.at(cell)
        self.officers[cell] = self.cells.officer(cell)
        self.partners[cell] = Partner(place.target, self.world.partners[0].member, place.root_file.read_bytes())
        self.addCleanup(self.officers[cell].close)
        self.addCleanup(self.partners[cell].caller.close)

    def grant(self):
        """One that can be used in both regions."""
        name = self.officers[FIRST].grant(self.world.partners[0].name, batch=self.world.batch)
        grant = Grant(name, None, actors.PURPOSE, frozenset(pen.device for pen in self.world.pens))
        for cell in (FIRST, SECOND):
            eventually("%s can be used in %s" % (name, cell), lambda: self.outcome(cell, grant) == "")
        return grant

    def outcome(self, cell, grant):
        """The reason of a refusal, or none."""
        try:
            self.assertTrue(self.partners[cell].fetch(self.world.pens[-1], grant)["right"])
        except KeywardError as error:
            return error.reason
        return ""

    def number(self, cell, name, owner="orchestrator"):
        """Of a metric; None while that is not there."""
        try:
            return self.cells.metrics(owner, cell).get(name, 0)
        except OSError:
            return None

    def memory(self, cell):
        """Of an orchestrator, now and at most, in MB."""
        status = pathlib.Path("/proc/%d/status" % Processes(self.mesh, cell).first("orchestrator")).read_text()
        return tuple(int(re.search(r"%s:\s+(\d+)" % name, status)[1]) // 1024 for name in ("VmRSS", "VmHWM"))

    def command(self, cell, *words):
        ended = self.cells.command(cell, *words)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def verify(self):
        begin, wanted = time.monotonic(), "replication verify --all"
        wait_for(wanted, lambda: self.cells.command(FIRST, *wanted.split()).returncode == 0)
        print("all cells hold the same %.1f s later" % (time.monotonic() - begin), flush=True)

    # the steps

    def fill(self):
        """The first region has had them for long, the second gets them from there."""
        self.command(FIRST, "cell", "stop", FIRST)
        begin = time.monotonic()
        subprocess.run([SEED, str(DEVICES), str(KEYED), str(KEPT),
                        "--config=%s" % (self.mesh.directory / FIRST / "config/orchestrator.yaml")], check=True)
        print("%d devices, %d rows, written in %.1f s" % (DEVICES, self.rows(), time.monotonic() - begin), flush=True)
        self.command(FIRST, "cell", "start", FIRST)
        self.await_joined(SECOND)
        self.verify()

    @staticmethod
    def rows():
        return DEVICES + 3 * KEYED

    def await_joined(self, cell):
        """The orchestrator of a cell, which is about to."""
        wait_for("%s joins" % cell, lambda: self.number(cell, JOINING) or self.number(cell, JOINED))
        begin = time.monotonic()
        wait_for("%s has joined" % cell, lambda: self.number(cell, JOINED))
        seconds = time.monotonic() - begin
        print("%s joined by a snapshot of %d rows in %.1f s, %.0f rows/s" % (cell, self.rows(), seconds, self.rows() / seconds),
              flush=True)

    def served(self, what, since, until=None):
        served = [one for one in self.crowd.served(since) if until is None or one.end < until]
        print("%-28s %s" % (what, spread(served)), flush=True)
        self.assertEqual(self.crowd.failed(), [])
        self.assertEqual({one.attempts for one in served}, {1})
        self.assertLess(max(one.seconds for one in served), TIMEOUT_S)

    def add_region(self, stolen):
        """While it joins, something is revoked elsewhere."""
        begin = time.monotonic()
        self.command(FIRST, "region", "add", "r3")
        print("region add r3: %.1f s" % (time.monotonic() - begin), flush=True)
        self.cells = Cells(self.mesh, BINARY)
        self.meet(THIRD)
        wait_for("it joins", lambda: self.number(THIRD, JOINING) or self.number(THIRD, JOINED))
        self.officers[SECOND].revoke(stolen.name)
        self.await_joined(THIRD)
        wait_for("ready", lambda: all(Processes(self.mesh, THIRD).is_ready(owner) for owner in OWNERS))
        print("ready %.1f s after region add" % (time.monotonic() - begin), flush=True)
        return begin

    def test_it_joins_under_load_and_another_is_fenced(self):
        used, stolen, late = self.grant(), self.grant(), self.grant()
        self.fill()
        self.crowd = Crowd(self.cells, self.world, (FIRST, SECOND), FIRST, self.world.pens[:-1], PAUSE_S)
        watch, before = Watch(self.mesh), self.memory(FIRST)
        self.crowd.start()
        watch.start()
        calm = self.crowd.await_served(CALLS)
        begin = self.add_region(stolen)
        self.assertEqual(self.outcome(THIRD, stolen), REVOKED, "it is in force as soon as it is ready")
        self.assertEqual(self.outcome(THIRD, used), "", "made and granted before")
        end = time.monotonic()
        self.crowd.end()
        self.served("before", calm, begin)
        self.served("while it joined", begin, end)
        print("memory of orchestrators, MB: donor before %d, at most %d, then at most %d; joiner %d, at most %d; logs of stores at most: %s" % (
            *before, self.memory(FIRST)[1], *self.memory(THIRD), watch.end()), flush=True)
        self.verify()
        self.assertEqual(self.cells.repaired(), 0)
        self.fence(late)

    # fenced

    def fence(self, late):
        """The second region writes on while nobody hears it; it is fenced, and heard again."""
        writer = Writer(self.officers[SECOND])
        replicator = Processes(self.mesh, SECOND).first("replicator")
        writer.start()
        eventually("it writes", lambda: len(writer.made) > 3)
        send(replicator, signal.SIGSTOP)
        try:
            self.officers[SECOND].revoke(late.name)
            heard = len(writer.made) + 1  # one may have been on its way
            eventually("it writes on", lambda: len(writer.made) > heard + 3)
            self.order()
            before = {cell: self.number(cell, FENCED, "authz") for cell in (FIRST, THIRD)}
        finally:
            send(replicator, signal.SIGCONT)
        begin = time.monotonic()
        eventually("its frames are refused", lambda: self.number(FIRST, FENCED, "authz") > before[FIRST])
        self.assertLess(time.monotonic() - begin, REFUSED_S)
        print("frames of the fenced region are refused %.2f s after they come" % (time.monotonic() - begin), flush=True)
        eventually("it is out", lambda: writer.refused)
        writer.join()
        for cell in (FIRST, THIRD):
            for partner in writer.made[heard:]:
                self.assertEqual(self.cells.command(cell, "partner", "get", partner).returncode, 2, "nothing of it is taken")
        self.late_revocation(late)

    def order(self):
        """Known in both others."""
        key, also = self.mesh.directory / "officer/key.pem", self.mesh.directory / "cli-r3-a.yaml"
        begin = time.monotonic()
        self.command(FIRST, "order", "fence", SECOND, "--officer-key=%s" % key, "--also=%s" % also)
        for cell in (FIRST, THIRD):
            eventually("fenced in " + cell, lambda: self.command(cell, "store", "list").count("fenced") == 2)
        print("both others know of the fence %.2f s after the command began" % (time.monotonic() - begin), flush=True)

    def late_revocation(self, grant):
        """What it said alone is taken out of its database, and what disables is said again by another."""
        self.assertEqual(self.outcome(FIRST, grant), "", "it was said by a store that is out")
        self.command(FIRST, "cell", "stop", SECOND)
        bundle = self.mesh.temporary / "late.kwx"
        subprocess.run([pathlib.Path(BINARY).with_name("keyward-authz"), "orphans", str(bundle),
                        "--config=%s" % (self.mesh.directory / SECOND / "config/authz.yaml")], check=True)
        self.command(FIRST, "store", "replay", str(bundle))
        for cell in (FIRST, THIRD):
            eventually("in force in " + cell, lambda: self.outcome(cell, grant) == REVOKED)
        print("the late revocation is in force in both others, by the fenced store's own signature", flush=True)


class Writer(threading.Thread):
    """Makes partners until that is refused."""

    def __init__(self, officer):
        super().__init__(daemon=True)
        self._officer, self.made, self.refused = officer, [], None

    def run(self):
        while self.refused is None:
            try:
                self.made.append(self._officer.create_partner("late"))
            except KeywardError as error:
                self.refused = error.reason


if __name__ == "__main__":
    SEED = str(pathlib.Path(sys.argv.pop(2)).resolve())
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
