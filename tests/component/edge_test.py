#!/usr/bin/python3
"""The edge as a real gRPC client (grpcio) sees it.

    edge_test.py PATH_OF_EDGE_ECHO [unittest arguments]
"""
import contextlib
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

import grpc
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_frames import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PING, Connection, Inflater, frame, message,
                         request)
from edge_support import TIMEOUT_S, EdgeCase, Server, World, eventually, stream, unary, write

BINARY = sys.argv.pop(1)
BODY_LEN_MAX = 256 * 1024
PAUSE_S = 0.025  # KW_EDGE_PAUSE_MS


class Unary(EdgeCase):
    def test_echo(self):
        self.assertEqual(unary(self.channel, "Unary")(b"hello", timeout=TIMEOUT_S), b"hello")

    def test_empty_message(self):
        self.assertEqual(unary(self.channel, "Unary")(b"", timeout=TIMEOUT_S), b"")

    def test_largest_message(self):
        body = bytes(range(256)) * 1024
        self.assertEqual(len(body), BODY_LEN_MAX)
        self.assertEqual(unary(self.channel, "Unary")(body, timeout=TIMEOUT_S), body)

    def test_many_largest_messages_side_by_side(self):
        body = b"x" * BODY_LEN_MAX
        calls = [unary(self.channel, "Unary").future(body, timeout=TIMEOUT_S) for _ in range(50)]
        self.assertTrue(all(call.result() == body for call in calls))

    def test_one_byte_too_large(self):
        error = self.assertFails(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: unary(
            self.channel, "Unary")(b"x" * (BODY_LEN_MAX + 1), timeout=TIMEOUT_S))
        self.assertIn(("grpc-status-details-bin", b"BODY_TOO_LARGE"), error.trailing_metadata())

    def test_far_too_large_stops_the_upload(self):
        self.assertFails(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: unary(
            self.channel, "Unary")(b"x" * 5_000_000, timeout=TIMEOUT_S))
        self.assertEqual(unary(self.channel, "Unary")(b"next", timeout=TIMEOUT_S), b"next")

    def test_unknown_method(self):
        self.assertFails(grpc.StatusCode.UNIMPLEMENTED,
                         lambda: unary(self.channel, "Nothing")(b"", timeout=TIMEOUT_S))

    def test_unknown_method_with_a_large_body(self):
        self.assertFails(grpc.StatusCode.UNIMPLEMENTED, lambda: unary(
            self.channel, "Nothing")(b"x" * 1_000_000, timeout=TIMEOUT_S))

    def test_status_message_and_details(self):
        error = self.assertFails(grpc.StatusCode.PERMISSION_DENIED,
                                 lambda: unary(self.channel, "Early")(b"", timeout=TIMEOUT_S))
        self.assertEqual(error.details(), "100% d\u00e9nied")
        self.assertIn(("grpc-status-details-bin", b"details"), error.trailing_metadata())

    def test_no_message(self):
        self.assertFails(grpc.StatusCode.INTERNAL, lambda: self.channel.stream_unary(
            "/test.Echo/Unary")(iter(()), timeout=TIMEOUT_S))

    def test_two_messages(self):
        self.assertFails(grpc.StatusCode.INTERNAL, lambda: self.channel.stream_unary(
            "/test.Echo/Unary")(iter((b"a", b"b")), timeout=TIMEOUT_S))

    def test_gzip_refused(self):
        error = self.assertFails(grpc.StatusCode.UNIMPLEMENTED, lambda: unary(self.channel, "Unary")(
            b"x" * 1000, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip))
        self.assertIn(("grpc-status-details-bin", b"COMPRESSION_UNSUPPORTED"),
                      error.trailing_metadata())

    def test_more_calls_than_streams(self):
        calls = [unary(self.channel, "Unary").future(b"%d" % i, timeout=TIMEOUT_S)
                 for i in range(2000)]
        self.assertEqual([call.result() for call in calls], [b"%d" % i for i in range(2000)])


