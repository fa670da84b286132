#!/usr/bin/python3
"""The Python partner and the simulated pen against the known answers of tests/vectors."""
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

import stubs  # isort: first, makes the others importable

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

import pen_sim
from keyward_partner import envelope, errors, join, names, pen, primitives, records, signing


def vectors(name):
    """The file with all hex texts as bytes; texts that are not hex stay."""
    def to_bytes(value):
        if isinstance(value, dict):
            return {key: to_bytes(item) for key, item in value.items()}
        if isinstance(value, list):
            return [to_bytes(item) for item in value]
        try:
            return bytes.fromhex(value)
        except (TypeError, ValueError):
            return value
    return to_bytes(json.loads((stubs.ROOT / "tests" / "vectors" / name).read_text()))


KAT, FORMATS, PEN = vectors("keyward-kat.json"), vectors("formats.json"), vectors("pen.json")


class Primitives(unittest.TestCase):
    def test_cmac(self):
        for row in KAT["aes_cmac"] + PEN["cmac"]:
            self.assertEqual(primitives.cmac(row["key"], row["message"]), row["mac"])

    def test_partner_key(self):
        for row in PEN["handshakes"]:
            self.assertEqual(
                primitives.derive_partner_key(row["device_key"], row["partner_id"], row["epoch"]),
                row["partner_key"])

    def test_session_keys(self):
        row = KAT["sp800_108_counter_cmac_session_keys"]
        keys = primitives.derive_session_keys(row["partner_key"], row["context"][:16],
                                              row["context"][16:32],
                                              struct.unpack(">I", row["context"][32:])[0])
        self.assertEqual(keys.enc + keys.auth + keys.nonce_salt, row["session_keys"])

    def test_transport_key_proof(self):
        row = FORMATS["transport_proof"]
        self.assertEqual(join.transport_key_proof(row["transport_key"], row["nonce"]), row["proof"])


class Names(unittest.TestCase):
    def test_there_and_back(self):
        id_ = FORMATS["bindings"]["device"]
        name = names.resource_name("devices", "dev", id_)
        self.assertEqual(names.id_bytes(name), id_)
        self.assertEqual(names.id_bytes(name.rpartition("/")[2]), id_)

    def test_what_is_no_name(self):
        for text in ("", "devices", "devices/dev_", "devices/dev_" + "A" * 26):
            with self.assertRaises(ValueError):
                names.id_bytes(text)


class TransportKey(unittest.TestCase):
    """CMS as the HSM's side makes it, here made by OpenSSL's command."""
    KEY = bytes(range(32))

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.make_key_pair()
        self.cms = subprocess.run(
            ["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc",
             "-aes256-wrap", "-recip", self.directory / "transport-cert.pem",
             "-keyopt", "ecdh_kdf_md:sha384"],
            input=self.KEY, stdout=subprocess.PIPE, check=True).stdout

    def make_key_pair(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384",
             "-nodes", "-subj", "/CN=transport", "-keyout", self.directory / "transport-key.pem",
             "-out", self.directory / "transport-cert.pem"], stderr=subprocess.DEVNULL, check=True)

    def test_opened(self):
        self.assertEqual(join.open_transport_key(self.cms, self.directory), self.KEY)

    def test_anothers_is_refused(self):
        self.make_key_pair()
        with self.assertRaisesRegex(ValueError, "not for our key pair"):
            join.open_transport_key(self.cms, self.directory)


class Signature(unittest.TestCase):
    def setUp(self):
        row = FORMATS["request_signature"]
        self.path = row["method"].decode()
        self.id = str(signing.uuid.UUID(bytes=row["request_id"]))
        self.body, self.not_after = row["body"], row["not_after_ms"]
        self.message = row["message"]

    def test_message(self):
        self.assertEqual(signing.message(self.path, self.id, self.not_after, self.body),
                         self.message)

    def test_known_value_verifies(self):
        certificate = x509.load_der_x509_certificate(FORMATS["certificates"]["operator"])
        self.verify(certificate.public_key(), FORMATS["request_signature"]["value"])

    def test_ours_verifies_on_both_curves(self):
        for curve in (ec.SECP256R1(), ec.SECP384R1()):
            key = ec.generate_private_key(curve)
            value = signing.sign(key, self.path, self.id, self.body, self.not_after)
            self.verify(key.public_key(), value)

    def test_other_body_does_not_verify(self):
        key = ec.generate_private_key(ec.SECP256R1())
        with self.assertRaises(InvalidSignature):
            self.verify(key.public_key(),
                        signing.sign(key, self.path, self.id, self.body + b"x", self.not_after))

    def verify(self, key, value):
        not_after, size = struct.unpack_from(">QH", value)
        self.assertEqual((not_after, size), (self.not_after, len(value) - 10))
        key.verify(value[10:], self.message, ec.ECDSA(signing.digest_for(key)))


