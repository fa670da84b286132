#!/usr/bin/python3
"""Redis by TLS: the cache as it is without, and that nothing is said to one who is not the Redis we were told of.

    gateway_redis_tls_test.py KEYWARD_GATEWAY GATEWAY_AUTHZ DESCRIPTOR_SET [unittest arguments]
"""
import contextlib
import ipaddress
import os
import re
import socket
import ssl
import threading
import unittest

from gateway_support import REDIS_USER, TIMEOUT_S, Authority, GatewayCase, Redis, World, eventually, free_port, metric, new_id, write

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

LOCALHOST = [x509.DNSName("localhost")]
SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"


class Case(GatewayCase):
    """A gateway that is told of a Redis at one port, where a test puts whom it likes."""
    HOST = "localhost"

    @classmethod
    def before_gateway(cls):
        cls.caches = Authority("caches")
        cls.strangers = Authority("strangers")
        cls.port = free_port()
        cls.ca_file = write(cls.world.path("caches.pem"), cls.caches.pem())

    @classmethod
    def settings(cls):
        return {**cls.world.redis_settings(), "redis": "%s:%d" % (cls.HOST, cls.port), "redis_tls": "true", "redis_ca_file": cls.ca_file}

    def identity(self, authority=None, names=LOCALHOST, **options):
        """Paths of a key and a certificate."""
        key, certificate = (authority or self.caches).issue(names, ExtendedKeyUsageOID.SERVER_AUTH, **options)
        return write(self.world.path("redis.key"), key), write(self.world.path("redis.pem"), certificate)

    def connects(self, result):
        return metric(self.gateway, 'keyward_request_cache_connects_total{result="%s"}' % result)

    def results(self, result):
        return metric(self.gateway, 'keyward_request_cache_total{result="%s"}' % result)

    def logged(self, text):
        return self.gateway.log_text().count(text)

    def assertRightWithout(self):
        """The cache is off, and calls are answered as ever."""
        request_id, down = new_id(), self.results("down")
        name, _ = self.alice.create(request_id)
        self.assertEqual(self.alice.create(request_id)[0], name)
        self.assertGreater(self.results("down"), down)


class Real(Case):
    """Against redis-server."""

    @classmethod
    def before_gateway(cls):
        super().before_gateway()
        cls.redis = cls.enterClassContext(Redis(cls.world))

    def restart(self, identity, *more):
        key, certificate = identity
        self.redis.stop()
        self.redis.start(("--tls-port", str(self.port), "--tls-key-file", key, "--tls-cert-file", certificate,
                          "--tls-auth-clients", "no", "--tls-ca-cert-file", self.ca_file, *more))

    def setUp(self):
        super().setUp()
        self.restart(self.identity())
        self.alice.await_cache()

    def assertNotTaken(self, result, message, why, *redis, times=1):
        """Not connected, counted each time, said once; and all is well again when the right one is back."""
        count, lines = self.connects(result), self.logged(message)
        self.restart(*redis)
        eventually(lambda: self.connects(result) >= count + times, "tried")
        self.assertEqual(self.logged(message), lines + 1)
        self.assertIn('"why":"%s"' % why, next(line for line in reversed(self.gateway.log_text().splitlines()) if message in line))
        self.assertRightWithout()
        self.assertNotIn("auth", self.redis.ask("INFO", "commandstats").decode())
        self.restart(self.identity())
        self.alice.await_cache()

    def assertCertificateNotTaken(self, why, *redis, **times):
        self.assertNotTaken("certificate", "request cache shows no certificate that we take", why, *redis, **times)

    def test_hit_and_miss(self):
        misses, hits = self.results("miss"), self.results("hit")
        eventually(lambda: self.alice.create(new_id()) and self.results("miss") > misses, "a miss")
        request_id = new_id()
        name, _ = self.alice.create(request_id)
        eventually(lambda: self.alice.create(request_id)[0] == name and self.results("hit") > hits, "a hit")
        self.assertEqual(self.redis.ask("CLIENT", "LIST").count(b"user=" + REDIS_USER.encode()), 1)

    def test_another_ca(self):
        self.assertCertificateNotTaken("unable to get local issuer certificate", self.identity(self.strangers), times=3)

    def test_another_name(self):
        self.assertCertificateNotTaken("hostname mismatch", self.identity(names=[x509.DNSName("localhost.example"), x509.DNSName("*")]))

    def test_a_certificate_that_has_ended(self):
        self.assertCertificateNotTaken("certificate has expired", self.identity(days=(-2, -1)))

    def test_one_without_tls(self):
        self.assertNotTaken("tls", "request cache has no TLS with us", "no answer for too long", self.identity(), "--tls-port", "0", "--port", str(self.port))

    def test_one_who_wants_a_certificate_of_ours(self):
        self.assertNotTaken("tls", "request cache has no TLS with us", "tlsv13 alert certificate required", self.identity(), "--tls-auth-clients", "yes")

    def test_tls_1_2_is_enough(self):
        self.restart(self.identity(), "--tls-protocols", "TLSv1.2")
        self.alice.await_cache()

    def test_stopped_and_back(self):
        lines = self.logged("request cache not reached")
        self.redis.stop()
        self.assertRightWithout()
        self.restart(self.identity())
        self.alice.await_cache()
        self.assertEqual(self.logged("request cache not reached"), lines + 1)

    def test_another_ca_file_is_taken_without_a_restart(self):
        self.redis.stop()
        self.addCleanup(os.rename, write(self.world.path("old.pem"), self.caches.pem()), self.ca_file)
        os.rename(write(self.world.path("new.pem"), self.strangers.pem()), self.ca_file)
        self.restart(self.identity(self.strangers))
        self.alice.await_cache()

    def test_a_ca_file_of_the_wrong_mode_is_taken_when_its_mode_is_right(self):
        """Which changes nothing of what is in it, nor when it was written."""
        message = "CAs of Redis not read again"
        lines, new = self.logged(message), write(self.world.path("new.pem"), self.strangers.pem())
        self.redis.stop()
        self.addCleanup(os.rename, write(self.world.path("old.pem"), self.caches.pem()), self.ca_file)
        os.chmod(new, 0)
        os.rename(new, self.ca_file)
        eventually(lambda: self.logged(message) > lines, "tried")
        os.chmod(self.ca_file, 0o644)
        self.restart(self.identity(self.strangers))
        self.alice.await_cache()