class Metadata(EdgeCase):
    def call(self, *metadata):
        return unary(self.channel, "Unary").with_call(b"", timeout=TIMEOUT_S, metadata=metadata)[1]

    def test_binary_both_ways(self):
        for value in (b"\x00", bytes(range(256)), b"\xff" * 72, b"ab"):
            trailers = dict(self.call(("keyward-signature-bin", value)).trailing_metadata())
            self.assertEqual(trailers["echo-signature-bin"], value)

    def test_repeated_signature_refused(self):
        self.assertFails(grpc.StatusCode.INVALID_ARGUMENT, lambda: self.call(
            ("keyward-signature-bin", b"a"), ("keyward-signature-bin", b"b")))

    def test_long_signature_refused(self):
        self.assertFails(grpc.StatusCode.INVALID_ARGUMENT,
                         lambda: self.call(("keyward-signature-bin", b"a" * 1025)))

    def test_request_id_is_repeated(self):
        call = self.call(("x-request-id", "my-id.1"))
        self.assertIn(("x-request-id", "my-id.1"), call.initial_metadata())
        self.assertEqual(dict(call.trailing_metadata())["echo-request-id"], "my-id.1")

    def test_bad_request_id_is_replaced(self):
        initial = dict(self.call(("x-request-id", "a b\"c")).initial_metadata())
        self.assertRegex(initial["x-request-id"], "^req_[a-z2-7]{26}$")

    def test_version_and_region(self):
        initial = dict(self.call().initial_metadata())
        self.assertEqual(initial["keyward-version"], "0.1.0")
        self.assertEqual(initial["keyward-region"], "test-1")

    def test_unknown_metadata_is_ignored(self):
        self.call(("some-thing", "x"), ("other-bin", b"\x00"), ("grpc-foo", "y"))

    def test_17_kib_refused(self):
        error = self.assertFails(grpc.StatusCode.RESOURCE_EXHAUSTED,
                                 lambda: self.call(("big", "x" * 17 * 1024)))
        self.assertIn(("grpc-status-details-bin", b"METADATA_TOO_LARGE"), error.trailing_metadata())
        self.call()

    def test_15_kib_taken(self):
        self.call(("big", "x" * 15 * 1024))


class Streaming(EdgeCase):
    def test_1000_messages(self):
        messages = [b"%d" % i for i in range(1000)]
        self.assertEqual(list(stream(self.channel)(iter(messages), timeout=TIMEOUT_S)), messages)

    def test_no_messages(self):
        self.assertEqual(list(stream(self.channel)(iter(()), timeout=TIMEOUT_S)), [])

    def test_large_messages(self):
        messages = [bytes([i]) * BODY_LEN_MAX for i in range(60)]
        self.assertEqual(list(stream(self.channel)(iter(messages), timeout=TIMEOUT_S)), messages)

    def test_ping_pong(self):
        answered = threading.Semaphore(1)

        def requests():
            for i in range(200):
                answered.acquire(timeout=TIMEOUT_S)
                yield b"%d" % i

        for i, answer in enumerate(stream(self.channel)(requests(), timeout=TIMEOUT_S)):
            self.assertEqual(answer, b"%d" % i)
            answered.release()
        self.assertEqual(i, 199)

    def test_slow_reader_gets_everything_and_costs_no_memory(self):
        before = self.server.rss_kib()
        release = threading.Event()
        self.addCleanup(release.set)
        call = self.channel.unary_stream("/test.Echo/Flood")(b"x" * 800, timeout=TIMEOUT_S)
        first = next(call)
        self.assertLess(self.server.rss_kib() - before, 20 * 1024)  # of 50 MiB
        self.assertEqual(len(first) + sum(len(message) for message in call), 800 * 64 * 1024)

    def test_writer_whose_answers_are_not_read_is_held_back(self):
        sent = []
        stop = threading.Event()
        self.addCleanup(stop.set)

        def requests():
            for _ in range(800):
                if stop.is_set():
                    return
                sent.append(1)
                yield b"x" * 64 * 1024

        before = self.server.rss_kib()
        call = stream(self.channel)(requests(), timeout=TIMEOUT_S)
        next(call)
        self.assertLess(self.server.rss_kib() - before, 20 * 1024)
        self.assertEqual(sum(1 for _ in call), 799)
        self.assertEqual(len(sent), 800)


