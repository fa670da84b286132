#!/usr/bin/python3
"""Two regions of three cells: `regions_test.py BUILD/bin/keyward`.

What is said in any cell is true in every other, also by way of a third; and one cell of one region goes on alone.
"""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / "interop")]

from mesh import FIRST, Mesh, eventually
from metrics import Metrics
from receipts import receipts_in

CELLS = ["%s/%s" % (region, cell) for region in ("r1", "r2") for cell in "abc"]
OWNERS = ("authz", "orchestrator")
CALL_S = 120


class Regions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = cls.enterClassContext(Mesh(BINARY, words=["--regions=2", "--cells=3", "--start-ms=120000"]))

    def keyward(self, cell, *words):
        config = self.mesh.directory / ("cli-%s.yaml" % cell.replace("/", "-"))
        return subprocess.run([BINARY, *words], timeout=CALL_S, text=True, capture_output=True,
                              env={**os.environ, "KEYWARD_CONFIG": str(config)})

    def create_partner(self, cell, name):
        ended = self.keyward(cell, "partner", "create", "--display-name=" + name, "--contact=a@b.example", "-o", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)["partner"]["name"]

    def assertKnown(self, partner, cells):
        for cell in cells:
            eventually("%s is known in %s" % (partner, cell),
                       lambda: self.keyward(cell, "partner", "get", partner).returncode == 0)

    def knows_all(self):
        """Each cell has a promise of each other's, by both owners."""
        shown = json.loads(self.keyward(FIRST, "regions", "-o", "json").stdout)["cells"]
        return [cell["cell"] for cell in shown] == CELLS and \
            all({"authzMs", "orchestratorMs"} <= set(origin) for cell in shown for origin in cell["origins"])

    def repaired(self):
        """What had to be mended though all lanes were equal, in all cells."""
        name = 'keyward_feed_repaired_total{lanes="equal"}'
        return sum(Metrics.at(self.mesh.metrics_url(owner, cell)).read().get(name, 0) for cell in CELLS for owner in OWNERS)

    def test_every_cell_hears_every_other(self):
        eventually("all know all", self.knows_all)

    def test_only_the_next_region_can_be_added(self):
        for region in ("r2", "r4"):
            ended = self.keyward(FIRST, "region", "add", region)
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn("the next region is r3", ended.stderr)

    def test_what_one_says_is_true_in_all(self):
        for cell in ("r1/c", "r2/b"):  # neither is linked with each of the others
            self.assertKnown(self.create_partner(cell, "made in " + cell), CELLS)

    def receipts(self, cell, name, *words):
        path = self.mesh.temporary / name
        return receipts_in(path) if self.keyward(cell, "receipt", "export", str(path), *words).returncode == 0 else None

    def test_receipts_are_copied_to_the_next_cell_and_the_next_region(self):
        partner = self.create_partner("r1/c", "copied")
        ended = self.keyward("r1/c", "partner", "invite", partner, "--dir=%s" % (self.mesh.temporary / "copied-invitation"))
        self.assertEqual(ended.returncode, 0, ended.stderr)
        for keeper in ("r1/a", "r2/c"):  # after the last the first; the same name
            eventually("%s has them" % keeper,
                       lambda: self.receipts("r1/c", "own.jsonl") == self.receipts(keeper, "copied.jsonl", "--of=r1/c"))
        self.assertTrue(self.receipts("r1/c", "own.jsonl"))
        self.assertIsNone(self.receipts("r1/b", "copied.jsonl", "--of=r1/c"), "it is no keeper")

    def test_one_cell_of_six_goes_on_alone(self):
        eventually("all know all", self.knows_all)
        away = CELLS[1:]
        for cell in away:
            self.assertEqual(self.keyward(FIRST, "cell", "stop", cell).returncode, 0)
        self.assertEqual(self.keyward(FIRST, "status").returncode, 0)
        partner = self.create_partner(FIRST, "made alone")
        for cell in away:
            self.assertEqual(self.keyward(FIRST, "cell", "start", cell).returncode, 0)
        self.assertKnown(partner, away)
        self.assertEqual(self.repaired(), 0)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
