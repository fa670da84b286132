#!/usr/bin/python3
"""The health check beside a service: what it finds well, what it complains of, and that a service does not notice it.

    health_test.py GATEWAY AUTHZ DESCRIPTORS REPLICATOR
"""
from concurrent import futures
import contextlib
import http.server
import os
import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import threading
import unittest

from gateway_support import GATEWAY, SERVICE_URI, TIMEOUT_S, Caller, GatewayCase, World, eventually, metric, write

import grpc
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

REPLICATOR = sys.argv.pop(1)


def check(program, *words, **settings):
    """(exit code, what it said)."""
    ended = subprocess.run([program, "health", *words,
                            *("--%s=%s" % (name.replace("_", "-"), value) for name, value in settings.items())],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
    assert ended.stdout == b"", ended.stdout
    return ended.returncode, ended.stderr.decode()


class Door:
    """A listener by TLS, which shows what is in a directory and asks for a certificate of the other side."""

    def __init__(self, directory):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
        self.context.load_verify_locations(os.path.join(directory, "ca.pem"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):  # the end of the listener
            while True:
                connection, _ = self.listener.accept()
                with contextlib.suppress(OSError), connection:  # whoever asks leaves in the middle
                    self.context.wrap_socket(connection, server_side=True).close()


class Pages:
    """/readyz and /livez, as they are set."""

    def __init__(self, **status):
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(pages.status[self.path[1:]])
                self.end_headers()
                self.wfile.write(b'{"ready":"as it may be"}\n')

            def log_message(self, *words):
                pass

        self.status = {"readyz": 200, "livez": 200, **status}
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_port

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Scripted(unittest.TestCase):
    """The check of a replicator, whose door and pages are the test's."""

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.credentials("replicator", x509.UniformResourceIdentifier(SERVICE_URI + "replicator"),
                              ExtendedKeyUsageOID.SERVER_AUTH)
        cls.door = cls.enterClassContext(Door(cls.world.path("replicator")))
        cls.pages = cls.enterClassContext(Pages())

    def check(self, *words, **settings):
        return check(REPLICATOR, *words, **{
            "region": "r1", "cell": "a", "trust_domain": "keyward.test", "mesh": "0" * 32, "authz": "127.0.0.1:1",
            "orchestrator": "127.0.0.1:1", "cells": "r1/a=127.0.0.1:1", "listen": self.door.address,
            "metrics_listen": self.pages.address, "credentials_dir": self.world.path("replicator"), **settings})

    def complains(self, expected, *words, **settings):
        code, said = self.check(*words, **settings)
        self.assertEqual(code, 1)
        self.assertRegex(said, r"\Akeyward-replicator: not healthy: [^\n]*%s[^\n]*\n\Z" % expected)

    def test_well(self):
        self.assertEqual(self.check(), (0, ""))
        self.assertEqual(self.check("--live"), (0, ""))

    def test_its_private_key_is_not_needed(self):
        os.mkdir(self.world.path("public"))
        os.link(self.world.path("replicator", "cert.pem"), self.world.path("public", "cert.pem"))
        self.assertEqual(self.check(credentials_dir=self.world.path("public")), (0, ""))

    def test_who_listens_everywhere_is_asked_on_loopback(self):
        for name in ("listen", "metrics_listen"):
            port = (self.door if name == "listen" else self.pages).address.split(":")[1]
            self.assertEqual(self.check(**{name: "0.0.0.0:" + port}), (0, ""))

    def test_not_ready_is_not_healthy_and_says_what_lacks(self):
        with Pages(readyz=503) as pages:
            self.complains(r'metrics_listen %s: /readyz says 503 \{"ready":"as it may be"\}' % pages.address,
                           metrics_listen=pages.address)
            self.assertEqual(self.check("--live", metrics_listen=pages.address), (0, ""))

    def test_stuck_is_not_alive(self):
        with Pages(livez=503) as pages:
            self.complains("/livez says 503", "--live", metrics_listen=pages.address)

    def test_its_port_is_no_part_of_being_alive(self):
        self.assertEqual(self.check("--live", listen="127.0.0.1:0", credentials_dir="/no-such-directory"), (0, ""))

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = "127.0.0.1:%d" % gone.getsockname()[1]
        self.complains("listen %s: connect: Connection refused" % closed, listen=closed)
        self.complains("metrics_listen %s: connect: Connection refused" % closed, metrics_listen=closed)

    def test_another_service_is_not_this_one(self):
        with Door(self.world.path("authz")) as door:
            self.complains("not this service's", listen=door.address)

    def test_a_certificate_that_has_ended(self):
        key, certificate = self.world.services.issue(
            [x509.UniformResourceIdentifier(SERVICE_URI + "replicator")], ExtendedKeyUsageOID.SERVER_AUTH, days=(-2, -1))
        os.mkdir(self.world.path("expired"))
        for name, content in (("key.pem", key), ("cert.pem", certificate), ("ca.pem", self.world.services.pem())):
            write(self.world.path("expired", name), content)
        with Door(self.world.path("expired")) as door:
            self.complains("expired", listen=door.address)

    def test_a_renewed_certificate_is_still_this_service(self):
        """A service shows the old one for a moment after the file is another's turn."""
        with Door(self.world.path("replicator")) as door:
            os.mkdir(self.world.path("renewed"))
            _, certificate = self.world.services.issue(
                [x509.UniformResourceIdentifier(SERVICE_URI + "replicator")], ExtendedKeyUsageOID.SERVER_AUTH)
            write(self.world.path("renewed", "cert.pem"), certificate)
            self.assertEqual(self.check(listen=door.address, credentials_dir=self.world.path("renewed")), (0, ""))

    def test_plaintext_is_no_door(self):
        self.complains("TLS: ", listen=self.pages.address)
        with socket.create_server(("127.0.0.1", 0)) as silent, Pages() as pages:
            self.assertEqual(self.check(metrics_listen=pages.address)[0], 0)
            threading.Thread(target=lambda: silent.accept()[0].close(), daemon=True).start()
            self.complains("closed in the handshake|receive", listen="127.0.0.1:%d" % silent.getsockname()[1])

    def test_tls_is_no_page(self):
        self.complains("/readyz: no HTTP answer|receive", metrics_listen=self.door.address)

    def test_who_hangs_is_waited_for_only_so_long(self):
        """The kernel accepts, the service does not: on both ports the deadline ends it, not the test's own."""
        with socket.create_server(("127.0.0.1", 0)) as hangs, futures.ThreadPoolExecutor() as both:
            address = "127.0.0.1:%d" % hangs.getsockname()[1]
            for done in [both.submit(self.complains, "%s [^ ]*: no answer in time" % name, **{name: address})
                         for name in ("listen", "metrics_listen")]:
                done.result()

    def test_a_port_nobody_can_know(self):
        self.complains("listen 127.0.0.1:0: port 0", listen="127.0.0.1:0")

    def test_settings_that_are_none(self):
        self.complains("expected host:port", listen="nonsense")
        self.complains("unknown flag --nonsense", "--nonsense=1")
        self.complains("no-such-file", config="/no-such-file.yaml")
        self.complains("cert.pem", credentials_dir="/no-such-directory")


class Gateway(GatewayCase):
    """A real gateway, whose public listener asks for partners' certificates, of which the check has none."""

    def check(self, *words, **settings):
        return check(GATEWAY, *words, **{
            "region": "r1", "cell": "a", "trust_domain": "keyward.test", "credentials_dir": self.world.path("gateway"),
            "edge_credentials_dir": self.world.path("edge"), "client_ca_file": self.world.ca_file,
            "targets": "127.0.0.1:1", "listen": "127.0.0.1:" + self.gateway.ready["port"],
            "metrics_listen": "127.0.0.1:" + self.gateway.ready["metrics"], **settings})

    def failures(self):
        return metric(self.gateway, 'keyward_tls_handshake_failures_total{class="closed_by_client"}')

    def log(self):
        return pathlib.Path(self.gateway.log.name).read_text()

    def test_it_does_not_notice_the_check(self):
        before, failures = self.log(), self.failures()
        for _ in range(3):
            self.assertEqual(self.check(), (0, ""))
        self.assertEqual(self.alice.create("0" * 8 + "-0000-4000-8000-" + "0" * 12)[0][:9], "partners/")
        said = self.log()[len(before):]
        self.assertNotIn('"level":"warn"', said)
        self.assertEqual(self.failures(), failures)

    def test_a_client_from_elsewhere_that_leaves_in_the_handshake_is_noticed(self):
        hello = ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        with socket.create_connection(("127.0.0.1", int(self.gateway.ready["port"])), TIMEOUT_S, ("127.0.0.2", 0)) as elsewhere:
            elsewhere.sendall(hello.read())
            elsewhere.recv(1)
        eventually(lambda: '"class":"closed_by_client"' in self.log(), "it is noticed")

    def takes_another(self):
        """Another caller, who stays connected."""
        try:
            return self.enterContext(Caller(self.world, self.gateway, self.world.alice)).partner("p")
        except grpc.RpcError:
            return None

    def fill_the_door(self):
        """Until no place is left of those that a limit from outside leaves."""
        pid = self.gateway.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self.addCleanup(resource.prlimit, pid, resource.RLIMIT_NOFILE, limits)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir("/proc/%d/fd" % pid)) + 24, limits[1]))
        self.assertFalse(all(self.takes_another() for _ in range(24)), "there are places still")

    def test_whoever_fills_the_public_door_does_not_have_it_killed(self):
        self.fill_the_door()
        code, said = self.check()
        self.assertEqual(code, 1)
        self.assertIn("listen 127.0.0.1:" + self.gateway.ready["port"], said)
        self.assertEqual(self.check("--live"), (0, ""))

    def test_a_loop_that_hangs_is_not_alive(self):
        """It reads a certificate that does not come: a pipe. The port of the pages has a thread of its own."""
        certificate = self.world.path("edge", "cert.pem")
        os.rename(certificate, certificate + ".kept")
        os.mkfifo(certificate)
        writer = eventually(lambda: self.has_reader(certificate), "the gateway reads the pipe")
        os.rename(certificate + ".kept", certificate)
        try:
            said = eventually(lambda: self.check("--live")[1], "it hangs")
        finally:
            os.close(writer)  # the certificate ends, and the loop goes on
        self.assertIn("/livez says 503 stuck", said)
        eventually(lambda: self.check("--live") == (0, ""), "it is alive again")

    def has_reader(self, pipe):
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)

    def test_the_certificate_for_the_hop_is_not_the_public_one(self):
        code, said = self.check(edge_credentials_dir=self.world.path("gateway"))
        self.assertEqual((code, "not this service's" in said), (1, True))


if __name__ == "__main__":
    unittest.main()
