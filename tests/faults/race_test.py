#!/usr/bin/python3
"""The same thing changed in two regions at once: `race_test.py BUILD/bin/keyward` (F32 to F34)."""
import concurrent.futures
import pathlib
import sys
import threading
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import Cells  # isort: first, makes the others importable

import actors
import history
import observe
from keyward.v1 import grant_service_pb2 as grant_pb2, key_service_pb2 as key_pb2, partner_service_pb2 as partner_pb2
from keyward_partner.errors import KeywardError
from keyward_partner.names import new_request_id
from mesh import Mesh, eventually
from world import Partner, World

HERE, THERE = "r1/a", "r2/a"
ROUNDS = 40  # of what is cheap
KEYS = 12
WHY = "race"


class Race(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        mesh = cls.enterClassContext(Mesh(BINARY, words=["--regions=2", "--cells=1", "--start-ms=60000"]))
        cls.cells = Cells(mesh, BINARY)
        recorder = cls.enterClassContext(history.Recorder(mesh.temporary / "history.jsonl"))
        cls.cells.await_whole()
        cls.world = World(mesh, recorder, KEYS + 1)
        cls.addClassCleanup(cls.world.close)
        cls.officers, cls.partners = {}, {}
        for cell in cls.cells.names:
            place = cls.cells.at(cell)
            cls.officers[cell] = cls.cells.officer(cell)
            cls.partners[cell] = Partner(place.target, cls.world.partners[0].member, place.root_file.read_bytes())
            cls.addClassCleanup(cls.officers[cell].close)
            cls.addClassCleanup(cls.partners[cell].caller.close)

    def at_once(self, *calls):
        """Each in a thread of its own, from one moment on; what they answer: None where it was refused."""
        barrier = threading.Barrier(len(calls))

        def run(call):
            barrier.wait()
            try:
                return call()
            except KeywardError as error:
                self.assertTrue(error.reason, "refused, but not failed: %s" % error)
                return None

        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(run, calls))

    def await_equal(self, look):
        """What both cells show, once it is the same."""
        return eventually("both cells show the same", lambda: (one := look(HERE)) == look(THERE) and (one,))[0]

    # grants

    def grant(self, cell):
        pens = [self.world.pens[-1].device]
        return self.officers[cell].grant(self.world.partners[0].name, devices=grant_pb2.DeviceList(devices=pens))

    def grants(self, cell):
        """Name → is it revoked?"""
        request = grant_pb2.ListGrantsRequest(parent=self.world.partners[0].name, page_size=1000)
        return {grant.name: "revoked" in observe.grant_facts(grant) for grant in self.officers[cell].read(
            actors.method(grant_pb2, "GrantService", "ListGrants"), request).grants}

    def can_use(self, cell, name):
        grant = type(self.world.grants[0])(name, None, actors.PURPOSE, frozenset())
        try:
            return self.partners[cell].fetch(self.world.pens[-1], grant)["right"]
        except KeywardError as error:
            self.assertEqual(error.reason, "NOT_FOUND")
            return False

    def pause_partner(self, cell):
        """An edit of the partner whose grant it is."""
        for name in ("SuspendPartner", "ReinstatePartner"):
            self.officers[cell].partner_call(name, name=self.world.partners[0].name, justification=WHY)

    def test_revoked_wins_whatever_is_said_beside_it(self):
        revoked, made = [], []
        for number in range(ROUNDS):
            here, there = (HERE, THERE) if number % 2 else (THERE, HERE)
            name = self.grant(here)
            eventually("it is known there", lambda: name in self.grants(there))
            answers = self.at_once(lambda: self.officers[here].revoke(name), lambda: self.pause_partner(there),
                                   lambda: self.grant(there), lambda: self.officers[there].revoke(name))
            self.assertTrue(answers[0] or answers[3], "one of two was told that it is revoked")
            revoked.append(name)
            made += [answers[2]] if answers[2] else []
        shown = self.await_equal(self.grants)
        self.assertEqual({shown[name] for name in revoked}, {True})
        self.assertEqual({shown[name] for name in made}, {False})
        for cell in (HERE, THERE):
            self.assertFalse(any(self.can_use(cell, name) for name in revoked))
            self.assertTrue(all(self.can_use(cell, name) for name in made))

    # requests

    def create(self, cell, request_id):
        partner = partner_pb2.Partner(display_name="twice", contact="keys@example.org")
        return self.officers[cell].partner_call("CreatePartner", partner=partner, request_id=request_id).partner.name

    def partners_of(self, cell):
        request = partner_pb2.ListPartnersRequest(page_size=1000)
        return {partner.name for partner in self.officers[cell].read(
            actors.method(partner_pb2, "PartnerService", "ListPartners"), request).partners}

    def test_one_request_in_two_regions_has_one_answer(self):
        twice = 0
        for _ in range(ROUNDS):
            request_id = new_request_id()
            names = self.at_once(lambda: self.create(HERE, request_id), lambda: self.create(THERE, request_id))
            self.assertTrue(all(names), "it was done where it was asked")
            answer = self.await_equal(lambda cell: self.create(cell, request_id))
            self.assertIn(answer, names)
            self.assertLessEqual(set(names), self.await_equal(self.partners_of), "neither is lost")
            twice += len(set(names)) > 1
        print("%d of %d requests were done in both regions" % (twice, ROUNDS))
        self.assertGreater(twice, 0, "there was a race")

    # keys

    def key(self, cell, call, key, **fields):
        return self.officers[cell].key_call(call, name=key, justification=WHY, **fields)

    def facts(self, cell, key):
        request = key_pb2.GetKeyRequest(name=key)
        return observe.key_facts(self.officers[cell].read(actors.method(key_pb2, "KeyService", "GetKey"), request).key)

    def end(self, cell, key):
        for call in ("DeactivateKey", "DestroyKey"):
            self.key(cell, call, key)
        return True

    def test_no_key_comes_back_from_where_it_ended(self):
        for number, pen in enumerate(self.world.pens[:KEYS]):
            here, there = (HERE, THERE) if number % 2 else (THERE, HERE)
            key = pen.key_name
            lifted = self.key(here, "SuspendKey", key).suspension
            eventually("it is known there", lambda: any(lifted in fact for fact in self.facts(there, key)))
            suspended, _, told, ended = self.at_once(
                lambda: self.key(here, "SuspendKey", key).suspension,
                lambda: self.key(there, "LiftKeySuspensions", key, suspensions=[lifted]),
                lambda: self.key(here, "ReportKeyCompromise", key), lambda: self.end(there, key))
            self.assertTrue(told and ended)
            shown = self.await_equal(lambda cell: self.facts(cell, key))
            self.assertLessEqual({"compromised", "destroyed"}, set(shown))
            if suspended:
                self.assertFalse(any("LIFTED" in fact and suspended in fact for fact in shown), "who lifts names what")
            self.at_once(*(lambda cell=cell: self.key(cell, "ActivateKey", key) for cell in (HERE, THERE)))
            self.assertLessEqual(set(shown), set(self.await_equal(lambda cell: self.facts(cell, key))))


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
