#!/usr/bin/python3
"""Who gets to the gateway, and how far: every certificate that is wrong in one way, and every internal method for
every kind of caller, taken from the method table and the descriptors.

    gateway_identity_test.py KEYWARD_GATEWAY GATEWAY_AUTHZ DESCRIPTOR_SET [unittest arguments]
"""
import hashlib
import itertools
import json
import os
import re
import socket
import ssl
import subprocess
import unittest
import uuid
from urllib.parse import quote

import certificate_factory as factory
from edge_frames import PREFACE, SETTINGS, frame
from gateway_support import (CALLER_URI, GATEWAY, SERVICE_URI, TIMEOUT_S, Authority, Caller, GatewayCase, World, eventually,
                             failure, messages, metric, write)

import grpc
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

Code = grpc.StatusCode
ID = "a" * 26
KEYWARD = os.path.join(os.path.dirname(GATEWAY), "keyward")
CALLERS = {role: CALLER_URI + path + ID for role, path in (
    ("partner", "partner/prt_"), ("station", "station/sta_"), ("operator", "operator/opr_"),
    ("invitation", "invite/inv_"))}
METHODS = os.path.join(os.path.dirname(__file__), "../../common/rpc/methods.def")


def internal_methods():
    """Paths of what is not offered to the outside: rows with INT, and the services of the internal protos."""
    with open(METHODS) as table:
        rows = re.findall(r'^KW_METHOD\(\d+, \w+, "([\w.]+)", "(\w+)", \w+, [^,]*, ([^,]*),', table.read(), re.M)
    paths = ["/%s/%s" % (service, name) for service, name, flags in rows if "INT" in flags.split(" | ")]
    hop = messages.pool.FindServiceByName("keyward.internal.v1.Hop")
    return paths + ["/%s/%s" % (hop.full_name, method.name) for method in hop.methods]


class Methods(GatewayCase):
    def test_every_internal_method_is_unknown_to_every_caller(self):
        paths = internal_methods()
        self.assertIn("/internal/Receipts", paths)
        for role, uri in CALLERS.items():
            with Caller(self.world, self.gateway, self.world.caller(uri)) as caller:
                for path in paths:
                    with self.subTest(role=role, path=path):
                        self.assertRefused(lambda: caller.channel.unary_unary(path)(b"", timeout=TIMEOUT_S),
                                           Code.UNIMPLEMENTED, "METHOD_UNKNOWN")

    def test_every_kind_of_caller_is_heard(self):
        for role, uri in CALLERS.items():
            with self.subTest(role=role), Caller(self.world, self.gateway, self.world.caller(uri)) as caller:
                self.assertEqual(caller.partner("p").name, "p")


class OnBehalf(GatewayCase):
    """The caller is who the handshake says; what the request says of itself counts for nothing."""

    def fingerprint(self, identity):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(identity[1].decode())).hexdigest()

    def test_metadata_names_nobody(self):
        bob = self.world.bob[1].decode()
        claims = {
            "on-behalf-of": CALLERS["operator"], "x-forwarded-client-cert": "URI=" + CALLERS["operator"],
            "x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1", "x-spiffe-id": CALLERS["operator"],
            "authorization": "Bearer " + CALLERS["operator"], "keyward-caller": CALLERS["operator"],
            "keyward-caller-bin": ssl.PEM_cert_to_DER_cert(bob), "x-client-cert": quote(bob),
            "keyward-authorization-bin": b"capsule", "keyward-role": "operator"}
        self.assertEqual(self.alice.partner("whoami").display_name, self.fingerprint(self.world.alice))
        for name, value in claims.items():
            with self.subTest(name):
                heard = self.alice.partner("whoami", metadata=[(name, value)])
                self.assertEqual(heard.display_name, self.fingerprint(self.world.alice))
                heard = self.alice.partner("p", metadata=[(name, value)])
                self.assertTrue(heard.display_name.startswith(("127.0.0.1:", "[::1]:")), "the peer's own address")

    def test_another_partner_in_the_body_changes_nobody(self):
        self.assertEqual(self.alice.partner("whoami").display_name, self.fingerprint(self.world.alice))
        with Caller(self.world, self.gateway, self.world.bob) as bob:
            self.assertEqual(bob.partner("whoami").display_name, self.fingerprint(self.world.bob))
        name, _ = self.alice.create(str(uuid.uuid4()), partner={"name": "partners/prt_b" + "a" * 25})
        self.assertNotIn("prt_b", name)


