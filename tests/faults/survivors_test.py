#!/usr/bin/python3
"""One cell of six goes on alone: `survivors_test.py BUILD/bin/keyward` (F3 to F6).

Under load a cell is killed, then the second of its region, then the other region; clients whose cell is gone ask the last
one. Whatever anybody was told is in all cells when they are back.
"""
import concurrent.futures
import pathlib
import sys
import threading
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import Cells  # isort: first, makes the others importable
from agreed import Agreement
from clients import Crowd

import actors
import history
import load
from keyward_partner.errors import KeywardError
from mesh import FIRST, Mesh, eventually
from world import World

CLIENTS = 12
WORKERS, PENS_PER_WORKER = 4, 2
CALLS = 12  # of each client, in each phase
STORIES = 25  # of each worker of the last phase
PROMISED_S = 5


def spread(served):
    """Figures of some calls, for who reads."""
    times = sorted(1000 * one.seconds for one in served)
    return "%d calls, p50 %.0f ms, p99 %.0f ms, longest %.0f ms, %d by a second attempt, %d LOCAL_ONLY" % (
        len(times), times[len(times) // 2], times[int(len(times) * 0.99)], times[-1],
        sum(one.attempts > 1 for one in served), sum(one.local_only for one in served))


class Survivors(unittest.TestCase):
    def setUp(self):
        mesh = self.enterContext(Mesh(BINARY, words=["--regions=2", "--cells=3", "--start-ms=120000"]))
        self.cells, self.history = Cells(mesh, BINARY), mesh.temporary / "history.jsonl"
        self.recorder = self.enterContext(history.Recorder(self.history))
        self.cells.await_whole()
        self.world = World(mesh, self.recorder, WORKERS * PENS_PER_WORKER + CLIENTS + 1)
        of_workers = self.world.pens[:WORKERS * PENS_PER_WORKER]
        of_clients = self.world.pens[WORKERS * PENS_PER_WORKER:-1]  # which they suspend
        self.world.pens = [*of_workers, self.world.pens[-1]]
        self.crowd = Crowd(self.cells, self.world, self.cells.names, FIRST, of_clients)
        self.agreement().await_all(self.cells.names)

    def agreement(self):
        return Agreement(self.cells, BINARY, self.history)

    def phase(self, what, *killed):
        """Some cells die; all clients are served on. What was served since, and by whom it had to be."""
        begin = time.monotonic()
        if killed:
            self.recorder.note("killed", cells=killed)
            begin = self.cells.turn("kill", *killed)
        self.crowd.await_served(CALLS)
        served = self.crowd.served(begin)
        print("%-28s %s" % (what, spread(served)), flush=True)
        self.assertEqual(self.crowd.failed(), [])
        here = [one for client in self.crowd.clients if client.home == FIRST for one in client.served]
        self.assertEqual({one.attempts for one in here}, {1}, "who was at home in it noticed nothing")
        return served

    def all_can_be_done(self):
        """Every kind of call, for a while, by the last cell alone."""
        stop = threading.Event()
        workers = [load.Worker(self.world, "w%d" % i, "survivors", self.world.pens[i * PENS_PER_WORKER:][:PENS_PER_WORKER],
                               stop, STORIES) for i in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            self.assertIsNone(worker.failure)

    def last_words(self):
        """A change at the end of each lane of the last cell: who has it has all of that lane."""
        pen, officer = self.world.pens[-1], self.cells.officer(FIRST)
        partner = officer.create_partner("the last of authz")
        suspension = officer.key_call("SuspendKey", name=pen.key_name, justification="the last of the orchestrator").suspension
        officer.close()
        return partner, pen.key_name, suspension

    def await_last(self, cell, partner, key, suspension):
        """When they were known there."""
        officer = self.cells.officer(cell)
        get_partner = actors.method(actors.partner_service_pb2, "PartnerService", "GetPartner")
        get_key = actors.method(actors.key_service_pb2, "KeyService", "GetKey")

        def is_known():
            try:
                officer.read(get_partner, actors.partner_service_pb2.GetPartnerRequest(name=partner))
            except KeywardError:
                return False
            facts = officer.read(get_key, actors.key_service_pb2.GetKeyRequest(name=key)).key.facts
            return suspension in [fact.suspension for fact in facts]

        eventually("the last words are known in %s" % cell, is_known)
        officer.close()
        return time.monotonic()

    def test_cell_by_cell_until_one_is_left(self):
        self.crowd.start()
        self.phase("all of six")
        self.phase("five", "r1/b")
        self.phase("one of its region", "r1/c")
        alone = self.phase("one of all", "r2/a", "r2/b", "r2/c")
        self.assertEqual({one.cell for one in alone}, {FIRST})
        self.assertEqual({one.local_only for one in alone if one.operation != "GetDeviceAccess"}, {True})
        self.all_can_be_done()
        self.crowd.end()
        self.recorder.note("at rest")
        last = self.last_words()
        healed = self.cells.turn("start", *self.cells.names[1:])
        with concurrent.futures.ThreadPoolExecutor(len(self.cells.names)) as pool:
            times = list(pool.map(lambda cell: self.await_last(cell, *last) - healed, self.cells.names[1:]))
        print("the last change of each lane is known in the others %s s after they were back%s" % (
            ", ".join("%.2f" % time for time in times),
            ": longer than the %d s promised" % PROMISED_S if max(times) > PROMISED_S else ""), flush=True)
        agreement = self.agreement()
        agreement.await_all(self.cells.names)
        self.cells.await_whole()
        self.assertEqual(agreement.differences(self.cells.names), [])
        self.assertEqual("\n".join(map(str, agreement.violations(self.cells.names, FIRST))), "")
        self.assertEqual(self.cells.repaired(), 0)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
