#!/usr/bin/python3
"""A cell that is fenced: `fenced_test.py BUILD/bin/keyward` (F49).

Two regions of one cell. One dies; the other refuses what is strict until an officer has fenced the dead one. It comes back, is
out, and what it revoked after it was last heard is brought by an officer, and in force.
"""
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import OWNERS, Cells  # isort: first, makes the others importable

import actors
import history
from keyward_partner.errors import KeywardError
from mesh import Mesh, eventually
from processes import Processes, send
from world import Partner, World

HERE, AWAY, THIRD = "r1/a", "r2/a", "r3/a"
STALE_S = 5  # the least that may be set
ASKING_S = 6
REVOKED = "NOT_FOUND"  # a partner is not told why a grant does not cover a device
REFUSED_S = 5  # of a whole command, on a machine that is shared
FENCED = 'keyward_feed_verdicts_total{verdict="fenced"}'


def states(cells, cell):
    """Of the other cell's stores, as this one knows them."""
    ended = cells.command(cell, "store", "list")
    return [line.split()[3] for line in ended.stdout.splitlines() if line.split()[1:3] == AWAY.split("/")]


class Ordering(unittest.TestCase):
    """A mesh of regions of one cell, an officer for each, and a partner in the first."""
    REGIONS = 2

    def setUp(self):
        mesh = self.enterContext(Mesh(BINARY, words=["--regions=%d" % self.REGIONS, "--cells=1", "--start-ms=120000"],
                                      KEYWARD_STALENESS_RELEASE_S=str(STALE_S)))
        self.cells = Cells(mesh, BINARY)
        self.world = World(mesh, self.enterContext(history.Recorder(mesh.temporary / "history.jsonl")), 1)
        self.addCleanup(self.world.close)
        self.cells.await_whole()
        self.officers = {cell: self.cells.officer(cell) for cell in self.cells.names}
        place = self.cells.at(HERE)
        self.partner = Partner(place.target, self.world.partners[0].member, place.root_file.read_bytes())
        self.partner.caller.timeout_s = ASKING_S
        for one in (*self.officers.values(), self.partner.caller):
            self.addCleanup(one.close)

    def grant(self, **fields):
        """And it can be used."""
        name = self.officers[HERE].grant(self.world.partners[0].name, batch=self.world.batch, **fields)
        grant = type(self.world.grants[0])(name, None, actors.PURPOSE, frozenset([self.world.pens[0].device]))
        eventually("%s can be used" % name, lambda: self.outcome(grant) == "")
        return grant

    def outcome(self, grant):
        """The reason of a refusal, or none."""
        try:
            self.assertTrue(self.partner.fetch(self.world.pens[0], grant)["right"])
        except KeywardError as error:
            return error.reason
        return ""

    def known(self, cell, grant):
        """What a cell's officer sees of it."""
        ended = self.cells.command(cell, "grant", "get", grant.name, "-o", "json")
        return ended.stdout if ended.returncode == 0 else ""

    def order(self, *words):
        """A command about an order, which must be done."""
        ended = self.cells.command(HERE, "order", *words)
        self.assertEqual(ended.returncode, 0, ended.stderr)


