#!/usr/bin/python3
"""Links between cells that go wrong: `apart_test.py BUILD/bin/keyward BUILD/tests/fault-proxy` (F17 to F20, F25, F26).

Two regions of two cells: a ring, so that each link that is cut has one way around.

    r1/a ── r1/b
      │       │
    r2/a ── r2/b
"""
import collections
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import CUT_OFF_MS, Cells  # isort: first, makes the others importable
from links import Links

import actors
import history
from keyward_partner.errors import KeywardError
from mesh import Mesh, eventually
from processes import PROGRAMS, Processes, send
from world import Partner, World

ACROSS = (("r1/a", "r2/a"), ("r1/b", "r2/b"))
STALE_S = 5  # the least that may be set
ASKING, ASKING_S = 6, 30
CUT = 'keyward_replication_links_cut_total{reason="%s"}'
REVOKED = "NOT_FOUND"  # a partner is not told why a grant does not cover a device
FLAPS, FLAP_S = 8, 1
RECONNECTS_PER_S = 1.5


Asked = collections.namedtuple("Asked", "start end reason")


class Asking(threading.Thread):
    """A partner that asks for the same key again and again, and waits as long as it takes."""

    def __init__(self, outcome):
        super().__init__(daemon=True)
        self._outcome, self._over, self.calls = outcome, threading.Event(), []

    def run(self):
        while not self._over.is_set():
            begin = time.monotonic()
            reason = self._outcome()
            self.calls.append(Asked(begin, time.monotonic(), reason))

    def await_calls(self, count):
        count += len(self.calls)
        eventually("it is answered", lambda: len(self.calls) >= count)

    def end(self):
        self._over.set()
        self.join()


