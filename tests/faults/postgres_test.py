#!/usr/bin/python3
"""Meshes whose databases are in PostgreSQL, and servers that end: `postgres_test.py BUILD/bin/keyward` (F35 to F37)."""
import pathlib
import sys
import threading
import types
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).resolve().parents[1] / "support")]

from cells import Cells  # isort: first, makes the others importable

import actors
import postgres_mesh
from keyward_partner.errors import KeywardError
from keyward_partner.names import new_request_id
from mesh import Mesh, eventually

CELL, PEER = "r1/a", "r2/a"
KILLS = 3
CALLS_BETWEEN = 30  # acknowledged ones, of all clients
GAPS = """SELECT count(*) FROM (SELECT max(seq) AS last, min(seq) AS first, count(*) AS kept FROM feed_changes GROUP BY lane) AS lanes
WHERE last - first + 1 <> kept"""


class Client(threading.Thread):
    """Makes partners one after the other, each until it is acknowledged, at one instance and then at the next."""

    def __init__(self, officers, at):
        super().__init__(daemon=True)
        self._officers, self._at, self._over = officers, at, threading.Event()
        self.done = []  # (request id, name)

    def run(self):
        while not self._over.is_set():
            request_id = new_request_id()
            name = None
            while name is None and not self._over.is_set():
                name = self._ask(request_id)
            if name is not None:
                self.done.append((request_id, name))

    def _ask(self, request_id):
        try:
            return create(self._officers[self._at], request_id)
        except KeywardError:
            self._at = (self._at + 1) % len(self._officers)
            return None

    def end(self):
        self._over.set()
        self.join()


def create(officer, request_id):
    partner = actors.partner_service_pb2.Partner(display_name="one", contact="keys@example.org")
    return officer.partner_call("CreatePartner", partner=partner, request_id=request_id).partner.name


@unittest.skipUnless(postgres_mesh.is_possible(), "PostgreSQL is not installed")
class Postgres(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(postgres_mesh.Folder(BINARY, [CELL, PEER]))
        self.mesh = self.enterContext(Mesh(self.folder.keyward, words=["--regions=2", "--cells=1", "--start-ms=120000"]))
        self.cells = Cells(self.mesh, self.folder.keyward)
        self.server = self.folder.servers[CELL]
        self.officers = [self.officer_at(self.cells.at(CELL).target)]
        self.peer = self.officer_at(self.cells.at(PEER).target, PEER)
        self.cells.await_whole()

    def officer_at(self, target, cell=CELL):
        officer = actors.Officer(types.SimpleNamespace(target=target, root_file=self.cells.at(cell).root_file, directory=self.mesh.directory))
        self.addCleanup(officer.close)
        return officer

    def add_instances(self, count):
        self.instances = []
        for number in range(1, count + 1):
            instance = postgres_mesh.Instance(self.folder, self.mesh, CELL, number)
            self.addCleanup(instance.close)
            self.instances.append(instance)
            self.officers.append(self.officer_at(instance.target))

    def partners(self, officer):
        request = actors.partner_service_pb2.ListPartnersRequest(page_size=1000)
        return {one.name for one in officer.read(actors.method(actors.partner_service_pb2, "PartnerService", "ListPartners"), request).partners}

    def knows(self, officer, names):
        try:
            return names <= self.partners(officer)
        except KeywardError:
            return False

    def test_three_instances_lose_nothing_while_their_server_is_killed(self):
        self.add_instances(2)
        clients = [Client(self.officers, at) for at in range(len(self.officers))]
        for client in clients:
            client.start()
        for kill in range(KILLS + 1):
            count = sum(len(client.done) for client in clients) + CALLS_BETWEEN
            eventually("clients are served", lambda: sum(len(client.done) for client in clients) >= count)
            if kill < KILLS:
                self.server.kill()
                self.server.start()
        for client in clients:
            client.end()
        done = [one for client in clients for one in client.done]
        names = {name for _, name in done}
        self.assertEqual(len(names), len(done), "each its own")
        for officer in (*self.officers, self.peer):
            eventually("all are known", lambda: self.knows(officer, names))
        for at, (request_id, name) in enumerate(done):
            self.assertEqual(create(self.officers[at % len(self.officers)], request_id), name, "another one says the same")
        for owner in postgres_mesh.OWNERS:
            self.assertEqual(self.server.sql(GAPS, owner), "0")
        print("%d acknowledged by three instances, their server killed %d times: 0 lost, 0 gaps" % (len(done), KILLS))

    def test_a_standby_that_was_behind_takes_over(self):
        self.add_instances(1)
        known = {create(officer, new_request_id()) for officer in self.officers}
        self.server.copy()
        lives = self.lanes()
        lost = {create(officer, new_request_id()) for officer in self.officers * 3}
        eventually("the other cell has them", lambda: self.knows(self.peer, known | lost))
        self.server.kill()
        self.server.promote()
        for instance in self.instances:
            instance.begin_again()
        for officer in self.officers:
            eventually("what was lost comes back", lambda: self.knows(officer, known | lost))
        eventually("each writer begins a new life", lambda: self.lanes() >= lives + len(self.officers))
        after = {self.eventually_create(officer) for officer in self.officers} | {self.eventually_create(self.peer)}
        for officer in (*self.officers, self.peer):
            eventually("they go on", lambda: self.knows(officer, known | lost | after))
        self.assertEqual(self.cells.total('keyward_feed_verdicts_total{verdict="fork"}'), 0)

    def eventually_create(self, officer):
        request_id = new_request_id()

        def attempt():
            try:
                return create(officer, request_id)
            except KeywardError:
                return None
        return eventually("it is served", attempt)

    def lanes(self):
        return self.cells.total("keyward_feed_lanes", ["authz"], [PEER])


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
