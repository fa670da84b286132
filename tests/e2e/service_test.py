#!/usr/bin/python3
"""What the services do by themselves in a whole mesh: `service_test.py BUILD/bin/keyward`.

Certificates that renew themselves, and an HSM that goes away and comes back.
"""
import os
import pathlib
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))

import stubs  # isort: first, makes the others importable

from grpc import StatusCode as Code
from health.v1 import health_pb2
from keyward.v1 import status_service_pb2

import actors
from keyward_partner.client import Client
from keyward_partner.errors import KeywardError
from keyward_partner.join import join
from keyward_partner.names import new_request_id
from mesh import Mesh, eventually
from metrics import Metrics
from processes import SERVICES, Processes, send

EPOCH = 1


class Story:
    """A mesh, a station with a released pen, and a partner with a grant for it."""

    def __init__(self, case, **environment):
        self.mesh = case.enterContext(Mesh(BINARY, **environment))
        self.processes = Processes(self.mesh)
        self.officer = actors.Officer(self.mesh)
        case.addCleanup(self.officer.close)
        self.directory = pathlib.Path(case.enterContext(tempfile.TemporaryDirectory()))
        self.make_pen(case)
        self.make_partner(case)

    def make_pen(self, case):
        station = actors.Station(self.mesh, self.officer, self.directory)
        case.addCleanup(station.close)
        messages = station.create_batch(1)
        self.batch = messages[0].batch.name
        item = messages[1].chunk.items[0]
        self.device = item.device
        station.confirm(item, station.make_pen(item), "SN-1")
        station.provisioning_call("ReleaseBatch", name=self.batch)

    def make_partner(self, case):
        name = self.officer.create_partner("one")
        invitation = self.officer.invite(name, self.directory / new_request_id())
        member = join(self.mesh.target, invitation, self.directory / new_request_id())
        self.client = case.enterContext(Client(self.mesh.target, member))
        self.grant = self.officer.grant(name, batch=self.batch)

    def fetch(self):
        return self.client.get_device_access(self.device, EPOCH, actors.PURPOSE)

    def refusal(self):
        """Why a key can't be fetched now; None: it can."""
        try:
            self.fetch()
            return None
        except KeywardError as error:
            return error

    def health(self, service):
        check = self.officer.channel.unary_unary(
            "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString)
        return check(health_pb2.HealthCheckRequest(service="keyward.v1." + service),
                     timeout=actors.TIMEOUT_S).status

    def layer(self, name):
        status = self.officer.read(
            actors.method(status_service_pb2, "StatusService", "GetStatus"),
            status_service_pb2.GetStatusRequest())
        return next(layer for layer in status.layers if layer.layer == name)


class Renewal(unittest.TestCase):
    """All four certificates are due at once: each is replaced, and the mesh serves on."""

    def generation(self, story, service):
        return os.readlink(story.mesh.region / "credentials" / "a" / service)

    def test_certificates_renew_themselves(self):
        story = Story(self, KEYWARD_FAILPOINTS="renewal.due=error")
        for service in SERVICES:
            eventually("%s renews" % service,
                       lambda: self.generation(story, service) == service + ".b")
        self.assertIsNone(story.refusal())

    def test_neighbours_accept_the_new_ones(self):
        story = Story(self, KEYWARD_FAILPOINTS="renewal.due=error")
        for service in SERVICES:
            eventually("%s renews" % service,
                       lambda: self.generation(story, service) == service + ".b")
        # A new process shows the new certificate to neighbours that were there before.
        send(story.processes.first("authz"), signal.SIGKILL)
        eventually("served again", lambda: story.refusal() is None)


class Counting(unittest.TestCase):
    """Every service counts what it handled, and the core what it proves."""

    def metrics(self, story, service):
        return Metrics.at(story.mesh.metrics_url(service)).read()

    def test_calls_are_counted_in_every_layer(self):
        story = Story(self)
        story.fetch()
        for service in SERVICES:
            counted = self.metrics(story, service)
            self.assertGreater(counted['keyward_rpc_handled_total{reason="ok"}'], 0, service)

    def test_receipts_and_checkpoints_are_counted(self):
        story = Story(self)
        story.fetch()
        self.assertGreater(self.metrics(story, "cryptocore")["keyward_receipts_issued_total"], 0)
        eventually("a checkpoint is counted", lambda: self.metrics(
            story, "cryptocore")["keyward_checkpoints_total"] > 0)


class HsmLost(unittest.TestCase):
    """Without its HSM the core says so, and revocation and status go on."""

    def test_token_goes_and_comes_back(self):
        story = Story(self)
        tokens = story.mesh.region / "tokens"
        away = story.mesh.region / "tokens.away"

        self.assertIsNone(story.refusal())
        tokens.rename(away)
        eventually("HSM is lost", lambda: self.lost(story))
        self.assertEqual(story.officer.revoke(story.grant).name, story.grant)
        self.assertEqual(story.layer("authz").state, status_service_pb2.SERVING_STATE_SERVING)
        self.assertEqual(story.health("GrantService"), health_pb2.HealthCheckResponse.SERVING)
        self.assertEqual(story.health("DeviceAccessService"),
                         health_pb2.HealthCheckResponse.NOT_SERVING)

        away.rename(tokens)
        eventually("HSM is back", lambda: story.layer("cryptocore").state ==
                   status_service_pb2.SERVING_STATE_SERVING)
        story.grant = story.officer.grant(story.client.member.name, batch=story.batch)
        eventually("keys again", lambda: story.refusal() is None)

    def lost(self, story):
        """No worker is left; those that had the token open are ended."""
        send(story.processes.first("worker"), signal.SIGKILL)
        error = story.refusal()
        return error is not None and error.code == Code.UNAVAILABLE and \
            story.layer("cryptocore").state == status_service_pb2.SERVING_STATE_NOT_SERVING


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
