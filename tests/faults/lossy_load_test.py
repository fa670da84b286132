#!/usr/bin/python3
"""Packets are lost between two regions of two cells while clients change things in all of them: `lossy_load_test.py BUILD/bin/keyward` (F21).
While packets are still lost, every cell gets all that anybody was told.

Below TCP, by nft in network namespaces; where they are not permitted it is skipped.
"""
import pathlib
import sys
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "support"), str(pathlib.Path(__file__).parent)]

from cells import Cells  # isort: first, makes the others importable
from agreed import Agreement
from clients import Crowd

import history
import netns
from spread_mesh import SpreadMesh
from world import World

HOSTS = {"r1/a": "west", "r1/b": "west", "r2/a": "east", "r2/b": "east"}
CLIENTS, CALLS = 8, 12  # calls of each client, for each share


class LossyLoad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = cls.enterClassContext(netns.Network(["west", "east"]))
        mesh = cls.enterClassContext(SpreadMesh(BINARY, cls.network, HOSTS,
                                                words=["--regions=2", "--cells=2", "--start-ms=120000"]))
        cls.cells, cls.history = Cells(mesh, BINARY), mesh.temporary / "history.jsonl"
        cls.recorder = cls.enterClassContext(history.Recorder(cls.history))
        cls.cells.await_whole()
        cls.world = World(mesh, cls.recorder, 2 * CLIENTS + 1)
        cls.addClassCleanup(cls.world.close)
        cls.pens = cls.world.pens[:-1]  # which clients suspend
        cls.world.pens = cls.world.pens[-1:]

    @classmethod
    def agreement(cls):
        return Agreement(cls.cells, BINARY, cls.history)

    def lose(self, share):
        self.network.set_all(["west"], ["east"], loss=share)
        self.network.set_all(["east"], ["west"], loss=share)

    def play(self, share):
        """Everybody works; then all is everywhere, though packets are still lost. Those that were, each way."""
        self.addCleanup(self.network.heal)
        self.agreement().await_all(self.cells.names)
        crowd = Crowd(self.cells, self.world, self.cells.names, "r2/b", [self.pens.pop() for _ in range(CLIENTS)])
        self.agreement().await_all(self.cells.names)
        self.lose(share)
        crowd.start()
        crowd.await_served(CALLS)
        crowd.end()
        begin = time.monotonic()
        self.agreement().await_all(self.cells.names)
        lost = [self.network.dropped("west", "east"), self.network.dropped("east", "west")]
        print("%.0f %% lost, %d and %d packets: all cells had all %.1f s after the last call" % (
            100 * share, *lost, time.monotonic() - begin), file=sys.stderr)
        return lost

    def check(self, lost):
        self.assertNotIn(0, lost)
        self.assertEqual(self.agreement().differences(self.cells.names), [])
        self.assertEqual(self.agreement().violations(self.cells.names, "r2/a"), [])
        self.assertEqual(self.cells.repaired(), 0)

    def test_a_fiftieth_is_lost(self):
        self.check(self.play(0.02))

    def test_a_quarter_is_lost(self):
        self.check(self.play(0.25))


if __name__ == "__main__":
    netns.enter()
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
