#!/usr/bin/python3
"""A partner in Python against a whole Keyward: `partner_test.py BUILD/bin/keyward`.

One mesh, one station and one batch serve all tests; each test makes the partners, grants and
requests of its own. Nothing here is ours but the protos and what is written in Python.
"""
import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import stubs  # isort: first, makes the others importable

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from health.v1 import health_pb2
from keyward.v1 import (
    common_pb2, device_access_service_pb2, device_access_service_pb2_grpc, device_service_pb2,
    grant_service_pb2, partner_service_pb2, provisioning_service_pb2, receipt_service_pb2,
    receipt_service_pb2_grpc, status_service_pb2, status_service_pb2_grpc)
from reflection.v1 import reflection_pb2 as reflection_v1
from reflection.v1alpha import reflection_pb2 as reflection_v1alpha

import actors
import pen_sim
from keyward_partner import signing
from keyward_partner.channel import open_channel
from keyward_partner.client import Client
from keyward_partner.errors import KeywardError, translated
from keyward_partner.join import join, renew
from keyward_partner.member import load_key
from keyward_partner.names import new_request_id, resource_name
from keyward_partner.pen import Handshake
from keyward_partner.primitives import cmac, derive_partner_key
from keyward_partner.records import RecordReader
from mesh import Mesh

EPOCH = 1
PENS = 6  # the last one never proves that it has its key
Code = grpc.StatusCode
CLOSED = 5  # connections: more than a call makes attempts


class World:
    """What all tests stand on."""

    def __init__(self, mesh, officer):
        self.mesh, self.officer = mesh, officer
        self.directory = mesh.temporary
        self.station = actors.Station(mesh, officer, self.directory)
        self.batch_request_id = new_request_id()
        self.batch_messages = self.station.create_batch(PENS, request_id=self.batch_request_id)
        self.batch = self.batch_messages[0].batch.name
        self.items = [item for message in self.batch_messages for item in message.chunk.items]
        self.pens = [self.station.make_pen(item) for item in self.items]
        for i in range(PENS - 1):
            self.station.confirm(self.items[i], self.pens[i], "SN-%04d" % i)
        self.resumed_messages = self.station.create_batch(
            PENS, request_id=self.batch_request_id, start_index=2)
        self.released = self.station.provisioning_call("ReleaseBatch", name=self.batch)
        self.unconfirmed = self.items[-1].device


def setUpModule():
    global world
    mesh = unittest.enterModuleContext(Mesh(BINARY))
    officer = actors.Officer(mesh)
    unittest.addModuleCleanup(officer.close)
    world = World(mesh, officer)
    unittest.addModuleCleanup(world.station.close)


class Case(unittest.TestCase):
    def setUp(self):
        self.officer, self.station = world.officer, world.station
        self.directory = pathlib.Path(self.enterContext(
            tempfile.TemporaryDirectory(dir=world.directory)))

    def keyward(self, *words):
        """The command, as the officer, in the test's directory."""
        subprocess.run([pathlib.Path(BINARY).resolve(), *words], cwd=self.directory, check=True,
                       env={**os.environ, "KEYWARD_CONFIG": world.mesh.directory / "cli.yaml"},
                       stdout=subprocess.DEVNULL)

    def invited(self):
        """A new partner and its invitation."""
        partner = self.officer.create_partner(self.id()[:128])
        return partner, self.officer.invite(partner, self.directory / new_request_id())

    def joined(self):
        """A new partner's client."""
        _, invitation = self.invited()
        member = join(world.mesh.target, invitation, self.directory / new_request_id())
        return self.enterContext(Client(world.mesh.target, member))

    def granted(self, **grant):
        """A new partner's client, with a grant on the batch."""
        client = self.joined()
        client.grant = self.officer.grant(client.member.name, **{"batch": world.batch, **grant})
        return client

    def fetch(self, client, index=0, purpose=actors.PURPOSE, **options):
        return client.get_device_access(world.items[index].device, EPOCH, purpose, **options)

    def assertRefused(self, code, reason, function, *args, **fields):
        """The function fails with this code and ErrorInfo."""
        with self.assertRaises(KeywardError) as caught:
            function(*args, **fields)
        self.assertEqual((caught.exception.code, caught.exception.reason), (code, reason),
                         caught.exception)
        return caught.exception

    def assertNotFound(self, function, *args, **fields):
        self.assertRefused(Code.NOT_FOUND, "NOT_FOUND", function, *args, **fields)