class Factory(GatewayCase):
    """Every certificate of the factory, at the edge and at a hop's listener: none gets through, and the right one does."""

    def test_right_ones_get_through(self):
        for live_s in ((-1, 3600), (-3600, 60)):
            identity = factory.pem(*factory.Issuer.of(self.world.partners).leaf(CALLERS["partner"], live_s=live_s))
            with self.subTest(live_s=live_s), Caller(self.world, self.gateway, identity) as caller:
                self.assertEqual(caller.partner("p").name, "p")
        inside = factory.Issuer.of(self.world.services).intermediate(path_length=0)
        between = factory.Issuer.of(self.world.partners).intermediate(path_length=0)
        chain = factory.pem(*between.leaf(CALLERS["partner"]), between.certificate)
        with Caller(self.world, self.gateway, chain) as caller:
            self.assertEqual(caller.partner("p").name, "p")
        chain = factory.pem(*inside.leaf(SERVICE_URI + "gateway"), inside.certificate)
        self.assertTrue(self.is_greeted(self.world.authz_port, chain))

    def test_wrong_ones_at_the_edge(self):
        before = self.alice.stats()
        wrong = factory.all_wrong(self.world.partners, CALLERS["partner"])
        others = factory.other_algorithms(self.world.partners, CALLERS["partner"])
        for what, identity in itertools.chain(wrong, others):
            with self.subTest(what):
                self.assertFalse(self.is_greeted(int(self.gateway.ready["port"]), identity))
        self.assertEqual(self.alice.stats(), before, "authz hears of nothing")
        refused = [json.loads(line) for line in self.gateway.log_text().splitlines() if '"handshake failed"' in line]
        serials = {line["serial"] for line in refused if line["class"].startswith("certificate")}
        self.assertGreater(len(serials), 40, "told with their serial numbers")

    def test_wrong_ones_at_a_hop(self):
        for what, identity in factory.all_wrong(self.world.services, SERVICE_URI + "gateway"):
            with self.subTest(what):
                self.assertFalse(self.is_greeted(self.world.authz_port, identity))

    def is_greeted(self, port, identity):
        """Does the server speak HTTP/2 with us, or close? In TLS 1.3 the client hears of its refusal after its handshake."""
        key, chain = identity
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.world.services.pem().decode())
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.set_alpn_protocols(["h2"])
        try:
            context.load_cert_chain(write(self.world.path("wrong.pem"), chain), write(self.world.path("wrong.key"), key))
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain, \
                    context.wrap_socket(plain) as tls:
                tls.sendall(PREFACE + frame(SETTINGS))
                return tls.recv(9)[3:4] == bytes([SETTINGS])
        except (ssl.SSLError, ConnectionError):
            return False


