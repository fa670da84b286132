#!/usr/bin/python3
"""The Python partner's client against a server that misbehaves: what a broken or dishonest one can
do to it. The server is a few lines here, with certificates made for the test."""
import concurrent.futures
import datetime
import ipaddress
import os
import pathlib
import struct
import tempfile
import time
import unittest

import stubs  # isort: first, makes the others importable

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding
from keyward.v1 import device_access_service_pb2 as pb
from keyward.v1 import device_access_service_pb2_grpc as pb_grpc

from keyward_partner import envelope as env
from keyward_partner.client import Client
from keyward_partner.errors import KeywardError
from keyward_partner.member import Member, key_to_pem
from keyward_partner.names import id_bytes, resource_name
from keyward_partner.primitives import cmac

DEVICES = [resource_name("devices", "dev", bytes([i]) * 16) for i in range(1, 5)]
PARTNER = resource_name("partners", "prt", bytes(16))
TRANSPORT_KEY = bytes(range(32))
KEY = bytes(range(32, 64))
TLS_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])


def self_signed(key):
    """A certificate that is its own root, for 127.0.0.1."""
    now = datetime.datetime.utcnow()
    day = datetime.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (x509.CertificateBuilder().subject_name(TLS_NAME).issuer_name(TLS_NAME)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - day).not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def seal(device, partner=PARTNER, epoch=1):
    """An envelope as Keyward would make it."""
    now = int(time.time() * 1000)
    wrapped = aes_key_wrap_with_padding(TRANSPORT_KEY, KEY)
    body = (env.HEAD.pack(b"KWE1", 1, env.KEY_RELEASED, id_bytes(device), bytes(16),
                          id_bytes(partner), epoch, 1, os.urandom(16), now, now + 60000)
            + env.LENGTH.pack(4) + b"eu-1" + env.SESSION.pack(*env.NO_SESSION)
            + struct.pack(">H", len(wrapped)) + wrapped)
    return pb.KeyEnvelope(sealed=body + cmac(KEY, body))


class Server(pb_grpc.DeviceAccessServiceServicer):
    """Answers with whatever `answer` makes of a device; breaks streams `breaks` times."""

    def __init__(self):
        self.answer, self.breaks, self.asked = seal, 0, []

    def GetDeviceAccess(self, request, context):
        self.asked.append(request.device)
        return pb.GetDeviceAccessResponse(envelope=self.answer(request.device))

    def BatchGetDeviceAccess(self, request_iterator, context):
        for message in request_iterator:
            self.asked.append([item.get.device for item in message.items])
            for item in reversed(message.items[len(message.items) // 2:]):
                yield self.result(item)
            if self.breaks > 0:
                self.breaks -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut off")
            for item in message.items[:len(message.items) // 2]:
                yield self.result(item)

    def result(self, item):
        return pb.BatchGetDeviceAccessResponse(results=[
            pb.BatchAccessResult(item_id=item.item_id, envelope=self.answer(item.get.device))])


class ClientTest(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        key = ec.generate_private_key(ec.SECP256R1())
        files = {"tls-key.pem": key_to_pem(key), "tls-cert.pem": self_signed(key)}
        files["ca.pem"] = files["tls-cert.pem"]
        for name, content in files.items():
            (directory / name).write_bytes(content)
        port = self.serve(files)
        member = Member(directory, PARTNER, 1, TRANSPORT_KEY)
        self.client = self.enterContext(Client("127.0.0.1:%d" % port, member))

    def serve(self, files):
        self.server = Server()
        credentials = grpc.ssl_server_credentials(
            [(files["tls-key.pem"], files["tls-cert.pem"])], files["ca.pem"], True)
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        pb_grpc.add_DeviceAccessServiceServicer_to_server(self.server, server)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return port

    def batch(self):
        return self.client.batch_get_device_access(DEVICES, 1, "therapy")

    def assertOpenRefused(self, field):
        with self.assertRaisesRegex(env.EnvelopeError, field):
            self.client.get_device_access(DEVICES[0], 1, "therapy")

    def test_key(self):
        self.assertEqual(self.client.get_device_access(DEVICES[0], 1, "therapy").key, KEY)

    def test_another_pens_envelope(self):
        self.server.answer = lambda device: seal(DEVICES[1])
        self.assertOpenRefused("device")

    def test_another_partners_envelope(self):
        self.server.answer = lambda device: seal(device, partner=DEVICES[0])
        self.assertOpenRefused("partner")

    def test_another_epochs_envelope(self):
        self.server.answer = lambda device: seal(device, epoch=2)
        self.assertOpenRefused("epoch")

    def test_batch_in_any_order(self):
        results = self.batch()
        self.assertEqual({device: answer.key for device, answer in results.items()},
                         {device: KEY for device in DEVICES})

    def test_broken_batch_asks_again_for_what_is_missing(self):
        self.server.breaks = 1
        self.assertEqual(set(self.batch()), set(DEVICES))
        self.assertEqual(self.server.asked, [DEVICES, DEVICES[:2]])

    def test_batch_that_always_breaks_gives_up(self):
        self.server.breaks = 100
        with self.assertRaises(KeywardError) as caught:
            self.batch()
        self.assertEqual(caught.exception.code, grpc.StatusCode.UNAVAILABLE)

    def test_answers_exchanged_within_a_batch(self):
        self.server.answer = lambda device: seal(DEVICES[0])
        with self.assertRaisesRegex(env.EnvelopeError, "device"):
            self.batch()


if __name__ == "__main__":
    unittest.main()
