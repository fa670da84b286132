"""Who works on the mesh: officer, station, partners; and the pens they share."""
import concurrent.futures
import dataclasses
import pathlib
import secrets
import threading
import time

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from keyward.v1 import device_access_service_pb2 as access_pb2

import actors
from calls import Caller
from keyward_partner import envelope as env
from keyward_partner.errors import KeywardError, translated
from keyward_partner.join import join
from keyward_partner.member import Member, load_key
from keyward_partner.names import id_bytes
from keyward_partner.primitives import derive_partner_key

EPOCH = 1
PARTNERS = 6
PATIENCE_S, PAUSE_S = 30, 0.1
GET_ACCESS = actors.method(access_pb2, "DeviceAccessService", "GetDeviceAccess")
BATCH_PATH = "/keyward.v1.DeviceAccessService/BatchGetDeviceAccess"


@dataclasses.dataclass
class Pen:
    """A pen as its maker knows it."""
    device: str
    key_name: str
    key: bytes = dataclasses.field(repr=False)
    suspensions: set = dataclasses.field(default_factory=set)  # not lifted, as far as its owner knows


@dataclasses.dataclass
class Grant:
    name: str
    partner: "Partner"
    purpose: str
    devices: frozenset

    def covers(self, pen):
        return pen.device in self.devices


class Partner:
    """A partner's backend."""

    def __init__(self, target, member, root=None, waits=True):
        """`root`, where it is another region's."""
        self.name, self.member, self._id = member.name, member, member.id
        self._transport_key = member.transport_key
        self.caller = Caller(target, root or member.root, member.tls_key, member.tls_certificate,
                             load_key(member.directory / "tls-key.pem"), waits)
        self._stream = self.caller.channel.stream_stream(
            BATCH_PATH, access_pb2.BatchGetDeviceAccessRequest.SerializeToString,
            access_pb2.BatchGetDeviceAccessResponse.FromString)

    def request(self, pen, grant):
        return access_pb2.GetDeviceAccessRequest(device=pen.device, epoch=EPOCH, purpose=grant.purpose,
                                                 grant=grant.name)

    def fetch(self, pen, grant):
        """One key, as the result of a call."""
        response, _ = self.caller.unary(GET_ACCESS, self.request(pen, grant))
        return self.result(pen, response.envelope)

    def fetch_all(self, pens, grant, timeout_s):
        """Index of the pen and its part of the answer, as they come."""
        items = [access_pb2.BatchAccessItem(item_id=i, get=self.request(pen, grant))
                 for i, pen in enumerate(pens)]
        chunk = access_pb2.BatchGetDeviceAccessRequest(items=items)
        with translated():
            for message in self._stream(iter([chunk]), timeout=timeout_s, wait_for_ready=True):
                for result in message.results:
                    yield result.item_id, result

    def result(self, pen, envelope):
        """Opened, and held against what only the pen knows."""
        expected = env.Expected(partner=self._id, device=id_bytes(pen.device), epoch=EPOCH,
                                operation=env.KEY_RELEASED,
                                transport_key_version=self.member.transport_key_version)
        key = env.open_envelope(envelope.sealed, self._transport_key, expected)
        return {"receipt": envelope.receipt, "makes": [envelope.receipt],
                "seen": {envelope.receipt: ["stored"]},
                "right": key == derive_partner_key(pen.key, self._id, EPOCH)}


def patiently(function, *args):
    """A step of the story, begun again when it fails: a failpoint may fire before the load begins."""
    end, nap = time.monotonic() + PATIENCE_S, threading.Event()
    while True:
        try:
            return function(*args)
        except KeywardError:
            if time.monotonic() > end:
                raise
            nap.wait(PAUSE_S)


class World:
    """Made before the load. What it makes is in no effect that the checker counts."""

    def __init__(self, mesh, recorder, pens):
        self.mesh, self.recorder = mesh, recorder
        self.root = mesh.root_file.read_bytes()
        self.directory = pathlib.Path(mesh.temporary)
        self._lock = threading.Lock()
        self._patient = actors.Officer(mesh)
        officer = mesh.directory / "officer"
        self.officer = Caller(mesh.target, self.root, (officer / "key.pem").read_bytes(),
                              (officer / "cert.pem").read_bytes(), load_key(officer / "key.pem"))
        self._make_pens(pens)
        self.partners = [patiently(self._make_partner) for _ in range(PARTNERS)]
        self.grants = [patiently(self._make_grant, partner) for partner in self.partners]
        self._record()

    def close(self):
        for caller in [self.officer, self.station, *(partner.caller for partner in self.partners)]:
            caller.close()
        self._patient.close()

    def _make_pens(self, count):
        station = patiently(lambda: actors.Station(self.mesh, self._patient, self.new_directory()))
        self.product, self.station_key = station.product, station.member.transport_key
        messages = patiently(station.create_batch, count)
        self.batch = messages[0].batch.name
        items = [item for message in messages for item in message.chunk.items]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda item: patiently(station.confirm, item, station.make_pen(item), item.device[-8:]),
                          items))
        patiently(lambda: station.provisioning_call("ReleaseBatch", name=self.batch))
        self.pens = [self.pen_of(item) for item in items]
        member = station.member
        self.station = Caller(self.mesh.target, self.root, member.tls_key, member.tls_certificate, station.key)
        station.close()

    def pen_of(self, item):
        return Pen(item.device, item.key, aes_key_unwrap_with_padding(self.station_key, item.wrapped_key))

    def _make_partner(self):
        name, directory = self._patient.create_partner("one that all share"), self.new_directory()
        invitation = self._patient.invite(name, directory / "invitation")
        return Partner(self.mesh.target, join(self.mesh.target, invitation, directory / "partner"))

    def _make_grant(self, partner):
        name = self._patient.grant(partner.name, batch=self.batch)
        return Grant(name, partner, actors.PURPOSE, frozenset(pen.device for pen in self.pens))

    def _record(self):
        """The history begins with what is there."""
        serial = self.recorder.start("world", "Setup")
        there = [pen.key_name for pen in self.pens] + [pen.device for pen in self.pens] + \
            [grant.name for grant in self.grants] + [partner.name for partner in self.partners]
        self.recorder.end(serial, "ok", makes=there)

    def new_directory(self):
        directory = self.directory / secrets.token_hex(8)
        directory.mkdir(mode=0o700)
        return directory

    def member_of(self, directory, enrolled, transport_key):
        return Member(directory, enrolled.member, enrolled.transport_key_version, transport_key)

    def add_grant(self, grant):
        """For everybody to use; the oldest are forgotten, in use or not."""
        with self._lock:
            self.grants = [*self.grants[:PARTNERS], *self.grants[PARTNERS:][-60:], grant]

    def add_partner(self, partner):
        with self._lock:
            self.partners.append(partner)