class Provisioning(Case):
    def test_stream_is_batch_chunks_totals(self):
        parts = [message.WhichOneof("part") for message in world.batch_messages]
        self.assertEqual(parts, ["batch", "chunk", "totals"])
        self.assertEqual(world.batch_messages[-1].totals.sent_count, PENS)
        self.assertEqual(len({item.device for item in world.items}), PENS)

    def test_check_values(self):
        for item, pen in zip(world.items, world.pens):
            self.assertEqual(cmac(pen.device_key, bytes(16))[:3], item.check_value)

    def test_resumed_stream_has_the_same_keys(self):
        items = [item for message in world.resumed_messages for item in message.chunk.items]
        self.assertEqual([self.station.unwrap(item) for item in items],
                         [pen.device_key for pen in world.pens[2:]])
        self.assertEqual(world.resumed_messages[-1].totals.sent_count, PENS - 2)

    def test_keys_are_not_sent_again_after_release(self):
        self.assertRefused(Code.FAILED_PRECONDITION, "STATE_CONFLICT", self.station.create_batch,
                           PENS, request_id=world.batch_request_id, start_index=2)

    def test_request_id_of_another_batch(self):
        self.assertRefused(Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED", self.station.create_batch,
                           PENS + 1, request_id=world.batch_request_id)

    def test_release_leaves_out_what_is_not_proved(self):
        self.assertEqual((world.released.activated_count, world.released.unconfirmed_count),
                         (PENS - 1, 1))

    def test_batch_counts(self):
        get = actors.method(provisioning_service_pb2, "ProvisioningService", "GetBatch")
        batch = self.station.read(
            get, provisioning_service_pb2.GetBatchRequest(name=world.batch)).batch
        self.assertEqual((batch.count, batch.confirmed_count, batch.released_count),
                         (PENS, PENS - 1, PENS - 1))

    def test_pen_without_its_key_is_not_confirmed(self):
        stranger = pen_sim.Pen(world.items[-1].device_id, bytes(32))
        self.assertRefused(Code.FAILED_PRECONDITION, "POSSESSION_UNPROVEN", self.station.confirm,
                           world.items[-1], stranger, "SN-X")

    def test_devices_carry_serial_numbers(self):
        get = actors.method(device_service_pb2, "DeviceService", "GetDevice")
        request = device_service_pb2.GetDeviceRequest(name=world.items[0].device)
        device = self.officer.read(get, request).device
        self.assertEqual((device.serial_number, device.device_id),
                         ("SN-0000", world.items[0].device_id))