class Apart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        mesh = cls.enterClassContext(Mesh(BINARY, words=["--regions=2", "--cells=2", "--start-ms=120000"],
                                          KEYWARD_STALENESS_RELEASE_S=str(STALE_S)))
        cls.cells = Cells(mesh, BINARY)
        recorder = cls.enterClassContext(history.Recorder(mesh.temporary / "history.jsonl"))
        cls.world = World(mesh, recorder, 1)
        cls.addClassCleanup(cls.world.close)
        cls.cells.await_whole()
        cls.links = cls.enterClassContext(Links(cls.cells, PROXY))
        cls.officers = {cell: cls.cells.officer(cell) for cell in cls.cells.names}
        cls.partners = {cell: cls.partner(cell) for cell in cls.cells.names}
        for one in [*cls.officers.values(), *(partner.caller for partner in cls.partners.values())]:
            cls.addClassCleanup(one.close)

    def setUp(self):
        self.links.heal()
        self.cells.await_whole()
        self.processes = {cell: {part: Processes(self.cells.mesh, cell).find(part) for part in PROGRAMS}
                          for cell in self.cells.names}

    def tearDown(self):
        self.links.heal()
        self.cells.await_whole()
        self.assertEqual(self.cells.repaired(), 0)
        for cell in self.cells.names:
            self.assertEqual({part: Processes(self.cells.mesh, cell).find(part) for part in PROGRAMS},
                             self.processes[cell], "nothing died of it")

    # what one says

    def create(self, cell, name="from afar"):
        return self.officers[cell].create_partner("%s, %s" % (name, cell))

    def is_known(self, partner, cell):
        try:
            self.officers[cell].read(actors.method(actors.partner_service_pb2, "PartnerService", "GetPartner"),
                                     actors.partner_service_pb2.GetPartnerRequest(name=partner))
        except KeywardError as error:
            self.assertEqual(error.reason, "NOT_FOUND")
            return False
        return True

    def await_known(self, partner, *cells):
        """The longest time that it took."""
        begin = time.monotonic()
        for cell in cells:
            eventually("%s is known in %s" % (partner, cell), lambda: self.is_known(partner, cell))
        return time.monotonic() - begin

    def assertArrives(self, what):
        """What any cell says gets to all others."""
        for cell in self.cells.names:
            others = [other for other in self.cells.names if other != cell]
            print("%s: from %s everywhere after at most %.2f s" % (what, cell, self.await_known(self.create(cell), *others)),
                  flush=True)

    # keys for a partner

    @classmethod
    def partner(cls, cell):
        place = cls.cells.at(cell)
        partner = Partner(place.target, cls.world.partners[0].member, place.root_file.read_bytes())
        partner.caller.timeout_s = ASKING_S
        return partner

    def grant(self, cell, **fields):
        """And it is known everywhere."""
        name = self.officers[cell].grant(self.world.partners[0].name, batch=self.world.batch, **fields)
        grant = type(self.world.grants[0])(name, None, actors.PURPOSE, frozenset([self.world.pens[0].device]))
        for one in self.cells.names:
            eventually("%s can be used in %s" % (name, one), lambda: self.outcome(one, grant) == "")
        return grant

    def outcome(self, cell, grant):
        """The reason of a refusal, or none."""
        try:
            self.assertTrue(self.partners[cell].fetch(self.world.pens[0], grant)["right"])
        except KeywardError as error:
            return error.reason
        return ""

    def age(self, here, origin):
        return self.cells.ages(here).get(origin, 0)

    # faults

    def test_regions_that_can_not_hear_one_another_go_on_and_meet_again(self):
        strict, loose = self.grant("r1/a", strict=True), self.grant("r1/a")
        for link in ACROSS:
            self.links.cut(*link)
        made = [self.create("r1/b", "meanwhile"), self.create("r2/b", "meanwhile")]
        self.officers["r1/a"].revoke(loose.name)
        self.assertEqual(self.outcome("r1/a", loose), REVOKED)
        self.assertEqual(self.outcome("r2/a", loose), "", "nobody there can know of it")
        for cell, origin in (ACROSS[0], ACROSS[0][::-1]):
            eventually("%s is stale" % cell, lambda: self.outcome(cell, strict) == "AUTHZ_STALE")
            self.assertGreater(self.age(cell, origin), 1000 * STALE_S - CUT_OFF_MS, "not before its time")
        self.assertFalse(self.is_known(made[0], "r2/a") or self.is_known(made[1], "r1/a"))
        self.links.heal()
        print("apart: known on both sides %.2f s after they met" % max(
            self.await_known(made[0], "r2/a", "r2/b"), self.await_known(made[1], "r1/a", "r1/b")), flush=True)
        eventually("it is in force there", lambda: self.outcome("r2/a", loose) == REVOKED)
        for cell in ACROSS[0]:
            eventually("fresh again", lambda: self.outcome(cell, strict) == "")

    def test_a_link_that_is_deaf_one_way_is_noticed_and_gone_around(self):
        for a, b in (ACROSS[0], ACROSS[0][::-1]):
            before = self.cells.total(CUT % "silent", ["replicator"], [a, b])
            self.links.cut_one_way(a, b)
            eventually("it is noticed", lambda: self.cells.total(CUT % "silent", ["replicator"], [a, b]) > before)
            self.assertArrives("deaf from %s to %s" % (a, b))
            self.links.heal()
            self.cells.await_whole()

    def test_one_bridge_between_regions_carries_for_all(self):
        self.links.cut(*ACROSS[0])
        self.links.cut("r2/a", "r2/b")
        # r2/a hears nobody: a bridge is what is left to the others.
        eventually("r2/a is alone", lambda: self.age("r1/b", "r2/a") > CUT_OFF_MS)
        rest = [cell for cell in self.cells.names if cell != "r2/a"]
        self.assertTrue(self.cells.hear_one_another(rest))
        self.links.between("r2/a", "r2/b").heal()
        self.cells.await_whole()
        self.assertArrives("over one bridge")

    def test_a_link_that_flaps_is_not_called_without_end(self):
        link, nap = self.links.between(*ACROSS[0]), threading.Event()
        before, begin, made = link.stats()["accepted"], time.monotonic(), []
        for _ in range(FLAPS):
            self.links.cut(*ACROSS[0])
            made.append(self.create("r1/a", "while it flaps"))
            nap.wait(FLAP_S)
            link.heal()
            made.append(self.create("r2/a", "while it flaps"))
            nap.wait(FLAP_S)
        seconds, calls = time.monotonic() - begin, link.stats()["accepted"] - before
        print("flapping: called %d times in %.1f s" % (calls, seconds))
        self.assertGreater(calls, 0, "it was lost, and made again")
        self.assertLessEqual(calls, RECONNECTS_PER_S * seconds)
        print("flapping: all known %.2f s after" % max(self.await_known(one, *self.cells.names) for one in made))

    def test_bytes_that_are_corrupted_end_a_connection_and_nothing_else(self):
        link = self.links.between(*ACROSS[0])
        link.set(corrupt_every=3000)
        made = [self.create(cell, "corrupted") for _ in range(4) for cell in ACROSS[0]]
        link.wait_until(lambda stats: stats["up.flipped"] + stats["down.flipped"] >= 4 and stats["accepted"] >= 3, "corrupted")
        for partner in made:
            self.await_known(partner, *self.cells.names)
        self.assertEqual(self.cells.total('keyward_feed_verdicts_total{verdict="unsigned"}'), 0, "TLS has found them all")

    def test_a_replicator_that_stands_still_is_cut_and_catches_up(self):
        frozen = Processes(self.cells.mesh, "r2/a").first("replicator")
        before = self.cells.total(CUT % "silent", ["replicator"], ["r1/a", "r2/b"])
        send(frozen, signal.SIGSTOP)
        try:
            eventually("both of its peers cut it", lambda: self.cells.total(
                CUT % "silent", ["replicator"], ["r1/a", "r2/b"]) >= before + 2)
            made = self.create("r1/a", "while one stands still")
            self.await_known(made, "r1/b", "r2/b")
            self.assertFalse(self.is_known(made, "r2/a"))
        finally:
            send(frozen, signal.SIGCONT)
        print("it had stood still, and knew of it %.2f s after" % self.await_known(made, "r2/a"))

    def test_what_goes_on_after_a_pause_decides_anew(self):
        for owner in ("authz", "orchestrator"):
            strict = self.grant("r1/a", strict=True)
            asking = [Asking(lambda: self.outcome("r2/a", strict)) for _ in range(ASKING)]
            for one in asking:
                one.start()
                one.await_calls(2)
            stopped, resumed = self.pause(owner, strict)
            for one in asking:
                one.await_calls(3)
                one.end()
            calls = [call for one in asking for call in one.calls]
            self.assertIn("", {call.reason for call in calls if call.end < stopped}, "it could be used")
            late = [call for call in calls if call.end > resumed]
            self.assertTrue([call for call in late if call.start < stopped], "some were on their way all the time")
            self.assertNotIn("", {call.reason for call in late}, "after %s went on" % owner)
            print("%s: after a pause of %.1f s: %s" % (owner, resumed - stopped, collections.Counter(
                call.reason for call in late)), flush=True)
            self.cells.await_whole()

    def pause(self, owner, grant):
        """Of r2/a, for longer than its knowledge may be old; the grant is revoked meanwhile. When it began and ended."""
        paused = Processes(self.cells.mesh, "r2/a").first(owner)
        send(paused, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            self.officers["r1/a"].revoke(grant.name)
            eventually("long enough", lambda: self.cells.ages("r1/b", owner).get("r2/a", 0) > 1000 * (STALE_S + 1))
        finally:
            resumed = time.monotonic()
            send(paused, signal.SIGCONT)
        return stopped, resumed


if __name__ == "__main__":
    BINARY, PROXY = (str(pathlib.Path(sys.argv.pop(1)).resolve()) for _ in range(2))
    unittest.main()