class Servers(unittest.TestCase):
    """The command and servers that are not the gateway it was told of: not a byte of the request leaves."""

    def setUp(self):
        self.world = self.enterContext(World())
        key, chain = self.world.caller(CALLERS["operator"])
        self.files = {"key-file": write(self.world.path("own.key"), key), "cert-file": write(self.world.path("own.pem"), chain),
                      "ca-file": write(self.world.path("root.pem"), self.world.services.pem())}
        os.chmod(self.files["key-file"], 0o600)

    def heard_by(self, identity):
        """What a server with this certificate hears of `keyward status`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(write(self.world.path("server.pem"), identity[1]), write(self.world.path("server.key"), identity[0]))
        context.set_alpn_protocols(["h2"])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(TIMEOUT_S)
            command = subprocess.Popen(
                [KEYWARD, "status", "--target=127.0.0.1:%d" % listener.getsockname()[1], "--timeout-ms=2000",
                 "--peer=" + SERVICE_URI + "gateway", *("--%s=%s" % file for file in self.files.items())],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(command.wait, TIMEOUT_S)
            try:
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as tls:
                    return tls.recv(24)
            except (ssl.SSLError, ConnectionError):
                return b""
            finally:
                command.kill()

    def test_the_command_speaks_with_its_gateway_alone(self):
        services, uri = factory.Issuer.of(self.world.services), SERVICE_URI + "gateway"
        right = factory.pem(*services.leaf(uri, usage=factory.SERVER))
        self.assertEqual(self.heard_by(right), PREFACE)
        stranger = factory.Issuer.of(Authority("services"))
        for what, identity in (
                ("another CA", factory.pem(*stranger.leaf(uri, usage=factory.SERVER))),
                ("another service", factory.pem(*services.leaf(SERVICE_URI + "authz", usage=factory.SERVER))),
                ("another cell", factory.pem(*services.leaf(uri.replace("/cell/a", "/cell/b"), usage=factory.SERVER))),
                ("a partner", factory.pem(*services.leaf(CALLERS["partner"], usage=factory.SERVER))),
                ("ended", factory.pem(*services.leaf(uri, usage=factory.SERVER, live_s=(-3600, -1)))),
                ("for clients", factory.pem(*services.leaf(uri))),
                ("a host name alone", factory.pem(*services.leaf(uri, usage=factory.SERVER, names=[x509.DNSName("localhost")])))):
            with self.subTest(what):
                self.assertEqual(self.heard_by(identity), b"")


class Bundle(GatewayCase):
    """The CAs of callers, as they change."""

    def reloads(self, result):
        return metric(self.gateway, 'keyward_certificate_reloads_total{result="%s"}' % result)

    def test_one_of_the_wrong_mode_is_taken_when_its_mode_is_right(self):
        """Which changes nothing of what is in it, nor when it was written: a CA that was taken out would be believed for good."""
        others = Authority("others")
        new = write(self.world.path("new.pem"), others.pem())
        os.chmod(new, 0)
        os.rename(new, self.world.ca_file)
        eventually(lambda: self.reloads("failed") > 0, "tried")
        os.chmod(self.world.ca_file, 0o644)
        eventually(lambda: self.reloads("ok") > 0, "taken")
        with Caller(self.world, self.gateway, self.world.caller(CALLERS["partner"], authority=others)) as caller:
            caller.partner("p")
        with Caller(self.world, self.gateway, self.world.alice) as caller:
            self.assertEqual(failure(lambda: caller.partner("p")).code(), Code.UNAVAILABLE)


class Handshake(GatewayCase):
    def assertTurnedAway(self, why, identity):
        """The connection is refused, the log says why, and authz hears nothing of it."""
        line = '"class":"%s"' % why
        before = self.gateway.log_text().count(line)
        with Caller(self.world, self.gateway, identity) as caller:
            self.assertEqual(failure(lambda: caller.partner("p")).code(), Code.UNAVAILABLE)
        eventually(lambda: self.gateway.log_text().count(line) > before, why)

    def test_no_certificate(self):
        self.assertTurnedAway("no_certificate", (None, None))

    def test_expired(self):
        self.assertTurnedAway("certificate_expired", self.world.caller(CALLERS["partner"], days=(-2, -1)))

    def test_not_yet_valid(self):
        self.assertTurnedAway("certificate_not_yet_valid", self.world.caller(CALLERS["partner"], days=(1, 2)))

    def test_foreign_ca_of_the_same_name(self):
        self.assertTurnedAway("certificate_untrusted",
                              self.world.caller(CALLERS["partner"], authority=Authority("partners")))

    def test_certificate_for_servers(self):
        self.assertTurnedAway("certificate_purpose",
                              self.world.caller(CALLERS["partner"], usage=ExtendedKeyUsageOID.SERVER_AUTH))

    def test_two_uri_sans(self):
        for uris in ((CALLERS["partner"], CALLERS["operator"]), (CALLER_URI + "other", CALLERS["partner"]),
                     (CALLERS["partner"], CALLER_URI + "other")):
            with self.subTest(uris=uris):
                self.assertTurnedAway("certificate_identity", self.world.caller(*uris))

    def test_the_same_uri_san_twice(self):
        self.assertTurnedAway("certificate_identity", self.world.caller(CALLERS["partner"], CALLERS["partner"]))

    def test_no_uri_san(self):
        self.assertTurnedAway("certificate_identity", self.world.caller())

    def test_foreign_trust_domain(self):
        uri = CALLERS["partner"].replace("keyward.test", "keyward.example")
        self.assertTurnedAway("certificate_identity", self.world.caller(uri))

    def test_name_that_is_none_of_ours(self):
        for uri in (CALLER_URI + "partner/prt_short", CALLERS["partner"] + "/more", CALLERS["partner"].upper(),
                    CALLER_URI + "admin/opr_" + ID, "https://keyward.test/partner/prt_" + ID):
            with self.subTest(uri=uri):
                self.assertTurnedAway("certificate_identity", self.world.caller(uri))

    def test_every_service(self):
        """By the services' CA, which is not the edge's; and as a careless caller's CA might certify it."""
        for name in ("gateway", "authz", "orchestrator", "cryptocore", "replicator"):
            with self.subTest(service=name):
                uri = SERVICE_URI + name
                self.assertTurnedAway("certificate_untrusted", self.world.caller(uri, authority=self.world.services))
                self.assertTurnedAway("certificate_identity", self.world.caller(uri))

    def test_tls_1_2(self):
        key, certificate = self.world.alice
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=self.world.services.pem().decode())
        context.load_cert_chain(write(self.world.path("alice.pem"), certificate),
                                write(self.world.path("alice.key"), key))
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", int(self.gateway.ready["port"])), TIMEOUT_S) as plain:
            with self.assertRaisesRegex(ssl.SSLError, "PROTOCOL_VERSION"):
                context.wrap_socket(plain, server_hostname="localhost")
        eventually(lambda: '"class":"protocol_version"' in self.gateway.log_text(), "logged")


if __name__ == "__main__":
    unittest.main()
