#!/usr/bin/python3
"""A mesh as containers run it, without an engine: `made_apart_test.py BUILD/bin/keyward`. What `keyward mesh make` made for two regions of three cells, of which one
cell each runs: the real programs, PostgreSQL by TLS, Redis with a password, each in a network namespace of its own, as the user of the images (tests/support/apart.py).
Needs root.
"""
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import apart
import netns

READY_S = 120
LINES_MAX = 60  # of a replicator; one that complained of each time it calls in vain would say more in a minute


class Apart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-apart-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.mesh = apart.ApartMesh(BINARY, cls.folder, cells=3, running=("r1/a", "r2/a"))
        cls.mesh.start()
        cls.ended = None
        cls.addClassCleanup(lambda: cls.ended or cls.mesh.stop())
        for cell in ("r1-a", "r2-a"):
            cls.await_healthy(cell)

    @classmethod
    def await_healthy(cls, cell):
        end = time.monotonic() + READY_S
        code, said = 3, ""
        while code != 0:
            assert time.monotonic() < end, said + cls.mesh.logs()
            code, said = cls.mesh.keyward("status", "--config=%s/cli-%s.yaml" % (apart.STATE, cell))

    def tour(self):
        code, said = self.mesh.keyward("tour", "--pens=20")
        self.assertEqual(code, 0, said + self.mesh.logs())
        return said

    def test_the_tour_is_told_and_told_again(self):
        for _ in range(2):
            said = self.tour()
            self.assertIn("confirmed  20 of 20", said)
            self.assertRegex(said, r"used in r2/a at most \d+ ms later")
            self.assertRegex(said, r"refused in r2/a at most \d+ ms later")
            self.assertIn("receipt 5 is deleted", said)
            self.assertIn("FOUND: receipt missing", said)
            self.assertRegex(said, r"VERIFIED: \d+ receipts .* 0 findings")
            self.assertEqual(re.findall(r"left out: (.*);", said),
                             ["OpenSSL looks at the certificate and opens the transport key", "it needs somebody who stops cells"])

    def test_z_nobody_complains_of_cells_that_are_not_there(self):
        """They are in everybody's settings. And all end well."""
        type(self).ended = self.mesh.stop()
        self.assertEqual(set(self.ended.values()), {0}, self.ended)
        for name in self.ended:
            said = self.mesh.pods[name].log()
            self.assertFalse(re.findall(r".*\br[12][-/][bc].*", said), name)
            if name.endswith("replicator"):
                self.assertLess(len(said.splitlines()), LINES_MAX, said)


def main():
    if os.geteuid() != 0 or apart.POSTGRES_BIN is None:
        print("skipped: containers have users of their own, which only root can give them, and need PostgreSQL", file=sys.stderr)
        sys.exit(netns.SKIPPED)
    netns.enter()
    with apart.points():
        unittest.main(argv=sys.argv[:1])


BINARY = os.path.abspath(sys.argv[1])
if __name__ == "__main__":
    main()