class Ending(EdgeCase):
    def idle(self):
        return self.server.in_flight() == 0

    def test_deadline(self):
        self.assertFails(grpc.StatusCode.DEADLINE_EXCEEDED,
                         lambda: unary(self.channel, "Hold")(b"", timeout=0.1))
        eventually(self.idle, "the call is gone")

    def test_cancel(self):
        call = unary(self.channel, "Hold").future(b"")
        eventually(lambda: self.server.in_flight() == 1, "the call is held")
        call.cancel()
        eventually(self.idle, "the call is gone")

    def test_cancel_of_a_stream(self):
        answered = threading.Event()
        self.addCleanup(answered.set)

        def requests():
            yield b"x"
            answered.wait(TIMEOUT_S)

        call = stream(self.channel)(requests())
        self.assertEqual(next(call), b"x")
        call.cancel()
        eventually(self.idle, "the call is gone")

    def test_lost_connection_cancels(self):
        channel = self.server.channel()
        call = unary(channel, "Hold").future(b"")
        eventually(lambda: self.server.in_flight() == 1, "the call is held")
        channel.close()
        self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)
        eventually(self.idle, "the call is gone")


class Drain(unittest.TestCase):
    def test_call_in_flight_completes(self):
        world = self.enterContext(World())
        with Server(BINARY, world) as server, server.channel() as channel:
            held = unary(channel, "Hold").future(b"", timeout=TIMEOUT_S)
            releasing = channel.stream_unary("/test.Echo/Release")
            begun, go = threading.Event(), threading.Event()

            def requests():
                begun.set()
                go.wait(TIMEOUT_S)
                return
                yield

            release = releasing.future(requests(), timeout=TIMEOUT_S)
            eventually(lambda: server.in_flight() == 2, "both calls are held")
            server.process.terminate()
            eventually(lambda: "draining" in server.log_text(), "the server drains")
            eventually(lambda: self.refused(server.port), "nobody listens")
            go.set()
            self.assertEqual(held.result(), b"released")
            self.assertEqual(release.result(), b"")
            self.assertEqual(server.process.wait(TIMEOUT_S), 0)

    @staticmethod
    def refused(port):
        try:
            socket.create_connection(("127.0.0.1", port), TIMEOUT_S).close()
        except ConnectionRefusedError:
            return True
        return False


class Tls(EdgeCase):
    def refused(self, reason, **credentials):
        """A real client is refused, and the log says why, once."""
        before = self.server.log_text().count('"class":"%s"' % reason)
        with self.server.channel(**credentials) as channel:
            self.assertFails(grpc.StatusCode.UNAVAILABLE,
                             lambda: unary(channel, "Unary")(b"", timeout=TIMEOUT_S))
        log = eventually(lambda: self.server.log_text().count('"class":"%s"' % reason) > before and
                         self.server.log_text(), reason)
        self.assertIn("127.0.0.1:", log)
        return log

    def raw(self, minimum=ssl.TLSVersion.TLSv1_3, maximum=ssl.TLSVersion.TLSv1_3, alpn=("h2",),
            ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version, context.maximum_version = minimum, maximum
        context.load_verify_locations(cadata=self.world.ca.pem().decode())
        context.load_cert_chain(self.world.path("client.pem"), self.world.path("client.key"))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if ciphers:
            context.set_ciphers(ciphers)
        connection = socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S)
        self.addCleanup(connection.close)
        secure = context.wrap_socket(connection, server_hostname="localhost")
        self.addCleanup(secure.close)
        return secure

    def test_no_certificate(self):
        with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_REQUIRED"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=self.world.ca.pem().decode())
            context.set_alpn_protocols(["h2"])
            with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.read(1)
        eventually(lambda: '"class":"no_certificate"' in self.server.log_text(), "logged")

    def test_foreign_ca(self):
        key, certificate = self.world.stranger.client()
        log = self.refused("certificate_untrusted", key=key, certificate=certificate)
        self.assertIn("CN=leaf spiffe://example.test/region/test-1/partner/prt_1", log)

    def test_expired(self):
        key, certificate = self.world.ca.client(days=(-2, -1))
        self.refused("certificate_expired", key=key, certificate=certificate)

    def test_not_yet_valid(self):
        key, certificate = self.world.ca.client(days=(1, 2))
        self.refused("certificate_not_yet_valid", key=key, certificate=certificate)

    def test_server_certificate_as_client(self):
        key, certificate = self.world.ca.client(usage=ExtendedKeyUsageOID.SERVER_AUTH)
        self.refused("certificate_purpose", key=key, certificate=certificate)

    def test_tls_1_2(self):
        with self.assertRaisesRegex(ssl.SSLError, "PROTOCOL_VERSION"):
            self.raw(minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_2)
        eventually(lambda: '"class":"protocol_version"' in self.server.log_text(), "logged")

    def test_http_1_1(self):
        with self.assertRaisesRegex(ssl.SSLError, "no application protocol"):
            self.raw(alpn=("http/1.1",))

    def test_no_alpn(self):
        connection = self.raw(alpn=())
        self.assertEqual(connection.read(1), b"")
        eventually(lambda: '"class":"alpn"' in self.server.log_text(), "logged")

    def test_plain_http(self):
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while plain.recv(4096):
                pass
        eventually(lambda: '"class":"not_tls"' in self.server.log_text(), "logged")

    def test_probe_that_says_nothing_is_not_logged(self):
        before = self.server.log_text().count("handshake failed")
        socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S).close()
        eventually(lambda: self.server.stats()["keyward_edge_connections"] == 1, "it is gone")
        self.assertEqual(self.server.log_text().count("handshake failed"), before)

    def test_no_session_is_given_out(self):
        answer = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.server.port, "-alpn", "h2",
             "-cert", self.world.path("client.pem"), "-key", self.world.path("client.key"),
             "-CAfile", self.world.ca_file], input=b"", capture_output=True, timeout=TIMEOUT_S)
        self.assertIn(b"TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384", answer.stdout)
        self.assertNotIn(b"New Session Ticket", answer.stdout)

    def test_chacha_refused(self):
        answer = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.server.port, "-alpn", "h2",
             "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
            input=b"", capture_output=True, timeout=TIMEOUT_S)
        self.assertIn(b"handshake failure", answer.stderr)


