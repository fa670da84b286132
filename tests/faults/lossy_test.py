#!/usr/bin/python3
"""Two regions on hosts of their own, between which packets vanish: `lossy_test.py BUILD/bin/keyward` (F17, F18, F21).

Below TCP, by nft in network namespaces; where they are not permitted it is skipped.
"""
import pathlib
import sys
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "support"), str(pathlib.Path(__file__).parent)]

from cells import CUT_OFF_MS, Cells  # isort: first, makes the others importable

import actors
import netns
from mesh import eventually
from spread_mesh import SpreadMesh

HERE, THERE = "r1/a", "r2/a"
WEST, EAST = "west", "east"
CHANGES = 30
LOSSES = (0.02, 0.2)
SILENT = 'keyward_replication_links_cut_total{reason="silent"}'


class Lossy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = cls.enterClassContext(netns.Network([WEST, EAST]))
        mesh = cls.enterClassContext(SpreadMesh(BINARY, cls.network, {HERE: WEST, THERE: EAST}, words=[
            "--regions=2", "--cells=1", "--start-ms=60000"]))
        cls.cells = Cells(mesh, BINARY)
        cls.cells.await_whole()
        cls.officers = {cell: cls.cells.officer(cell) for cell in (HERE, THERE)}
        for officer in cls.officers.values():
            cls.addClassCleanup(officer.close)

    def tearDown(self):
        self.network.heal()
        self.cells.await_whole()
        self.assertEqual(self.partners(HERE), self.partners(THERE))
        self.assertEqual(self.cells.repaired(), 0)

    def create(self, cell):
        return self.officers[cell].create_partner("from " + cell)

    def partners(self, cell):
        request = actors.partner_service_pb2.ListPartnersRequest(page_size=1000)
        return {partner.name for partner in self.officers[cell].read(
            actors.method(actors.partner_service_pb2, "PartnerService", "ListPartners"), request).partners}

    def await_known(self, partners, cell):
        begin = time.monotonic()
        eventually("all are known in %s" % cell, lambda: partners <= self.partners(cell))
        return time.monotonic() - begin

    def lose(self, **fault):
        self.network.set_all([WEST, EAST], [WEST, EAST], **fault)

    def dropped(self):
        return self.network.dropped(WEST, EAST) + self.network.dropped(EAST, WEST)

    def test_lost_packets_delay_and_lose_nothing(self):
        for loss in LOSSES:
            self.lose(loss=loss)
            times = []
            while len(times) < CHANGES or not self.dropped():
                here, there = (HERE, THERE) if len(times) % 2 else (THERE, HERE)
                times.append(self.await_known({self.create(here)}, there))
            print("%d %% lost, %d packets: a change is known in the other region after %.2f s, at most %.2f s" % (
                100 * loss, self.dropped(), sorted(times)[len(times) // 2], max(times)), flush=True)

    def test_apart_both_go_on_and_meet_again(self):
        self.lose(cut=True)
        for cell in (HERE, THERE):
            other = THERE if cell == HERE else HERE
            eventually("%s hears nothing" % cell, lambda: self.cells.ages(cell)[other] > CUT_OFF_MS)
        made = {self.create(cell) for cell in (HERE, THERE) for _ in range(CHANGES)}
        self.network.heal()
        print("apart: all known on both sides %.2f s after they met" % max(
            self.await_known(made, HERE), self.await_known(made, THERE)), flush=True)

    def test_deaf_one_way_is_noticed_on_both_sides(self):
        for source, target in ((WEST, EAST), (EAST, WEST)):
            before = self.cells.total(SILENT, ["replicator"])
            self.network.set(source, target, cut=True)
            eventually("both have cut the link", lambda: self.cells.total(SILENT, ["replicator"]) > before and
                       self.cells.total('keyward_replication_link_up{peer="%s"}' % THERE, ["replicator"], [HERE]) == 0)
            made = {self.create(cell) for cell in (HERE, THERE)}
            self.network.heal()
            self.await_known(made, HERE)
            self.await_known(made, THERE)


if __name__ == "__main__":
    netns.enter()
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