class Access(Case):
    def test_key_is_the_pens(self):
        client = self.granted()
        self.assertEqual(self.fetch(client).key, derive_partner_key(
            world.pens[0].device_key, client.member.id, EPOCH))

    def test_demo_from_invitation_to_doses(self):
        partner, invitation = self.invited()
        self.officer.grant(partner, batch=world.batch)
        pen_file = self.directory / "pen.json"
        pen_sim.save(pen_file, world.pens[0])
        printed = subprocess.run(
            [sys.executable, stubs.EXAMPLE / "demo.py",
             "--target", world.mesh.target, "--invitation", invitation,
             "--member", self.directory / "member", "--device", world.items[0].device,
             "--purpose", actors.PURPOSE, "--pen", "%s %s" % (pen_sim.__file__, pen_file)],
            env={"PYTHONPATH": stubs.PATH, "PATH": "/usr/bin:/bin"}, check=True,
            stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("dose 2: 12.50 IU injected, 2026-01-01 00:01:00 UTC", printed)
        self.assertIn("dose 4: ", printed)

    def test_pen_is_made_from_the_commands_batch(self):
        self.keyward("station", "invite", self.officer.create_station(self.station.product),
                     "--dir=invitation")
        self.keyward("station", "join", "invitation", "--dir=station")
        self.keyward("batch", "create", "--product", self.station.product, "--lot=LOT-2",
                     "--count=2", "--file=pens.jsonl", "--config=station/cli.yaml")
        item = json.loads((self.directory / "pens.jsonl").read_text().splitlines()[2])
        subprocess.run([sys.executable, stubs.EXAMPLE / "make_pen.py", "pens.jsonl", "station",
                        item["device"], "pen.json"], cwd=self.directory, check=True,
                       env={"PYTHONPATH": stubs.PATH})
        pen = pen_sim.load(self.directory / "pen.json")
        self.assertEqual(base64.b64encode(pen.device_id).decode(), item["deviceId"])
        self.assertEqual(base64.b64encode(cmac(pen.device_key, bytes(16))[:3]).decode(),
                         item["checkValue"])

    def test_session_keys_open_the_log(self):
        client = self.granted(operations=[common_pb2.KEY_OPERATION_DERIVE_SESSION])
        pen, handshake = world.pens[1], Handshake(client.member.id, EPOCH)
        m2 = pen.answer(handshake.m1)
        keys = client.derive_session(world.items[1].device, EPOCH, actors.PURPOSE, handshake,
                                     m2).key
        pen.admit(handshake.finish_derived(keys, m2))
        reader = RecordReader(keys)
        self.assertEqual([reader.open(record) for record in pen.send_log()], list(pen_sim.LOG))
        pen.take_acknowledgement(reader.acknowledge())

    def test_session_is_no_key(self):
        client = self.granted(operations=[common_pb2.KEY_OPERATION_DERIVE_SESSION])
        self.assertNotFound(self.fetch, client)

    def test_batch_answers_each_pen(self):
        client = self.granted()
        unknown = resource_name("devices", "dev", bytes(16))
        devices = [item.device for item in world.items] + [unknown]
        results = client.batch_get_device_access(devices, EPOCH, actors.PURPOSE)
        for device, pen in zip(devices[:PENS - 1], world.pens):
            self.assertEqual(results[device].key, derive_partner_key(
                pen.device_key, client.member.id, EPOCH))
        self.assertEqual((results[world.unconfirmed].reason, results[unknown].reason),
                         ("KEY_STATE", "NOT_FOUND"))

    def test_grant_by_product_and_by_list(self):
        self.fetch(self.granted(batch="", product=self.station.product))
        listed = grant_service_pb2.DeviceList(devices=[world.items[0].device])
        client = self.granted(batch="", devices=listed)
        self.fetch(client)
        self.assertNotFound(self.fetch, client, index=1)

    def test_without_grant(self):
        self.assertNotFound(self.fetch, self.joined())

    def test_other_purpose(self):
        self.assertNotFound(self.fetch, self.granted(), purpose="marketing")

    def test_another_partners_grant(self):
        self.assertNotFound(self.fetch, self.granted(), grant=self.granted().grant)

    def test_revoked_grant(self):
        client = self.granted()
        self.fetch(client)
        self.assertEqual(self.officer.revoke(client.grant).state,
                         grant_service_pb2.GRANT_STATE_REVOKED)
        self.assertNotFound(self.fetch, client)

    def test_quota(self):
        quota = grant_service_pb2.GrantQuota(max_operations=2)
        client = self.granted(quota=quota)
        self.fetch(client)
        self.fetch(client)
        self.assertRefused(Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", self.fetch, client)

    def test_suspended_key_until_lifted(self):
        client, name = self.granted(), world.items[2].key
        suspension = self.officer.key_call("SuspendKey", name=name,
                                           justification=actors.WHY).suspension
        self.assertRefused(Code.FAILED_PRECONDITION, "KEY_STATE", self.fetch, client, index=2)
        self.officer.key_call("LiftKeySuspensions", name=name, suspensions=[suspension],
                              justification=actors.WHY)
        self.fetch(client, index=2)

    def test_compromised_key(self):
        client = self.granted()
        self.officer.key_call("ReportKeyCompromise", name=world.items[3].key,
                              justification=actors.WHY)
        self.assertRefused(Code.FAILED_PRECONDITION, "KEY_STATE", self.fetch, client, index=3)

    def test_suspended_partner_until_reinstated(self):
        client = self.granted()
        fields = {"name": client.member.name, "justification": actors.WHY}
        self.officer.partner_call("SuspendPartner", **fields)
        self.assertRefused(Code.UNAUTHENTICATED, "IDENTITY_INVALID", self.fetch, client)
        self.officer.partner_call("ReinstatePartner", **fields)
        self.fetch(client)

    def test_invalid_field_is_named(self):
        client = self.granted()
        error = self.assertRefused(Code.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                                   client.get_device_access, world.items[0].device, 0,
                                   actors.PURPOSE)
        self.assertIn("epoch", error.fields)


class Mutations(Case):
    """Signatures and request ids, shown on CreatePartner."""

    def setUp(self):
        super().setUp()
        self.method = actors.method(partner_service_pb2, "PartnerService", "CreatePartner")
        self.request = partner_service_pb2.CreatePartnerRequest(
            request_id=new_request_id(),
            partner=partner_service_pb2.Partner(display_name="one", contact="one@example.org"))

    def send(self, request, metadata):
        call = self.officer.channel.unary_unary(
            signing.method_path(self.method), actors.to_bytes, signing.parser(self.method))
        with translated():
            return call(request, timeout=actors.TIMEOUT_S, metadata=metadata)

    def signature(self, key=None, path=None, request_id=None, body=None, not_after_ms=None):
        return ((signing.METADATA_KEY, signing.sign(
            key or self.officer.key, path or signing.method_path(self.method),
            request_id or self.request.request_id, body or self.request.SerializeToString(),
            not_after_ms)),)

    def assertSignatureRefused(self, metadata):
        self.assertRefused(Code.UNAUTHENTICATED, "SIGNATURE_INVALID", self.send, self.request,
                           metadata)

    def test_signed(self):
        self.assertEqual(self.send(self.request, self.signature()).partner.display_name, "one")

    def test_unsigned(self):
        self.assertSignatureRefused(())

    def test_signed_by_another_key(self):
        self.assertSignatureRefused(self.signature(key=ec.generate_private_key(ec.SECP256R1())))

    def test_signature_of_another_method(self):
        self.assertSignatureRefused(self.signature(path="/keyward.v1.GrantService/CreateGrant"))

    def test_signature_of_another_request_id(self):
        self.assertSignatureRefused(self.signature(request_id=new_request_id()))

    def test_signature_of_another_body(self):
        self.assertSignatureRefused(self.signature(body=b"another"))

    def test_signature_too_old_and_too_long(self):
        self.assertSignatureRefused(self.signature(not_after_ms=1))
        self.assertSignatureRefused(self.signature(not_after_ms=2**53))

    def test_replay_is_the_first_outcome(self):
        first, second = (self.send(self.request, self.signature()) for _ in range(2))
        self.assertEqual(first, second)
        self.assertTrue(first.partner.name)

    def test_request_id_with_another_body(self):
        self.send(self.request, self.signature())
        self.request.partner.display_name = "two"
        self.assertRefused(Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED", self.send, self.request,
                           self.signature())

    def test_validate_only_leaves_the_request_id_unused(self):
        self.request.validate_only = True
        self.assertEqual(self.send(self.request, self.signature()).partner.name, "")
        self.request.validate_only = False
        self.assertTrue(self.send(self.request, self.signature()).partner.name)

    def test_partner_may_not(self):
        client = self.joined()
        key = load_key(client.member.directory / "tls-key.pem")
        self.assertRefused(Code.PERMISSION_DENIED, "PERMISSION_DENIED", signing.call,
                           client.channel, key, self.method, self.request)

    def test_station_may_not_make_other_products(self):
        other = resource_name("products", "prd", bytes(16))
        self.station.product, own = other, self.station.product
        self.addCleanup(setattr, self.station, "product", own)
        self.assertNotFound(self.station.create_batch, 1)


class Enrollment(Case):
    def test_invitation_by_the_command(self):
        partner = self.officer.create_partner("by the command")
        self.keyward("partner", "invite", partner, "--dir=invitation")
        member = join(world.mesh.target, self.directory / "invitation", self.directory / "member")
        self.assertEqual(member.name, partner)

    def test_invitation_again_with_the_same_keys(self):
        (_, invitation), directory = self.invited(), self.directory / "member"
        first, second = (join(world.mesh.target, invitation, directory) for _ in range(2))
        self.assertEqual((first.name, first.transport_key), (second.name, second.transport_key))

    def test_invitation_again_with_other_keys(self):
        _, invitation = self.invited()
        join(world.mesh.target, invitation, self.directory / "first")
        self.assertRefused(Code.FAILED_PRECONDITION, "ENROLLMENT_HELD", join, world.mesh.target,
                           invitation, self.directory / "second")

    def test_invitation_opens_nothing_else(self):
        _, invitation = self.invited()
        with open_channel(world.mesh.target, *((invitation / name).read_bytes() for name in
                                               ("ca.pem", "key.pem", "cert.pem"))) as channel:
            self.assertRefused(Code.PERMISSION_DENIED, "PERMISSION_DENIED", get_status, channel)

    def test_renewed_certificate(self):
        client = self.granted()
        before = client.member.tls_certificate
        renew(world.mesh.target, client.member)
        self.assertNotEqual(client.member.tls_certificate, before)
        with Client(world.mesh.target, client.member) as renewed:
            self.fetch(renewed)
        self.fetch(client)

    def test_stolen_key_is_shut_out_by_enrolling_again(self):
        thief = self.granted()  # has the member's key, and renews with it
        fields = {"name": thief.member.name, "justification": actors.WHY}
        renew(world.mesh.target, thief.member)
        renewed = self.enterContext(Client(world.mesh.target, thief.member))
        self.fetch(renewed)
        self.officer.partner_call("SuspendPartner", **fields)
        invitation = self.officer.invite(thief.member.name, self.directory / new_request_id())
        again = (world.mesh.target, invitation, self.directory / new_request_id())
        self.assertRefused(Code.UNAUTHENTICATED, "IDENTITY_INVALID", join, *again)  # to confirm
        self.officer.partner_call("ReinstatePartner", **fields)
        member = self.enterContext(Client(world.mesh.target, join(*again)))
        for client in thief, renewed:
            self.assertRefused(Code.UNAUTHENTICATED, "IDENTITY_INVALID", self.fetch, client)
        self.fetch(member)

    def test_second_enrolment_stops_the_first(self):
        partner, invitation = self.invited()
        first = join(world.mesh.target, invitation, self.directory / "first")
        self.officer.grant(partner, batch=world.batch)
        client = self.enterContext(Client(world.mesh.target, first))
        self.fetch(client)
        self.assertRefused(Code.FAILED_PRECONDITION, "ENROLLMENT_HELD", join, world.mesh.target,
                           invitation, self.directory / "second")
        self.assertRefused(Code.UNAUTHENTICATED, "IDENTITY_INVALID", self.fetch, client)


class Evidence(Case):
    def list_receipts(self, channel, **filters):
        stub = receipt_service_pb2_grpc.ReceiptServiceStub(channel)
        with translated():
            return stub.ListReceipts(receipt_service_pb2.ListReceiptsRequest(**filters),
                                     timeout=actors.TIMEOUT_S).receipts

    def test_partner_sees_its_own_receipts(self):
        client, other = self.granted(), self.granted()
        delivery = self.fetch(client)
        self.fetch(other)
        receipts = {receipt.name: receipt for receipt in self.list_receipts(client.channel)}
        self.assertEqual({receipt.caller for receipt in receipts.values()}, {client.member.name})
        receipt = receipts[delivery.receipt]
        self.assertEqual((receipt.device, receipt.grant, receipt.method),
                         (world.items[0].device, client.grant,
                          "/keyward.v1.DeviceAccessService/GetDeviceAccess"))

    def test_another_partners_receipt_is_not_found(self):
        client, other = self.granted(), self.joined()
        name = self.fetch(client).receipt
        stub = receipt_service_pb2_grpc.ReceiptServiceStub(other.channel)

        def get():
            with translated():
                stub.GetReceipt(receipt_service_pb2.GetReceiptRequest(name=name),
                                timeout=actors.TIMEOUT_S)
        self.assertNotFound(get)

    def test_receipt_is_in_the_trailer(self):
        client = self.granted()
        stub = device_access_service_pb2_grpc.DeviceAccessServiceStub(client.channel)
        request = device_access_service_pb2.GetDeviceAccessRequest(
            device_id=world.items[0].device_id, epoch=EPOCH, purpose=actors.PURPOSE)
        response, call = stub.GetDeviceAccess.with_call(request, timeout=actors.TIMEOUT_S)
        self.assertEqual(dict(call.trailing_metadata())["keyward-receipt"],
                         response.envelope.receipt)

    def test_officer_sees_all(self):
        client = self.granted()
        delivery = self.fetch(client)
        names = [receipt.name for receipt in
                 self.list_receipts(self.officer.channel, caller=client.member.name)]
        self.assertIn(delivery.receipt, names)

    def test_verification_data_ends_ok(self):
        stub = receipt_service_pb2_grpc.ReceiptServiceStub(self.officer.channel)
        stream = stub.GetVerificationData(receipt_service_pb2.GetVerificationDataRequest(),
                                          timeout=actors.TIMEOUT_S)
        types = {record.type for message in stream for record in message.records}
        self.assertLessEqual({receipt_service_pb2.VERIFICATION_RECORD_TYPE_RECEIPT,
                              receipt_service_pb2.VERIFICATION_RECORD_TYPE_CERTIFICATE}, types)


def get_status(channel):
    stub = status_service_pb2_grpc.StatusServiceStub(channel)
    with translated():
        return stub.GetStatus(status_service_pb2.GetStatusRequest(), timeout=actors.TIMEOUT_S)


class Away(Case):
    def forward(self, listener):
        """Closes some connections, and forwards the next one to the gateway."""
        for _ in range(CLOSED):
            listener.accept()[0].close()
        accepted = listener.accept()[0]
        gateway = socket.create_connection(("127.0.0.1", world.mesh.port))

        def pump(source, sink):
            while data := source.recv(65536):
                sink.sendall(data)
        back = threading.Thread(target=pump, args=(gateway, accepted))
        back.start()
        pump(accepted, gateway)
        gateway.shutdown(socket.SHUT_WR)
        back.join()
        accepted.close()
        gateway.close()

    def test_call_waits_for_a_gateway_that_returns(self):
        client = self.joined()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            forward = threading.Thread(target=self.forward, args=(listener,), daemon=True)
            forward.start()
            with Client("127.0.0.1:%d" % listener.getsockname()[1], client.member) as patient:
                self.assertEqual(len(get_status(patient.channel).layers), 4)
            forward.join()


class Status(Case):
    def test_all_layers_serve(self):
        status = get_status(self.joined().channel)
        self.assertEqual([(layer.layer, layer.state) for layer in status.layers],
                         [(name, status_service_pb2.SERVING_STATE_SERVING) for name in
                          ("gateway", "authz", "orchestrator", "cryptocore")])

    def test_health(self):
        check = self.officer.channel.unary_unary(
            "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString)
        answer = check(health_pb2.HealthCheckRequest(), timeout=actors.TIMEOUT_S)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_reflection(self):
        for version, pb in (("v1", reflection_v1), ("v1alpha", reflection_v1alpha)):
            services, file = self.reflect(
                version, pb, pb.ServerReflectionRequest(list_services="*"),
                pb.ServerReflectionRequest(file_containing_symbol="keyward.v1.GrantService"))
            names = {service.name for service in services.list_services_response.service}
            self.assertLessEqual({"keyward.v1.DeviceAccessService", "keyward.v1.GrantService",
                                  "grpc.health.v1.Health"}, names)
            self.assertNotIn("internal", " ".join(names))
            self.assertTrue(file.file_descriptor_response.file_descriptor_proto)

    def reflect(self, version, pb, *questions):
        call = self.officer.channel.stream_stream(
            "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version,
            pb.ServerReflectionRequest.SerializeToString, pb.ServerReflectionResponse.FromString)
        return list(call(iter(questions), timeout=actors.TIMEOUT_S))


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