class Reload(EdgeCase):
    def fingerprint(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.world.ca.pem().decode())
        context.load_cert_chain(self.world.path("client.pem"), self.world.path("client.key"))
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                return connection.getpeercert(binary_form=True)

    def test_swap_takes_effect_and_old_connections_live(self):
        self.assertEqual(unary(self.channel, "Unary")(b"1", timeout=TIMEOUT_S), b"1")
        before = self.fingerprint()
        pem = self.world.swap("second")
        eventually(lambda: self.fingerprint() != before, "the new certificate is served")
        self.assertEqual(self.fingerprint(), ssl.PEM_cert_to_DER_cert(pem.decode()))
        self.assertEqual(unary(self.channel, "Unary")(b"2", timeout=TIMEOUT_S), b"2")

    def test_broken_files_leave_the_old_ones_in_use(self):
        before = self.server.reloads("failed")
        good = self.world.ca.pem()
        write(self.world.ca_file, b"this is no certificate\n")
        eventually(lambda: self.server.reloads("failed") > before, "noticed")
        self.assertEqual(unary(self.channel, "Unary")(b"x", timeout=TIMEOUT_S), b"x")
        reloaded = self.server.reloads("ok")
        write(self.world.ca_file, good)
        eventually(lambda: self.server.reloads("ok") > reloaded, "repaired")


def pongs(frames):
    return sum(f[0] == PING and f[1] == ACK for f in frames)