class Envelopes(unittest.TestCase):
    def setUp(self):
        self.released, self.derived = FORMATS["envelopes"]

    @staticmethod
    def expected(row, **other):
        fields = {"partner": row["partner"], "device": row["device"], "epoch": row["epoch"],
                  "operation": row["kind"], "transport_key_version": row["ptk_version"],
                  "session": (row["nonce_app"], row["nonce_pen"], row["counter"]),
                  "now_ms": row["issued_ms"], **other}
        return envelope.Expected(**fields)

    def open(self, row, record=None, transport_key=None, **other):
        return envelope.open_envelope(record or row["record"],
                                      transport_key or row["transport_key"],
                                      self.expected(row, **other))

    def test_partner_key(self):
        self.assertEqual(self.open(self.released), self.released["delivered"])

    def test_session_keys(self):
        keys = self.open(self.derived)
        self.assertEqual(keys.enc + keys.auth + keys.nonce_salt, self.derived["delivered"])

    def test_fields(self):
        fields = envelope.parse(self.derived["record"])
        self.assertEqual((fields.key, fields.receipt, fields.region, fields.expires_ms),
                         tuple(self.derived[name] for name in ("key", "receipt"))
                         + (self.derived["region"].decode(), self.derived["expires_ms"]))

    def test_every_altered_bit_is_refused(self):
        for row in (self.released, self.derived):
            for at in range(8 * len(row["record"])):
                altered = bytearray(row["record"])
                altered[at // 8] ^= 1 << at % 8
                with self.assertRaises(envelope.EnvelopeError, msg="bit %d" % at):
                    self.open(row, bytes(altered))

    def test_every_truncation_is_refused(self):
        record = self.released["record"]
        for size in range(1, len(record)):
            with self.assertRaises(envelope.EnvelopeError, msg="%d bytes" % size):
                self.open(self.released, record[:size])
        with self.assertRaises(envelope.EnvelopeError):
            self.open(self.released, record + b"\0")

    def test_what_was_not_asked_for_is_refused(self):
        others = {"partner": bytes(16), "device": bytes(16), "epoch": 2, "operation": 2,
                  "transport_key_version": 3, "session": (bytes(16), bytes(16), 1)}
        for field, other in others.items():
            with self.assertRaisesRegex(envelope.EnvelopeError, field):
                self.open(self.released, **{field: other})

    def test_expired_is_refused(self):
        self.open(self.released, now_ms=self.released["expires_ms"])
        with self.assertRaisesRegex(envelope.EnvelopeError, "expired"):
            self.open(self.released, now_ms=self.released["expires_ms"] + 1)

    def test_other_transport_key_is_refused(self):
        with self.assertRaisesRegex(envelope.EnvelopeError, "transport key"):
            self.open(self.released, transport_key=bytes(32))

    def test_key_is_not_printed(self):
        text = repr(envelope.parse(self.released["record"]))
        self.assertNotIn(repr(self.released["wrapped"]), text)


class PenCase(unittest.TestCase):
    """App and pen, fed with the nonces of the known answers."""

    def setUp(self):
        self.row = PEN["handshakes"][0]
        self.app = self.handshake(self.row)
        self.pen = pen_sim.Pen(PEN["provisioning"]["device_id"], self.row["device_key"],
                               counter=self.row["session_counter"] - 1)

    @staticmethod
    def handshake(row, counter_last=0):
        return pen.Handshake(row["partner_id"], row["epoch"], counter_last, row["nonce_app"])

    def open_session(self):
        m2 = self.pen.answer(self.app.m1, self.row["nonce_pen"])
        m3, keys = self.app.finish(self.row["partner_key"], m2)
        self.pen.admit(m3)
        return records.RecordReader(keys)


class Handshakes(PenCase):
    def test_app(self):
        for row in PEN["handshakes"]:
            app = self.handshake(row)
            self.assertEqual(app.m1, row["m1"])
            m3, keys = app.finish(row["partner_key"], row["m2"])
            self.assertEqual((m3, keys.enc, keys.auth, keys.nonce_salt),
                             (row["m3"], row["k_enc"], row["k_auth"], row["nonce_salt"]))

    def test_pen(self):
        self.assertEqual(self.pen.answer(self.row["m1"], self.row["nonce_pen"]), self.row["m2"])
        self.pen.admit(self.row["m3"])
        self.assertTrue(self.pen.is_open)

    def test_possession(self):
        row = PEN["provisioning"]
        self.assertEqual(pen_sim.Pen(row["device_id"], row["device_key"])
                         .prove_possession(row["challenge"]), row["proof"])

    def test_derived_keys(self):
        keys = primitives.SessionKeys(FORMATS["envelopes"][1]["delivered"])
        self.assertEqual(self.app.finish_derived(keys, self.row["m2"]), self.row["m3"])

    def test_app_refuses_an_altered_m2(self):
        for at in range(len(self.row["m2"])):
            altered = bytearray(self.row["m2"])
            altered[at] ^= 1
            with self.assertRaises(pen.PenError):
                self.app.finish(self.row["partner_key"], bytes(altered))

    def test_app_refuses_an_old_counter(self):
        app = self.handshake(self.row, counter_last=self.row["session_counter"])
        with self.assertRaisesRegex(pen.PenError, "counter"):
            app.finish(self.row["partner_key"], self.row["m2"])

    def test_app_refuses_another_length(self):
        with self.assertRaisesRegex(pen.PenError, "bytes"):
            self.app.finish(self.row["partner_key"], self.row["m2"] + b"\0")

    def test_pen_refuses_a_wrong_m3_and_closes(self):
        self.pen.answer(self.row["m1"], self.row["nonce_pen"])
        with self.assertRaisesRegex(pen_sim.Refused, "tag"):
            self.pen.admit(bytes(16))
        with self.assertRaisesRegex(pen_sim.Refused, "state"):
            self.pen.admit(self.row["m3"])


class Records(PenCase):
    def setUp(self):
        super().setUp()
        self.reader = self.open_session()

    def test_doses(self):
        for row in PEN["doses"]:
            self.assertEqual(self.reader.open(row["record"]), records.Dose(
                row["time_s"], row["units_x100"], row["type"], row["flags"], row["number"]))

    def test_pen_sends_them(self):
        self.assertEqual([self.reader.open(record) for record in self.pen.send_log()],
                         list(pen_sim.LOG))

    def test_acknowledgements(self):
        for row, count in zip(PEN["acks"]["good"], (2, 2)):
            for _ in range(count):
                self.reader.open(self.next_dose())
            self.assertEqual(self.reader.acknowledge(), row["record"])

    def next_dose(self):
        self.doses = getattr(self, "doses", None) or iter(PEN["doses"])
        return next(self.doses)["record"]

    def test_pen_takes_good_acknowledgements(self):
        self.pen.send_log()
        self.assertEqual([self.pen.take_acknowledgement(row["record"])
                          for row in PEN["acks"]["good"]], [2, 4])

    def test_pen_refuses_bad_acknowledgements(self):
        self.pen.send_log()
        for name in ("gap", "beyond_limit", "never_sent", "other_kind", "own_direction", "longer"):
            with self.assertRaises(pen_sim.Refused, msg=name):
                self.pen.take_acknowledgement(PEN["acks"][name]["record"])

    def test_repeated_and_skipped_records_are_refused(self):
        first, second, third = (row["record"] for row in PEN["doses"][:3])
        with self.assertRaisesRegex(pen.PenError, "lost"):
            self.reader.open(second)
        self.reader.open(first)
        with self.assertRaisesRegex(pen.PenError, "repeated"):
            self.reader.open(first)
        with self.assertRaisesRegex(pen.PenError, "lost"):
            self.reader.open(third)
        self.reader.open(second)

    def test_every_altered_byte_is_refused(self):
        record = PEN["doses"][0]["record"]
        for at in range(len(record)):
            altered = bytearray(record)
            altered[at] ^= 0x80
            with self.assertRaises(pen.PenError, msg="byte %d" % at):
                self.reader.open(bytes(altered))
        self.reader.open(record)

    def test_last_of_the_log(self):
        doses = [self.reader.open(row["record"]) for row in PEN["doses"]]
        self.assertEqual([dose.is_last for dose in doses], [False, False, False, True])
        self.assertIn("12.50 IU injected, 2026-01-01 00:01:00 UTC", str(doses[1]))


class Errors(unittest.TestCase):
    class Call(grpc.RpcError):
        """What grpcio raises, as far as it is looked at."""

        def __init__(self, code, details, metadata=()):
            super().__init__()
            self.answers = code, details, metadata

        def code(self):
            return self.answers[0]

        def details(self):
            return self.answers[1]

        def trailing_metadata(self):
            return self.answers[2]

    def refuse(self, *details):
        status = status_pb2.Status(code=8, message="Too many.")
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        metadata = ((errors.STATUS_KEY, status.SerializeToString()),)
        with self.assertRaises(errors.KeywardError) as caught, errors.translated():
            raise self.Call(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many.", metadata)
        return caught.exception

    def test_details(self):
        error = self.refuse(
            error_details_pb2.ErrorInfo(reason="RATE_LIMITED", domain="keyward",
                                        metadata={"limit": "in_flight"}),
            error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=500000000)),
            error_details_pb2.RequestInfo(request_id="abc"))
        self.assertEqual((error.code, error.reason, error.retry_after_s, error.request_id),
                         (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", 0.5, "abc"))
        self.assertEqual(error.metadata, {"limit": "in_flight"})

    def test_fields(self):
        violation = error_details_pb2.BadRequest.FieldViolation(field="epoch",
                                                                description="at least 1")
        error = self.refuse(error_details_pb2.ErrorInfo(reason="ARGUMENT_INVALID"),
                            error_details_pb2.BadRequest(field_violations=[violation]))
        self.assertEqual(str(error), "ARGUMENT_INVALID: Too many.; epoch: at least 1")

    def test_without_details(self):
        with self.assertRaises(errors.KeywardError) as caught, errors.translated():
            raise self.Call(grpc.StatusCode.UNAVAILABLE, "no connection")
        self.assertEqual((caught.exception.code, caught.exception.reason),
                         (grpc.StatusCode.UNAVAILABLE, ""))
        self.assertEqual(str(caught.exception), "UNAVAILABLE: no connection")


if __name__ == "__main__":
    unittest.main()
