#!/usr/bin/python3
"""A cell that lost its stores: `join_test.py BUILD/bin/keyward`.

The others have deleted what it had acknowledged, so its lanes can not be had any more. It comes back whole, by itself.
"""
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "interop")]

from mesh import FIRST, Mesh
from metrics import Metrics

LOST = "r2/a"
OWNERS = ("authz", "orchestrator")
CALL_S = 120
NEWCOMER_S = 300  # nothing is deleted before
TRIM_S = 60
LOOK_S = 1


def database(mesh, cell, owner):
    """Where that owner's rows are."""
    (path,) = [found for found in (mesh.directory / cell / "data").rglob("*.db") if owner in str(found)]
    return path


def changes(mesh, cell, owner):
    """How many changes it keeps for others."""
    store = sqlite3.connect("file:%s?mode=ro" % database(mesh, cell, owner), uri=True)
    try:
        return store.execute("SELECT count(*) FROM feed_changes").fetchone()[0]
    finally:
        store.close()


class Join(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = cls.enterClassContext(Mesh(BINARY, words=["--regions=2", "--cells=1", "--start-ms=120000"]))

    def keyward(self, *words, cell=FIRST):
        config = self.mesh.directory / ("cli-%s.yaml" % cell.replace("/", "-"))
        return subprocess.run([BINARY, *words], timeout=CALL_S, text=True, capture_output=True,
                              env={**os.environ, "KEYWARD_CONFIG": str(config)})

    def create_partner(self, name):
        ended = self.keyward("partner", "create", "--display-name=" + name, "--contact=a@b.example", "-o", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)["partner"]["name"]

    def verify(self, seconds=60):
        ended = self.keyward("replication", "verify", "--all", "--wait=%d" % seconds)
        return ended.returncode, ended.stdout + ended.stderr

    def wait_for_trimming(self):
        end = time.monotonic() + NEWCOMER_S + TRIM_S
        while any(changes(self.mesh, FIRST, owner) for owner in OWNERS):
            self.assertLess(time.monotonic(), end, "nothing is deleted")
            threading.Event().wait(LOOK_S)

    def joined(self, owner):
        page = Metrics.at(self.mesh.metrics_url(owner, LOST)).read()
        return page.get("keyward_feed_joined_total", 0)

    def test_a_cell_that_lost_its_stores_comes_back_whole(self):
        partner = self.create_partner("made before")
        code, text = self.verify()
        self.assertEqual(code, 0, text)
        self.wait_for_trimming()
        self.assertEqual(self.keyward("cell", "stop", LOST).returncode, 0)
        self.assertEqual(self.verify(0)[0], 3, "it does not answer")
        for owner in OWNERS:
            for part in database(self.mesh, LOST, owner).parent.glob(database(self.mesh, LOST, owner).name + "*"):
                part.unlink()
        later = self.create_partner("made while it was away")
        self.assertEqual(self.keyward("cell", "start", LOST).returncode, 0)
        began = time.monotonic()
        code, text = self.verify(120)
        self.assertEqual(code, 0, text)
        sys.stderr.write("whole again %.1f s after its start\n" % (time.monotonic() - began))
        for name in (partner, later):
            self.assertEqual(self.keyward("partner", "get", name, cell=LOST).returncode, 0)
        for owner in OWNERS:
            self.assertEqual(self.joined(owner), 1, owner)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
