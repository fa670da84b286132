"""Clients of several cells: each has a home, and goes elsewhere once when nobody is there.

Every attempt is in the history, with the effect it is to have. What a client uses was known everywhere before it began,
and what it changes is its own, so a call that fails has failed because of the fault.
"""
import collections
import random
import threading
import time

from keyward.v1 import (common_pb2, grant_service_pb2 as grant_pb2, key_service_pb2 as key_pb2,
                        partner_service_pb2 as partner_pb2)

import actors
import history
import load
from calls import PASSING, RECEIPT_KEY, Caller, outcome_of
from keyward_partner.errors import KeywardError
from keyward_partner.member import load_key
from keyward_partner.names import new_request_id
from world import GET_ACCESS, Partner

MIX = {"access": 6, "grant": 3, "revoke": 2, "suspend": 2, "partner": 1}
GRANTS = 24  # of each client, made before; it revokes them one by one
PATIENCE_S = 120

Served = collections.namedtuple("Served", "end seconds operation cell attempts local_only")


class Doors:
    """What clients share: a connection of each caller to each cell."""

    def __init__(self, cells, world):
        self.world, self._callers = world, []
        self.officers, self.partners = {}, {}
        for cell in cells.names:
            place = cells.at(cell)
            root, officer = place.root_file.read_bytes(), place.directory / "officer"
            self.officers[cell] = Caller(place.target, root, (officer / "key.pem").read_bytes(),
                                         (officer / "cert.pem").read_bytes(), load_key(officer / "key.pem"), waits=False)
            self.partners[cell] = Partner(place.target, world.partners[0].member, root, waits=False)
            self._callers += [self.officers[cell], self.partners[cell].caller]

    def close(self):
        for caller in self._callers:
            caller.close()


class Attempts:
    """What a client asks for: at one place, and once more at the next. All of it is in the history."""

    def __init__(self, recorder, name, places):
        self.recorder, self.name, self.places = recorder, name, places
        self.served, self.failed = [], []

    def ask(self, operation, function, places=None, **arguments):
        """`function(cell, request_id)` is one attempt: its result, and the trailers."""
        request_id, begin = new_request_id(), time.monotonic()
        arguments = {name: value.format(request_id) if name == "effect" else value for name, value in arguments.items()}
        for attempts, cell in enumerate(places or self.places, 1):
            try:
                result, local_only = self._attempt(operation, function, request_id, cell, arguments)
            except KeywardError as error:
                last = error
                if outcome_of(error) == history.REFUSED and error.reason not in PASSING:
                    break
            else:
                now = time.monotonic()
                self.served.append(Served(now, now - begin, operation, cell, attempts, local_only))
                return result
        self.failed.append("%s: %s" % (operation, last))
        raise last

    def _attempt(self, operation, function, request_id, cell, arguments):
        serial = self.recorder.start(self.name, operation, request_id, cell=cell, **arguments)
        try:
            result, trailers = function(cell, request_id)
        except KeywardError as error:
            self.recorder.end(serial, outcome_of(error), error.reason or "%s: %s" % (error.code.name, error.message))
            raise
        local_only = trailers.get("keyward-durability") == "LOCAL_ONLY"
        if "receipt" in arguments:
            result["receipt"] = trailers.get(RECEIPT_KEY, "")
        self.recorder.end(serial, history.OK, local_only=local_only, **result)
        return result, local_only