class Front:
    """TLS at the port (or not), and behind it a Redis (or nothing), whose answers pass through `answer`: pieces of what is sent. Keeps all
    that it reads."""

    def __init__(self, port, redis_path, context, answer, cork=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.redis_path, self.context, self.answer, self.cork = redis_path, context, answer, cork
        self.heard = b""
        self.refused = 0
        self.version = None
        self.plain = self.listener  # then who is connected
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with contextlib.suppress(OSError):
            self.plain.shutdown(socket.SHUT_RDWR)
        self.thread.join(TIMEOUT_S)

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.plain = plain.dup()
            plain.settimeout(TIMEOUT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.serve_one(plain)
            except OSError:  # an ssl.SSLError is one, too
                self.refused += 1
            finally:
                plain.close()
                self.plain.close()

    def serve_one(self, plain):
        with self.context.wrap_socket(plain, server_side=True) if self.context else plain as client, \
                socket.socket(socket.AF_UNIX) as redis:
            self.version = self.context and client.version()
            if self.redis_path:
                redis.connect(self.redis_path)
            while request := client.recv(65536):
                self.heard += request
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, self.cork)
                for piece in self.answer(self.ask(redis, request)):
                    client.sendall(piece)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def ask(self, redis, request):
        if not self.redis_path:
            return b""
        redis.sendall(request)
        return redis.recv(65536)


class Odd(Case):
    """Against one who behaves oddly. It is told of by its address, which then must be in the certificate."""
    HOST = "127.0.0.1"
    ADDRESS = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]

    @classmethod
    def before_gateway(cls):
        super().before_gateway()
        cls.redis = cls.enterClassContext(Redis(cls.world))

    def front(self, context, answer=lambda answer: [answer]):
        return self.enterContext(Front(self.port, self.redis.socket_path, context, answer))

    def context(self, authority=None, names=None):
        key, certificate = self.identity(authority, names or self.ADDRESS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def test_an_answer_in_many_pieces(self):
        """Each piece a record of its own: as they come, and all at once."""
        for cork in (0, 1):
            with Front(self.port, self.redis.socket_path, self.context(), lambda answer: (answer[i:i + 16] for i in range(0, len(answer), 16)), cork) as front:
                self.alice.await_cache()
                connected = self.connects("connected")
                self.alice.await_cache()
                self.assertEqual(self.connects("connected"), connected)
            self.assertEqual(front.version, "TLSv1.3")
        self.assertEqual(self.results("forged"), 0)

    def test_half_an_answer_and_the_end(self):
        halves = []

        def half(answer):
            if re.search(rb"\$\d\d+\r\n", answer) and not halves:
                halves.append(answer)
                yield answer[:-len(answer) // 2]
                raise OSError("enough")
            yield answer
        self.front(self.context(), half)
        self.alice.await_cache()
        self.assertEqual(len(halves), 1)
        self.assertEqual(self.results("forged"), 0)

    def test_a_server_that_sends_tickets_without_end(self):
        """Redis sends two. Each costs what a handshake does, and brings nothing."""
        context, without = self.context(), self.connects("tls")
        context.num_tickets = 40
        with Front(self.port, self.redis.socket_path, context, lambda answer: [answer]):
            eventually(lambda: self.connects("tls") > without, "cut")
            self.assertRightWithout()

    def test_the_password_is_for_the_right_one_alone(self):
        refused = self.connects("certificate")
        for what in (self.context(self.strangers), self.context(names=[x509.IPAddress(ipaddress.ip_address("127.0.0.2"))])):
            with Front(self.port, self.redis.socket_path, what, lambda answer: [answer]) as front:
                eventually(lambda: front.refused >= 1, "tried")
            self.assertEqual(front.heard, b"")
        eventually(lambda: self.connects("certificate") >= refused + 2, "told so")
        with Front(self.port, self.redis.socket_path, self.context(), lambda answer: [answer]) as front:
            self.alice.await_cache()
        self.assertIn(self.redis.password.encode(), front.heard)

    def test_the_password_is_not_for_one_without_tls(self):
        without = self.connects("tls")
        with Front(self.port, None, None, lambda answer: [b"+OK\r\n"]) as front:
            eventually(lambda: self.connects("tls") > without, "tried")
            self.assertRightWithout()
        self.assertEqual(front.heard[:1], b"\x16")  # a TLS handshake
        self.assertNotIn(self.redis.password.encode(), front.heard)
        self.assertNotIn(self.redis.password, self.gateway.log_text())

    def test_old_tls_is_none(self):
        context = self.context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        without = self.connects("tls")
        front = self.front(context)
        eventually(lambda: self.connects("tls") > without, "tried")
        self.assertEqual(front.heard, b"")


class System(Case):
    """Not told which CA: those of the system, which know nothing of ours. Where there are none, the gateway says so and does not start."""

    @classmethod
    def settings(cls):
        settings = {name: value for name, value in super().settings().items() if not name.startswith("redis_")}
        return {**settings, "redis_tls": "true"} if os.path.exists(SYSTEM_CAS) else settings

    def test_the_systems_cas_are_not_ours(self):
        if not os.path.exists(SYSTEM_CAS):
            with self.assertRaisesRegex(AssertionError, SYSTEM_CAS):
                self.world.gateway(**self.settings(), redis_tls="true")
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*reversed(self.identity()))
        with Front(self.port, None, context, None) as front:
            eventually(lambda: self.connects("certificate") >= 1, "not taken")
            self.assertEqual(front.heard, b"")


class Wrong(unittest.TestCase):
    def test_settings_that_do_not_go_together(self):
        with World() as world:
            ca_file = write(world.path("ca.pem"), world.services.pem())
            host = {"cache_key_file": world.path("cache.key"), "redis": "localhost:1"}
            for why, settings in (
                    ("a socket of this machine", {**host, "redis": world.path("redis.sock"), "redis_tls": "true", "redis_ca_file": ca_file}),
                    ("redis_ca_file is for redis_tls", {**host, "redis_ca_file": ca_file}),
                    ("redis_ca_file .*nowhere", {**host, "redis_tls": "true", "redis_ca_file": world.path("nowhere")}),
                    ("redis_ca_file .*cache.key", {**host, "redis_tls": "true", "redis_ca_file": world.path("cache.key")})):
                with self.subTest(why), self.assertRaisesRegex(AssertionError, why):
                    world.gateway(**settings)


if __name__ == "__main__":
    unittest.main()