class Fenced(Ordering):
    def revoke(self, cell, grant):
        return self.cells.command(cell, "grant", "revoke", grant.name, "--justification=stolen")

    def revoke_unheard(self, grant):
        """In the other cell, whose replicator stands still, and which then dies."""
        eventually("it is known there", lambda: self.known(AWAY, grant))
        send(Processes(self.cells.mesh, AWAY).first("replicator"), signal.SIGSTOP)
        self.assertEqual(self.revoke(AWAY, grant).returncode, 0)
        self.cells.turn("kill", AWAY)

    def sign(self, order, key):
        """As docs/runbook.md has it."""
        line = "(printf KEYWARD-ORDER-v1; cat %s) | openssl dgst -sha256 -sign %s -out %s.sig" % (order, key, order)
        subprocess.run(["/bin/sh", "-c", line], check=True)

    def test_a_dead_cell_is_fenced_and_is_out_when_it_is_back(self):
        strict, stolen = self.grant(strict=True), self.grant()
        self.revoke_unheard(stolen)
        self.assertEqual(self.outcome(stolen), "", "nobody here can know of it")
        eventually("it is stale", lambda: self.outcome(strict) == "AUTHZ_STALE")
        order = self.cells.mesh.temporary / "order.kwo"
        self.order("draw", "fence", AWAY, str(order))
        self.sign(order, self.cells.mesh.directory / "officer" / "key.pem")
        begin = time.monotonic()
        self.order("submit", str(order), "--signature=%s.sig" % order)
        eventually("fresh again", lambda: self.outcome(strict) == "")
        print("fenced: strict grants are given %.2f s after the order" % (time.monotonic() - begin), flush=True)
        self.assertEqual(states(self.cells, HERE), ["fenced"] * 2)
        self.comes_back()
        self.assertEqual(self.outcome(strict), "", "nobody waits for it any more")
        self.late_revocation(stolen)

    def comes_back(self):
        before = self.cells.total(FENCED, cells=[HERE])
        self.cells.turn("start", AWAY)
        eventually("it is told", lambda: states(self.cells, AWAY) == ["fenced"] * 2)
        ended = self.cells.command(AWAY, "partner", "create", "--display-name=late", "--contact=a@b.example")
        self.assertEqual(ended.returncode, 2, ended.stdout)
        self.assertIn("STORE_UNAVAILABLE", ended.stderr)
        eventually("what it says is refused", lambda: self.cells.total(FENCED, cells=[HERE]) > before)

    def bundle(self, owner):
        """What its store there said beyond the fence, as docs/runbook.md has it."""
        file = self.cells.mesh.temporary / (owner + ".kwx")
        subprocess.run([pathlib.Path(BINARY).with_name("keyward-" + owner), "orphans", file,
                        "--config=%s" % (self.cells.mesh.directory / AWAY / "config" / (owner + ".yaml"))], check=True)
        return file

    def replay(self, owner, *words):
        """Its changes, as they are shown here."""
        ended = self.cells.command(HERE, "store", "replay", str(self.bundle(owner)), "-o", "json", *words)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout or "{}").get("changes", [])  # all in one batch, if there is any

    def late_revocation(self, grant):
        """It can be read there, and is said again here."""
        self.assertIn("GRANT_STATE_REVOKED", self.known(AWAY, grant))
        self.cells.turn("stop", AWAY)
        said = [change for change in self.replay("authz", "--dry-run") if change["state"] == "ORPHAN_STATE_SAID"]
        self.assertEqual([change["table"] for change in said], ["grants"])
        self.assertEqual(self.outcome(grant), "", "it was only looked at")
        self.replay("authz")
        self.assertEqual(self.outcome(grant), REVOKED)
        self.assertNotIn("ORPHAN_STATE_SAID", [change["state"] for change in self.replay("authz")], "twice is once")
        self.assertNotIn("ORPHAN_STATE_SAID", [change["state"] for change in self.replay("orchestrator")])


