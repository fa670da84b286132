#!/usr/bin/python3
"""Processes of a mesh killed under load: `kills_test.py BUILD/bin/keyward` (F1, F2).

Clients of every cell go on: what their own cell can't answer another does, at the second attempt.
"""
import pathlib
import signal
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import Cells  # isort: first, makes the others importable
from agreed import Agreement
from clients import Crowd

import history
from mesh import FIRST, Mesh, eventually
from processes import PROGRAMS, Processes, send
from world import World

CLIENTS_PER_CELL = 2
CALLS = 4  # of each client between two kills
WORKERS = 1  # that are there, at least: those of the HSM
PASSING = 800  # of a failpoint, more than making the clients takes; then the process aborts


class Kills(unittest.TestCase):
    def mesh(self, cells, **environment):
        """Its cells, clients at each, and the history of what they do."""
        mesh = self.enterContext(Mesh(BINARY, words=["--regions=2", "--cells=%d" % cells, "--start-ms=120000"], **environment))
        self.cells, self.history = Cells(mesh, BINARY), mesh.temporary / "history.jsonl"
        self.cells.await_whole()
        recorder = self.enterContext(history.Recorder(self.history))
        world = World(mesh, recorder, CLIENTS_PER_CELL * len(self.cells.names) + 1)
        self.crowd = Crowd(self.cells, world, self.cells.names, FIRST, world.pens[:-1])
        after = dict(zip(self.cells.names, [*self.cells.names[1:], FIRST]))
        for client in self.crowd.clients:
            client.attempts.places = (client.home, after[client.home])
        Agreement(self.cells, BINARY, self.history).await_all(self.cells.names)
        self.crowd.start()

    def processes(self, cell):
        return Processes(self.cells.mesh, cell)

    def assertAllIsThere(self):
        self.crowd.end()
        agreement = Agreement(self.cells, BINARY, self.history)
        agreement.await_all(self.cells.names)
        self.cells.await_whole()
        self.assertEqual(agreement.differences(self.cells.names), [])
        self.assertEqual("\n".join(map(str, agreement.violations(self.cells.names, FIRST))), "")
        self.assertEqual(self.cells.repaired(), 0)

    def test_every_part_of_any_cell(self):
        self.mesh(cells=2)
        for number, part in enumerate([*PROGRAMS, *PROGRAMS]):
            cell = self.cells.names[number % len(self.cells.names)]
            there = self.processes(cell)
            eventually("%s has a %s" % (cell, part), lambda: there.first(part))
            killed = there.first(part)
            send(killed, signal.SIGKILL)
            eventually("%s of %s is back" % (part, cell),
                       lambda: there.first(part) not in (None, killed) and there.all_ready(WORKERS))
            self.crowd.await_served(CALLS)
        served = [one for client in self.crowd.clients for one in client.served]
        print("%d calls, %d by a second attempt, longest %.2f s; %s" % (
            len(served), sum(one.attempts > 1 for one in served), max(one.seconds for one in served),
            "; ".join(line.removeprefix("keyward: ") for line in self.cells.mesh.said() if "is back after" in line)))
        self.assertEqual(self.crowd.failed(), [])
        self.assertAllIsThere()

    def test_each_side_of_a_commit(self):
        for point in ("store.before_commit", "store.after_commit"):
            with self.subTest(point):
                self.mesh(cells=1, KEYWARD_FAILPOINTS="%s=abort:%d" % (point, PASSING))
                for cell in self.cells.names:
                    for owner in ("authz", "orchestrator"):
                        log = self.cells.mesh.directory / cell / "logs" / (owner + ".log")
                        eventually("%s of %s has died of it" % (owner, cell),
                                   lambda: "failpoint %s: abort" % point in log.read_text(errors="replace"))
                self.crowd.await_served(CALLS)
                self.assertAllIsThere()


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
