#!/usr/bin/python3
"""A mesh of several cells: `cells_test.py BUILD/bin/keyward`.

Each is whole, goes by its own name, and comes back by itself; and what is said in one is true in the other.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest
import uuid

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "interop")]

from mesh import FIRST, Mesh, eventually
from processes import PROGRAMS, SERVICES, Processes, send
from receipts import receipts_in

CELLS = (FIRST, "r1/b")
CALL_S = 90


class Cells(unittest.TestCase):
    """One mesh for all that can be seen of it."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = cls.enterClassContext(Mesh(BINARY, words=["--regions=1", "--cells=2"]))

    def keyward(self, cell, *words):
        """A command as the officer, through that cell's gateway."""
        config = self.mesh.directory / ("cli-%s.yaml" % cell.replace("/", "-"))
        return subprocess.run([BINARY, *words], timeout=CALL_S, text=True, capture_output=True,
                              env={**os.environ, "KEYWARD_CONFIG": str(config)})

    def answer(self, cell, *words):
        ended = self.keyward(cell, *words, "-o", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def test_each_cell_says_who_it_is(self):
        for cell in CELLS:
            layers = self.answer(cell, "status")["layers"]
            self.assertEqual([layer["layer"] for layer in layers], list(SERVICES))
            self.assertEqual({(layer["region"], layer["cell"]) for layer in layers}, {tuple(cell.split("/"))})

    def test_a_cell_is_known_by_its_name(self):
        config = self.mesh.directory / "cli-r1-b.yaml"
        wrong = self.mesh.temporary / "wrong.yaml"
        wrong.write_text(config.read_text().replace("/cell/b/", "/cell/a/"))
        ended = subprocess.run([BINARY, "status", "--config=%s" % wrong, "--timeout-ms=3000"], timeout=CALL_S, text=True,
                               capture_output=True)
        self.assertEqual(ended.returncode, 3, ended.stderr)

    def test_what_is_killed_in_one_comes_back_and_the_other_goes_on(self):
        there = {cell: Processes(self.mesh, cell) for cell in CELLS}
        before = {part: there[FIRST].find(part) for part in PROGRAMS}
        for part in ("redis", "authz"):
            died = there["r1/b"].first(part)
            send(died, signal.SIGKILL)
            eventually("%s is back" % part, lambda: there["r1/b"].first(part) not in (None, died))
        eventually("b is ready", lambda: there["r1/b"].all_ready(1))
        eventually("b serves", lambda: self.keyward("r1/b", "status").returncode == 0)
        self.assertEqual({part: there[FIRST].find(part) for part in PROGRAMS}, before)
        told = re.findall(r"^keyward: (\S+) is back after \d+ ms$", "\n".join(self.mesh.said()), re.M)
        self.assertLessEqual({"r1/b/redis", "r1/b/authz"}, set(told))

    def cell(self, *words):
        """The exit code of `keyward cell`."""
        return self.keyward(FIRST, "cell", *words).returncode

    def test_one_is_stopped_and_started(self):
        b = Processes(self.mesh, "r1/b")
        self.assertEqual(self.cell("stop", "r1/b"), 0)
        self.assertEqual([b.find(part) for part in PROGRAMS], [[]] * len(PROGRAMS))
        self.assertEqual(self.keyward("r1/b", "status", "--timeout-ms=3000").returncode, 3)
        self.assertEqual(self.keyward(FIRST, "status").returncode, 0)
        self.assertEqual(self.cell("start", "r1/b"), 0)
        self.assertEqual(self.keyward("r1/b", "status").returncode, 0)

    # what one says

    def create_partner(self, cell, name):
        return self.answer(cell, "partner", "create", "--display-name=" + name, "--contact=a@b.example")["partner"]["name"]

    def assertKnown(self, cell, partner, name):
        """There, soon, and as it was made."""
        get = ("partner", "get", partner)
        eventually("%s is known in %s" % (name, cell), lambda: self.keyward(cell, *get).returncode == 0)
        self.assertEqual(self.answer(cell, *get)["partner"]["displayName"], name)

    def test_a_partner_made_in_one_is_known_in_the_other(self):
        for here, there in (CELLS, CELLS[::-1]):
            name = "made in " + here
            self.assertKnown(there, self.create_partner(here, name), name)

    def suspend(self, partner, timeout_ms=10000):
        """How far it got, which is waited for; and the exit code."""
        ended = self.keyward(FIRST, "partner", "suspend", partner, "--justification=lost", "--wait=all",
                             "--timeout-ms=%d" % timeout_ms)
        return re.findall(r"^durability: (\w+)$", ended.stderr, re.M), ended.returncode

    def test_who_revokes_waits_until_it_is_in_force_in_all_cells(self):
        partner = self.create_partner(FIRST, "to be suspended")
        self.assertEqual(self.suspend(partner), (["ALL"], 0))
        self.assertIn("SUSPENDED", json.dumps(self.answer("r1/b", "partner", "get", partner)))

    def station(self):
        """The settings of a new one, and the product that it makes."""
        product = self.answer(FIRST, "product", "new")["product"]
        name = self.answer(FIRST, "station", "create", "--display-name=Line", "--product=" + product)["station"]["name"]
        invitation, settings = (str(self.mesh.temporary / word) for word in ("invitation", "station"))
        for words in (("invite", name, "--dir=" + invitation), ("join", invitation, "--dir=" + settings)):
            ended = self.keyward(FIRST, "station", *words)
            self.assertEqual(ended.returncode, 0, ended.stderr)
        return settings + "/cli.yaml", product

    def batch(self, settings, *words):
        ended = subprocess.run([BINARY, "batch", *words, "--config=" + settings], timeout=CALL_S, text=True,
                               capture_output=True)
        return ended.returncode, ended.stderr

    def test_what_is_done_while_a_cell_is_away_is_known_when_it_is_back(self):
        settings, product = self.station()
        make = ("create", "--product=" + product, "--lot=L1", "--count=3", "--request-id=" + str(uuid.uuid4()),
                "--file=" + str(self.mesh.temporary / "deliveries"))
        self.assertEqual(self.cell("stop", "r1/b"), 0)
        partner = self.create_partner(FIRST, "made meanwhile")
        self.assertEqual(self.suspend(partner, 1500), (["LOCAL_ONLY"], 4))
        code, said = self.batch(settings, *make)
        self.assertNotEqual(code, 0)
        self.assertIn("KEY_UNPROTECTED", said, "no other cell has the keys")
        self.assertEqual(self.cell("start", "r1/b"), 0)
        self.assertKnown("r1/b", partner, "made meanwhile")
        eventually("the keys are given out", lambda: self.batch(settings, *make)[0] == 0)

    def receipts(self, cell, path, *words):
        """What an export has."""
        ended = self.keyward(cell, "receipt", "export", str(path), *words)
        if ended.returncode != 0:
            return None
        return receipts_in(path)

    def test_receipts_of_a_cell_that_is_gone_are_verified_by_another(self):
        own, copied, first = (self.mesh.temporary / name for name in ("own.jsonl", "copied.jsonl", "first.jsonl"))
        partner = self.answer("r1/b", "partner", "create", "--display-name=Copied", "--contact=a@b.example")["partner"]["name"]
        self.answer("r1/b", "partner", "invite", partner, "--dir=%s" % (self.mesh.temporary / "copied-invitation"))
        self.assertTrue(self.receipts("r1/b", own))
        eventually("a has all of b's receipts", lambda: self.receipts(FIRST, copied, "--of=r1/b") == self.receipts("r1/b", own))
        self.assertEqual(self.cell("stop", "r1/b"), 0)
        try:
            kept = self.receipts(FIRST, copied, "--of=r1/b")
            self.assertGreaterEqual(kept, receipts_in(own))
            self.receipts(FIRST, first)
            shown = self.keyward(FIRST, "verify", "%s,%s" % (first, copied))
            self.assertEqual(shown.returncode, 0, shown.stdout + shown.stderr)
            self.assertRegex(shown.stdout, r"(?m)^VERIFIED: ")
            self.assertIsNone(self.receipts(FIRST, first, "--of=r9/z"))
        finally:
            self.assertEqual(self.cell("start", "r1/b"), 0)

    def test_regions_shows_how_far_behind_they_are(self):
        eventually("all hear one another", lambda: self.keyward(FIRST, "regions").returncode == 0)
        for cell in self.answer(FIRST, "regions")["cells"]:
            self.assertEqual([origin["origin"] for origin in cell["origins"]], [c for c in CELLS if c != cell["cell"]])
            self.assertLessEqual({"authzMs", "orchestratorMs"}, set(cell["origins"][0]))

    def test_one_is_killed_and_stays_so_until_it_is_started(self):
        b, log = Processes(self.mesh, "r1/b"), self.mesh.directory / "r1/b/logs/gateway.log"
        asked = log.read_text().count('"draining"')
        self.assertEqual(self.cell("kill", "r1/b"), 0)
        self.assertEqual([b.find(part) for part in PROGRAMS], [[]] * len(PROGRAMS))
        self.assertEqual(log.read_text().count('"draining"'), asked, "nobody was asked to end")
        self.assertEqual(self.cell("kill", "r1/b"), 1, "it is dead already")
        self.assertEqual(self.cell("start", "r1/b"), 0)
        self.assertEqual(self.keyward("r1/b", "status").returncode, 0)

    def test_stopping_and_starting_is_refused_where_it_means_nothing(self):
        for words in (("start", "r1/b"), ("kill", "r1/x"), ("stop", "r1/x"), ("stop", "r1"), ("stop", "x" * 200)):
            self.assertEqual(self.cell(*words), 1, words)
        self.assertEqual(self.cell("stop", "r1/b", "--dir=/"), 3, "nobody is there")

    def test_z_a_mesh_ends_well_while_one_is_stopped(self):
        self.assertEqual(self.cell("stop", "r1/b"), 0)
        self.assertEqual(self.mesh.stop(), 0)
        self.mesh.stop = lambda: 0  # once


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