class Lost(Ordering):
    """What is honoured of a cell was held by one alone, and that one is lost, too."""
    REGIONS = 3

    def stop(self, cell, how=signal.SIGSTOP):
        send(Processes(self.cells.mesh, cell).first("replicator"), how)

    def fence(self, cell, *words):
        self.order("fence", cell, "--officer-key=%s" % (self.cells.mesh.directory / "officer/key.pem"), *words)

    def leave_a_rest(self):
        """It is in the third cell and in no other, and its store is gone."""
        self.stop(HERE)
        ended = self.cells.command(AWAY, "partner", "create", "--display-name=rest", "--contact=a@b.example", "-o", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        name = json.loads(ended.stdout)["partner"]["name"]
        eventually("the third has it", lambda: self.cells.command(THIRD, "partner", "get", name).returncode == 0)
        self.stop(THIRD)
        self.cells.turn("kill", AWAY)
        self.stop(HERE, signal.SIGKILL)  # and with it what waited to be read; another is started
        return name

    def test_a_later_order_waits_for_what_those_have_that_live(self):
        strict = self.grant(strict=True)
        rest = self.leave_a_rest()
        self.fence(AWAY, "--also=%s" % (self.cells.mesh.directory / "cli-r3-a.yaml"))
        self.cells.turn("kill", THIRD)
        self.fence(THIRD)
        self.assertEqual(states(self.cells, HERE), ["fenced"] * 2)
        eventually("it waits for the rest", lambda: self.outcome(strict) == "AUTHZ_STALE")
        plain = self.cells.command(HERE, "order", "fence", AWAY, "--officer-key=%s" % (self.cells.mesh.directory / "officer/key.pem"))
        self.assertIn("NOT_FOUND", plain.stderr)
        self.assertEqual(self.outcome(strict), "AUTHZ_STALE")
        self.fence(AWAY, "--again")
        eventually("fresh again", lambda: self.outcome(strict) == "")
        self.assertEqual(self.cells.command(HERE, "partner", "get", rest).returncode, 2, "it is lost")


class Living(unittest.TestCase):
    """A cell that is fenced while it writes."""

    def setUp(self):
        self.mesh = self.enterContext(Mesh(BINARY, words=["--regions=2", "--cells=1", "--start-ms=120000"]))
        self.cells = Cells(self.mesh, BINARY)
        self.cells.await_whole()

    def create(self, cell, *words):
        return self.cells.command(cell, "partner", "create", "--display-name=a", "--contact=a@b.example", *words)

    def order(self, action):
        ended = self.cells.command(HERE, "order", action, AWAY, "--officer-key=%s" % (self.mesh.directory / "officer/key.pem"),
                                   "--also=%s" % (self.mesh.directory / "cli-r2-a.yaml"))
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def renew(self):
        """Both of its stores, while nothing runs on them."""
        self.cells.turn("stop", AWAY)
        for owner in OWNERS:
            subprocess.run([pathlib.Path(BINARY).with_name("keyward-" + owner), "new-life",
                            "--config=%s" % (self.mesh.directory / AWAY / "config" / (owner + ".yaml"))], check=True)
        self.cells.turn("start", AWAY)

    def test_it_is_drained_and_stays_after_all_by_a_new_life(self):
        self.order("drain")
        self.assertEqual(states(self.cells, HERE), ["draining"] * 2)
        self.assertEqual(self.create(AWAY).returncode, 0, "it goes on")
        self.renew()
        eventually("it is a member as before", lambda: states(self.cells, HERE) == ["active"] * 2)
        made = json.loads(self.create(AWAY, "-o", "json").stdout)["partner"]["name"]
        eventually("what it says is heard", lambda: self.cells.command(HERE, "partner", "get", made).returncode == 0)

    def test_it_is_drained_and_fenced_and_nothing_of_it_is_taken_a_second_later(self):
        key = self.mesh.directory / "officer" / "key.pem"
        self.assertEqual(self.create(AWAY).returncode, 0)
        self.order("drain")
        self.order("fence")
        begin = time.monotonic()
        eventually("it refuses by itself", lambda: self.create(AWAY).returncode == 2)
        self.assertLess(time.monotonic() - begin, REFUSED_S)
        before = self.cells.command(HERE, "partner", "list", "-o", "json").stdout
        self.assertEqual(self.create(HERE).returncode, 0)
        self.assertEqual(before.count('"name"'), 1, "what was honoured is here, and nothing else")
        refused = self.cells.command(HERE, "order", "drain", AWAY, "--officer-key=%s" % key)
        self.assertIn("NOT_FOUND", refused.stderr)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
