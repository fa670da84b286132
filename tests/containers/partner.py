"""A partner beside the containers: the Python example, with the ports that gateways publish. It joins, fetches a pen's key, and asks again and
again while cells stop.
"""
import sys
import threading
import time

from compose import TOP, STATE

sys.path.insert(0, str(TOP / "tests/interop"))

import stubs  # isort: first, makes the others importable

import grpc
from keyward.v1 import device_access_service_pb2_grpc as pb_grpc
from keyward_partner.client import Client
from keyward_partner.errors import KeywardError
from keyward_partner.join import join

assert stubs.PATH

PURPOSE, EPOCH = "therapy", 1
ELSEWHERE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
PAUSE_S, SERVED_S = 0.1, 60


def joined(compose, folder):
    """A new partner: its name, and itself."""
    name = compose.asked("partner", "create", "--display-name=In Containers", "--contact=it@containers.example")["partner"]["name"]
    compose.keyward("partner", "invite", name, "--dir=%s/invitation" % STATE)
    compose.fetch("invitation", folder / "invitation")
    return name, join("127.0.0.1:%d" % compose.ports["r1-a"], folder / "invitation", folder / "member")


def granted(compose, partner, device):
    compose.keyward("grant", "create", partner, "--device=" + device, "--operation=release-key", "--purpose=" + PURPOSE,
                    "--end-time=+90d", "--justification=contract 4713")


class Door(Client):
    """The example's client, but one that has somewhere else to go: it does not wait for a gateway that is away."""

    def __init__(self, target, member):
        self.member = member
        credentials = grpc.ssl_channel_credentials(member.root, member.tls_key, member.tls_certificate)
        self.channel = grpc.secure_channel(target, credentials, options=[("grpc.initial_reconnect_backoff_ms", 200),
                                                                         ("grpc.max_reconnect_backoff_ms", 1000)])
        self._access = pb_grpc.DeviceAccessServiceStub(self.channel)


class Doors:
    """A connection to each of some cells."""

    def __init__(self, compose, member, cells):
        self.clients = {cell: Door("127.0.0.1:%d" % compose.ports[cell], member) for cell in cells}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for client in self.clients.values():
            client.channel.close()

    def ask(self, cell, device):
        return self.clients[cell].get_device_access(device, EPOCH, PURPOSE).key


class Asking(threading.Thread):
    """Calls one after the other, each to another cell of a region; a call that finds nobody goes on to the next, as a client with
    several addresses does. `served` says by whom, `failed` which calls nobody answered."""

    def __init__(self, doors, device, key):
        super().__init__(daemon=True)
        self.doors, self.device, self.key = doors, device, key
        self.served, self.failed, self.longest_s, self.moved = [], [], 0.0, 0
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.join()

    def run(self):
        cells, turn = list(self.doors.clients), 0
        while not self.ended.wait(PAUSE_S):
            begin = time.monotonic()
            self.call([*cells[turn % len(cells):], *cells[:turn % len(cells)]])
            self.longest_s = max(self.longest_s, time.monotonic() - begin)
            turn += 1

    def call(self, cells):
        for cell in cells:
            try:
                if self.doors.ask(cell, self.device) != self.key:
                    self.failed.append("%s: another key" % cell)
                self.served.append(cell)
                return
            except KeywardError as error:
                last = error
                if error.code not in ELSEWHERE:
                    break
            self.moved += 1
        self.failed.append("%s: %s" % (cell, last))

    def await_more(self, count):
        """Until so many calls more were served."""
        wanted, end = len(self.served) + count, time.monotonic() + SERVED_S
        nap = threading.Event()
        while len(self.served) < wanted:
            if time.monotonic() > end or not self.is_alive():
                raise AssertionError("%d calls served of %d" % (len(self.served), wanted))
            nap.wait(PAUSE_S)
