"""Changes for a mesh to replicate, by its public API: stations in several cells make batches of pens (bulk of changes, in the
orchestrators) at a rate, officers make grants (in the authorizations'). And revocations, timed from their answer in one region until a
partner is refused in another.
"""
import collections
import threading
import time

import grpc

import actors
from calls import Caller
from keyward.v1 import device_access_service_pb2 as access_pb2
from keyward_partner.errors import KeywardError
from keyward_partner.member import load_key

GET_ACCESS = actors.method(access_pb2, "DeviceAccessService", "GetDeviceAccess")
PENS = 16  # of one batch
CALLS_AT_ONCE = 12  # of each place that injects
GRANTS_PER_S = 10  # of each
ASK_EVERY_S = 0.02
PATIENCE_S = 20
NOT_ALLOWED = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED)  # a grant that is not known, or is revoked


class Calls:
    """Of the threads of a load: how many, and what they were refused for. Too much at once is no failure of a bench that asks for much;
    anything else ends it, when it asks."""

    def __init__(self):
        self._lock, self._failure = threading.Lock(), None
        self.count, self.refused = 0, collections.Counter()

    def make(self, function):
        try:
            function()
        except KeywardError as error:
            with self._lock:
                self.refused[error.reason or error.code.name] += 1
        except Exception as error:
            self._failure = error
        with self._lock:
            self.count += 1

    def check(self):
        if self._failure:
            raise self._failure


class Paced:
    """A function called at a rate by several threads, for as long as the block lasts. What can't be begun in time is begun late."""

    def __init__(self, per_s, threads, function, calls):
        self._every_s, self._function, self._calls = 1 / per_s, function, calls
        self._over, self._lock, self._due = threading.Event(), threading.Lock(), time.monotonic()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._over.wait(max(0.0, self._next() - time.monotonic())):
            self._calls.make(self._function)

    def _next(self):
        """A second of arrears is made up for, no more: what is offered stays about what was asked for."""
        with self._lock:
            self._due = max(self._due + self._every_s, time.monotonic() - 1)
            return self._due


class Injector:
    """One place that changes much: a station and an officer of its own connections."""

    def __init__(self, mesh, cell, station, officer_files, partner, product_grant):
        root = mesh.root_file.read_bytes()
        self.cell, self._station, self._grant, self._partner = cell, station, product_grant, partner
        member = station.member
        self._maker = actors.Signer(mesh.target_of(cell), root, member.directory / "tls-key.pem",
                                    member.directory / "tls-cert.pem")
        self._officer = _officer(mesh, cell, officer_files)

    def close(self):
        self._maker.close()
        self._officer.close()

    def create_batch(self):
        station = _Borrowed(self._station, self._maker)
        station.create_batch(PENS)

    def create_grant(self):
        self._officer.grant(self._partner, **self._grant)

    def load(self, batches_per_s, calls):
        return [Paced(batches_per_s, CALLS_AT_ONCE, self.create_batch, calls),
                Paced(GRANTS_PER_S, 4, self.create_grant, calls)]


class _Borrowed(actors.Station):
    """A station by another connection."""

    def __init__(self, station, signer):  # pylint: disable=super-init-not-called
        self.product, self.name, self.member = station.product, station.name, station.member
        self.key, self.channel = signer.key, signer.channel


def _officer(mesh, cell, directory):
    officer = actors.Officer.__new__(actors.Officer)
    officer.root = mesh.root_file.read_bytes()
    actors.Signer.__init__(officer, mesh.target_of(cell), officer.root, directory / "key.pem", directory / "cert.pem")
    return officer


class Revocations(threading.Thread):
    """Again and again: an officer grants in one region until a partner can use it in the other, then revokes; the partner asks on. Times
    are from the answer to the officer until the partner's answer."""

    def __init__(self, mesh, here, there, partner, device, officer_files, calls):
        super().__init__(daemon=True)
        directory = partner.directory
        self._officer = _officer(mesh, here, officer_files)
        self._caller = Caller(mesh.target_of(there), mesh.root_file.read_bytes(), (directory / "tls-key.pem").read_bytes(),
                              (directory / "tls-cert.pem").read_bytes(), load_key(directory / "tls-key.pem"))
        self._partner, self._device, self._calls = partner.name, device, calls
        self._over = threading.Event()
        self.usable_s, self.refused_s = [], []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        self._officer.close()
        self._caller.close()

    def run(self):
        while not self._over.is_set():
            self._calls.make(self._round)

    def _round(self):
        grant = self._officer.grant(self._partner, devices={"devices": [self._device]})
        granted = time.monotonic()
        if not self._until(grant, True, granted, self.usable_s):
            return
        self._officer.revoke(grant)
        self._until(grant, False, time.monotonic(), self.refused_s)

    def _until(self, grant, usable, since, times):
        """The partner asks until it is so. False: the bench is over."""
        while not self._over.is_set():
            asked = time.monotonic()
            if self._is_usable(grant) == usable:
                times.append(time.monotonic() - since)
                return True
            if asked - since > PATIENCE_S:
                raise AssertionError("%s is not %s after %d s" % (grant, "usable" if usable else "refused", PATIENCE_S))
            self._over.wait(ASK_EVERY_S)
        return False

    def _is_usable(self, grant):
        request = access_pb2.GetDeviceAccessRequest(device=self._device, epoch=1, purpose=actors.PURPOSE, grant=grant)
        try:
            self._caller.unary(GET_ACCESS, request)
            return True
        except KeywardError as error:
            if error.code not in NOT_ALLOWED:
                raise
            return False