class CallLimit(EdgeCase):
    LIMITS = ("calls=3",)

    def test_one_call_too_many(self):
        held = [unary(self.channel, "Hold").future(b"", timeout=TIMEOUT_S) for _ in range(3)]
        error = eventually(lambda: self.over(), "the limit is reached")
        self.assertIn(("grpc-status-details-bin", b"RATE_LIMITED"), error.trailing_metadata())
        held[0].cancel()
        eventually(lambda: self.over() is None, "there is room again")
        for call in held:
            call.cancel()

    def test_who_asks_too_much_is_heard_less_often(self):
        """A hundred calls too many, each sent by itself, cost a read for each pause that it took, and not a hundred."""
        with self.full(), Connection(self.server) as connection:
            begin, reads = time.monotonic(), self.server.reads()
            for i in range(100):
                self.ask(connection, i)
                select.select([], [], [], 0.001)
            self.assertAllRefused(connection, 100)
            pauses = (time.monotonic() - begin) / PAUSE_S
            self.assertLess(self.server.reads() - reads, pauses + 5)

    def test_others_are_heard_meanwhile(self):
        with self.full(), Connection(self.server) as greedy, Connection(self.server) as other:
            self.assertTrue(any([self.other_is_first(greedy, other, i) for i in range(20)]))

    def other_is_first(self, greedy, other, number):
        """One is refused and pings, then the other pings. Is the other's answer there alone?"""
        self.ask(greedy, number)
        self.assertAllRefused(greedy, number + 1)
        for connection in (greedy, other):
            connection.send(frame(PING, payload=bytes(8)))
        self.assertEqual(pongs(other.read_until(lambda frames: pongs(frames) > number)), number + 1)
        alone = pongs(greedy.read_until(lambda frames: pongs(frames) > number, timeout_s=0.001)) == number
        self.assertEqual(pongs(greedy.read_until(lambda frames: pongs(frames) > number)), number + 1, "the pause ends")
        return alone

    @contextlib.contextmanager
    def full(self):
        """As many calls as there may be."""
        held = [unary(self.channel, "Hold").future(b"", timeout=TIMEOUT_S) for _ in range(3)]
        eventually(self.over, "the limit is reached")
        yield
        for call in held:
            call.cancel()

    @staticmethod
    def ask(connection, number):
        stream = 2 * number + 1
        connection.send(frame(HEADERS, END_HEADERS, stream, request()) + frame(DATA, END_STREAM, stream, message(b"")))

    def assertAllRefused(self, connection, count):
        frames = connection.read_until(lambda frames: sum(f[0] == HEADERS for f in frames) == count)
        inflater = Inflater()
        codes = [inflater.decode(f[3])["grpc-status"] for f in frames if f[0] == HEADERS]
        self.assertEqual(codes, [str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])] * count)

    def over(self):
        try:
            unary(self.channel, "Unary")(b"", timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            return error
        return None


class ConnectionLimits(unittest.TestCase):
    def check(self, limit, stat):
        world = self.enterContext(World())
        with Server(BINARY, world, limit) as server, server.channel() as channel:
            unary(channel, "Unary")(b"", timeout=TIMEOUT_S)
            silent = [socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
                      for _ in range(2)]
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as refused:
                self.assertEqual(refused.recv(1), b"")
            text = unary(channel, "Stats")(b"", timeout=TIMEOUT_S).decode()
            self.assertIn('limit="%s"} 1\n' % stat, text)
            for connection in silent:
                connection.close()
            eventually(lambda: server.stats()["keyward_edge_connections"] == 2, "room again")

    def test_total(self):
        self.check("connections=3", "connections")

    def test_per_address(self):
        self.check("connections_per_address=3", "connections_per_address")


class Handshakes(unittest.TestCase):
    """Silent connections take the places of handshakes, and keep them."""

    def setUp(self):
        world = self.enterContext(World())
        self.server = self.enterContext(Server(BINARY, world, "handshakes=8", "handshake_ms=600000"))

    def fill(self, address):
        """One more than there are places. Returns when the last is refused."""
        silent = [socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S, (address, 0))
                  for _ in range(9)]
        for connection in silent:
            self.addCleanup(connection.close)
        self.assertEqual(silent[-1].recv(1), b"")

    def answers(self):
        with self.server.channel() as channel:
            try:
                return unary(channel, "Unary")(b"x", timeout=TIMEOUT_S) == b"x"
            except grpc.RpcError:
                return False

    def test_one_address_leaves_room_for_another(self):
        self.fill("127.0.0.2")
        self.assertTrue(self.answers())

    def test_a_slow_one_gives_its_place_to_one_of_its_address(self):
        self.fill("127.0.0.1")
        eventually(self.answers, "a place")

    def test_slow_ones_of_many_addresses_give_their_places(self):
        for last in range(2, 7):
            self.fill("127.0.0.%d" % last)
        eventually(self.answers, "a place")


class Age(EdgeCase):
    LIMITS = ("age_ms=300",)

    def test_calls_go_on_while_connections_are_replaced(self):
        done = 0
        while self.server.stats()["keyward_edge_accepted_total"] < 4:
            self.assertEqual(unary(self.channel, "Unary")(b"x", timeout=TIMEOUT_S,
                                                          wait_for_ready=True), b"x")
            done += 1
        self.assertGreater(done, 0)


class Idle(EdgeCase):
    LIMITS = ("idle_ms=200",)

    def test_connection_without_a_call_goes(self):
        unary(self.channel, "Unary")(b"", timeout=TIMEOUT_S)
        eventually(lambda: self.server.stats()["keyward_edge_connections"] == 1,
                   "only the question's is left")
        self.assertEqual(unary(self.channel, "Unary")(b"again", timeout=TIMEOUT_S), b"again")


if __name__ == "__main__":
    unittest.main(verbosity=2)