class Client(threading.Thread):
    """Calls until it is told to end. `pen` is its own: nobody else suspends it."""

    def __init__(self, doors, name, home, elsewhere, pen, pause_s=0):
        super().__init__(name=name, daemon=True)
        self._doors, self.home, self._pen, self._pause_s = doors, home, pen, pause_s
        self.attempts = Attempts(doors.world.recorder, name, (home, elsewhere))
        self._dice, self._over = random.Random(name), threading.Event()
        self._open_pen = doors.world.pens[-1]
        self.failure = None
        self._grants = [self._create_grant(elsewhere) for _ in range(GRANTS)]

    @property
    def served(self):
        return self.attempts.served

    def end(self):
        self._over.set()

    def run(self):
        names, weights = zip(*MIX.items())
        try:
            while not self._over.wait(self._pause_s):
                try:
                    getattr(self, "_" + self._dice.choices(names, weights)[0])()
                except KeywardError:
                    continue  # it is in `attempts.failed`
        except BaseException as error:  # the run must not pass without this client
            self.failure = error
            raise

    # calls

    def _access(self):
        grant = self._doors.world.grants[0]

        def fetch(cell, _):
            partner = self._doors.partners[cell]
            response, trailers = partner.caller.call(GET_ACCESS, partner.request(self._open_pen, grant))
            return partner.result(self._open_pen, response.envelope), trailers

        self.attempts.ask("GetDeviceAccess", fetch, receipt=True)

    def _grant(self):
        self._create_grant(None)

    def _create_grant(self, cell):
        """In one cell alone, or wherever there is somebody."""
        partner, end = self._doors.world.partners[0], load.grant_end()

        def create(cell, request_id):
            grant = grant_pb2.Grant(operations=[common_pb2.KEY_OPERATION_RELEASE_KEY], purpose=request_id, end_time=end,
                                    devices=grant_pb2.DeviceList(devices=[self._pen.device]))
            answer, trailers = self._officer(cell, grant_pb2, "GrantService", "CreateGrant", request_id=request_id,
                                             parent=partner.name, grant=grant, justification="faults")
            return {"name": answer.grant.name}, trailers

        return self.attempts.ask("CreateGrant", create, (cell,) if cell else None, effect="grant {}")["name"]

    def _revoke(self):
        if not self._grants:
            return self._grant()
        grant = self._grants.pop()

        def revoke(cell, request_id):
            return {"name": grant}, self._officer(cell, grant_pb2, "GrantService", "RevokeGrant", request_id=request_id,
                                                  name=grant, justification=request_id)[1]

        self.attempts.ask("RevokeGrant", revoke, effect="revoked {}")

    def _suspend(self):
        def suspend(cell, request_id):
            answer, trailers = self._officer(cell, key_pb2, "KeyService", "SuspendKey", request_id=request_id,
                                             name=self._pen.key_name, justification=request_id)
            return {"name": answer.suspension}, trailers

        self.attempts.ask("SuspendKey", suspend, effect="suspension {}")

    def _partner(self):
        def create(cell, request_id):
            partner = partner_pb2.Partner(display_name=request_id, contact="keys@example.org")
            answer, trailers = self._officer(cell, partner_pb2, "PartnerService", "CreatePartner", request_id=request_id,
                                             partner=partner)
            return {"name": answer.partner.name}, trailers

        self.attempts.ask("CreatePartner", create, effect="partner {}")

    def _officer(self, cell, file, service, name, /, **fields):
        request = getattr(file, name + "Request")(**fields)
        return self._doors.officers[cell].call(actors.method(file, service, name), request)


class Crowd:
    """Some clients at each of these homes, each with a pause between its calls."""

    def __init__(self, cells, world, homes, elsewhere, pens, pause_s=0):
        self.doors = Doors(cells, world)
        self.clients = [Client(self.doors, "%s %d" % (homes[i % len(homes)], i), homes[i % len(homes)], elsewhere, pen, pause_s)
                        for i, pen in enumerate(pens)]

    def start(self):
        for client in self.clients:
            client.start()

    def served(self, since):
        """All that was served since that moment, by time.monotonic."""
        return [one for client in self.clients for one in list(client.served) if one.end - one.seconds > since]

    def await_served(self, count):
        """Until each client has been served so often from now on; the moment that was before."""
        begin, nap = time.monotonic(), threading.Event()
        wanted = [len(client.served) + count for client in self.clients]
        while any(len(client.served) < count for client, count in zip(self.clients, wanted)):
            if time.monotonic() - begin > PATIENCE_S:
                raise AssertionError("not served: %s" % self.failed())
            nap.wait(0.05)
        return begin

    def failed(self):
        return [what for client in self.clients for what in client.attempts.failed]

    def end(self):
        for client in self.clients:
            client.end()
        for client in self.clients:
            client.join(PATIENCE_S)
            if client.failure or client.is_alive():
                raise AssertionError("%s: %r" % (client.name, client.failure or "does not end"))
        self.doors.close()
