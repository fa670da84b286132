#!/usr/bin/python3
"""What a hostile client with a valid certificate may try, and what it costs the server: little, and not for long.

    edge_attack.py PATH_OF_EDGE_ECHO [unittest arguments]

Each flood is bounded here too: a server that never cuts makes the test fail, not run for ever.
"""
import gzip
import resource
import socket
import struct
import subprocess
import sys
import unittest

import grpc

from edge_frames import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NO_ERROR,
                         PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection, Inflater,
                         field, frame, goaways, literal, message, of_stream, request)
from edge_support import TIMEOUT_S, EdgeCase, eventually, unary

BINARY = sys.argv.pop(1)
with open(BINARY, "rb") as program:
    SYMBOLS = program.read()
SANITIZED = b"__asan_init" in SYMBOLS or b"__tsan_init" in SYMBOLS
CPU_S_MAX = 0.05  # with the handshake, and under the sanitizers too
MIB = 1024
# AddressSanitizer puts red zones around each block and keeps what was freed for a while; ThreadSanitizer keeps who
# touched what, several times as large as it.
RSS_KIB_MAX = (8 if b"__tsan_init" in SYMBOLS else 4 if SANITIZED else 1) * MIB
BATCH = 200
PRICES = []  # (attack, CPU ms, RSS KiB)


def tearDownModule():
    """What each attack cost the server."""
    sys.stderr.write("\n| attack%s | CPU ms | RSS KiB |\n| --- | --- | --- |\n" % (", under the sanitizers" if SANITIZED else ""))
    for price in sorted(PRICES):
        sys.stderr.write("| %s | %.1f | %d |\n" % price)


def streams(first, count, make):
    """Frames for `count` client streams from number `first`."""
    return b"".join(make(2 * (first + i) + 1) for i in range(count))


class Flood(EdgeCase):
    """Each attack ends with the connection cut, a bounded price, and a server that answers others."""

    def setUp(self):
        super().setUp()
        unary(self.channel, "Unary")(b"warm", timeout=TIMEOUT_S)
        self.cpu_s, self.rss_kib = self.server.cpu_s(), self.server.rss_kib()

    def passed(self):
        return self.server.stats()['keyward_edge_calls_total{outcome="passed"}']

    def attack(self, pieces, hello=True):
        """Sends until the server cuts. Returns the frames it sent back, where they survived."""
        with Connection(self.server, hello) as connection:
            for piece in pieces:
                if not connection.send(piece):
                    break
            self.assertIsNotNone(connection.wait_closed(), "never cut")
            frames = connection.frames()
        self.assertPrice()
        return frames

    def assertAnswered(self, code, *frames):
        """These frames of stream 1 end with this grpc-status, the connection lives, and the price is right."""
        with Connection(self.server) as connection:
            connection.send(b"".join(frames))
            received = connection.read_until(lambda frames: any(
                f[1] & END_STREAM for f in of_stream(frames, HEADERS, 1)))
            inflater = Inflater()
            blocks = [inflater.decode(f[3]) for f in received if f[0] == HEADERS]
            self.assertEqual(blocks[-1]["grpc-status"], str(code))
            self.assertIsNone(connection.closed)
        self.assertPrice()

    def assertPrice(self):
        cpu_s = self.server.cpu_s() - self.cpu_s
        rss_kib = self.server.rss_kib() - self.rss_kib
        PRICES.append((self._testMethodName[5:].replace("_", " "), cpu_s * 1000, max(0, rss_kib)))
        self.assertLess(cpu_s, CPU_S_MAX)
        self.assertLess(rss_kib, RSS_KIB_MAX)
        self.assertEqual(unary(self.channel, "Unary")(b"still", timeout=TIMEOUT_S), b"still")

    def test_rapid_reset(self):
        reset = struct.pack(">I", CANCEL)
        self.attack(streams(BATCH * n, BATCH, lambda stream: frame(
            HEADERS, END_HEADERS, stream, request()) + frame(RST_STREAM, 0, stream, reset))
            for n in range(500))

    def test_opened_and_reset_within_one_read_never_reaches_the_handler(self):
        before = self.passed()
        reset = struct.pack(">I", CANCEL)
        self.attack([streams(0, 40, lambda stream: frame(
            HEADERS, END_HEADERS | END_STREAM, stream, request()) +
            frame(RST_STREAM, 0, stream, reset)) + frame(PING, 0, 0, b"short")])
        # the two questions, and what assertPrice asks
        self.assertEqual(self.passed() - before, 2)

    def test_rapid_reset_of_complete_calls(self):
        body = message(b"x")
        self.attack(streams(BATCH * n, BATCH, lambda stream: frame(
            HEADERS, END_HEADERS, stream, request("/test.Echo/Hold")) + frame(
                DATA, END_STREAM, stream, body) + frame(
                    RST_STREAM, 0, stream, struct.pack(">I", CANCEL))) for n in range(500))

    def test_continuation_flood(self):
        more = field("x", "y" * 100) * 18
        self.attack([frame(HEADERS, 0, 1, request())] + [frame(CONTINUATION, 0, 1, more)] * 5000)

    def test_empty_continuation_flood(self):
        self.attack([frame(HEADERS, 0, 1, request())] + [frame(CONTINUATION, 0, 1) * 100] * 5000)

    def test_header_bomb(self):
        stored = b"\x40" + literal("bomb") + literal("x" * 3900)
        self.attack([frame(HEADERS, END_HEADERS, 1, request() + stored),
                     frame(HEADERS, END_HEADERS, 3, request() + b"\xbe" * 15000)])
        self.assertGreaterEqual(self.server.limit("header_list"), 1)

    def test_hpack_integer_without_end(self):
        self.attack([frame(HEADERS, END_HEADERS, 1, b"\xff" + b"\x80" * 16000 + b"\x01")])

    def test_hpack_string_longer_than_anything(self):
        self.attack([frame(HEADERS, END_HEADERS, 1, b"\x00\x7f\xff\xff\xff\xff\x07" + b"x" * 16000)])

    def test_hpack_table_size_changes(self):
        self.attack([frame(HEADERS, END_HEADERS, 2 * n + 1, b"\x20" * 16000) for n in range(500)])

    def test_very_many_tiny_headers(self):
        self.attack([frame(HEADERS, END_HEADERS, 2 * n + 1, request() + field("a", "") * 2500) for n in range(500)])
        self.assertGreaterEqual(self.server.limit("header_list"), 1)

    def test_length_prefix_of_4_gib(self):
        self.assertAnswered(8, frame(HEADERS, END_HEADERS, 1, request()),
                            frame(DATA, 0, 1, b"\x00\xff\xff\xff\xff" + bytes(1000)))

    def test_compressed_bomb(self):
        """A megabyte of zeros in a kilobyte: the flag is refused before anything is inflated."""
        bomb = gzip.compress(bytes(MIB * MIB))
        self.assertAnswered(12, frame(HEADERS, END_HEADERS, 1, request()),
                            frame(DATA, END_STREAM, 1, b"\x01" + message(bomb)[1:]))

    def test_closed_windows_and_every_stream_asking_for_much(self):
        """What is not taken is not made: a little waits, the other calls have not begun."""
        with Connection(self.server) as connection:
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
            for n in range(100):
                connection.send(frame(HEADERS, END_HEADERS, 2 * n + 1, request("/test.Echo/Flood")) + frame(
                    DATA, END_STREAM, 2 * n + 1, message(bytes(100))))
            connection.send(frame(PING, 0, 0, b"all sent"))
            frames = connection.read_until(lambda frames: any(f[0] == PING and f[1] & ACK for f in frames))
            begun = len([f for f in frames if f[0] == HEADERS])
            self.assertLess(begun, 100)
            self.assertPrice()
            for n in range(100):  # the peer reads after all: everybody gets an answer
                connection.send(frame(WINDOW_UPDATE, 0, 2 * n + 1, struct.pack(">I", 1 << 24)))
            connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
            connection.read_until(lambda _: False, 0)
            frames = connection.read_until(lambda frames: len([f for f in frames if f[0] == HEADERS]) > begun)
            self.assertGreater(len([f for f in frames if f[0] == HEADERS]), begun)

    def test_made_you_reset(self):
        """Frames that make the server reset its own stream."""
        nothing = struct.pack(">I", 0)
        self.attack(streams(BATCH * n, BATCH, lambda stream: frame(
            HEADERS, END_HEADERS, stream, request("/test.Echo/Hold")) + frame(
                WINDOW_UPDATE, 0, stream, nothing)) for n in range(500))

    def test_made_you_reset_by_overflow(self):
        huge = struct.pack(">I", 0x7FFFFFFF)
        self.attack(streams(BATCH * n, BATCH, lambda stream: frame(
            HEADERS, END_HEADERS, stream, request("/test.Echo/Hold")) + frame(
                WINDOW_UPDATE, 0, stream, huge)) for n in range(500))

    def test_more_streams_than_allowed(self):
        self.attack(streams(50 * n, 50, lambda stream: frame(
            HEADERS, END_HEADERS, stream, request("/test.Echo/Hold"))) + frame(SETTINGS, ACK)
            for n in range(500))

    def test_ping_flood(self):
        self.attack([frame(PING, 0, 0, b"12345678") * 1000] * 2000)

    def test_settings_flood(self):
        self.attack([frame(SETTINGS) * 1000] * 2000)

    def test_settings_with_very_many_entries(self):
        self.attack([frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535) * 2000)])

    def test_empty_data_flood(self):
        self.attack([frame(HEADERS, END_HEADERS, 1, request("/test.Echo/Stream"))] +
                    [frame(DATA, 0, 1) * 1000] * 2000)

    def test_padding_flood(self):
        padded = frame(DATA, 0x8, 1, b"\xff" + bytes(255))
        self.attack([frame(HEADERS, END_HEADERS, 1, request("/test.Echo/Stream"))] +
                    [padded * 40] * 2000)

    def test_priority_flood(self):
        self.attack([frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x10") * 1000] * 2000)

    def test_window_update_flood(self):
        self.attack([frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1000] * 2000)

    def test_unknown_frame_flood(self):
        self.attack([frame(0xEE, 0, 0) * 1000] * 2000)

    def test_data_on_a_finished_stream_flood(self):
        call = frame(HEADERS, END_HEADERS, 1, request("/test.Echo/Early"))
        self.attack([call] + [frame(DATA, 0, 1, b"x" * 16000)] * 2000)

    def test_records_of_one_byte(self):
        with Connection(self.server) as connection:
            for _ in range(200):
                if not connection.send(frame(0xEE, 0, 0) * 100, record=1):
                    break
            self.assertIsNotNone(connection.wait_closed(), "never cut")
        self.assertPrice()

    def test_not_http2(self):
        self.attack([b"GET / HTTP/1.1\r\n\r\n" + b"x" * 1000], hello=False)

    def test_garbage_instead_of_tls(self):
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
            try:
                for _ in range(1000):
                    plain.sendall(b"\x16\x03\x01\x40\x00" + b"\x01" * 16384)
                self.assertEqual(plain.recv(4096)[-2:], b"")
            except ConnectionError:
                pass
        self.assertPrice()

    def test_key_update_flood(self):
        client = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect",
             "127.0.0.1:%d" % self.server.port,
             "-alpn", "h2", "-cert", self.world.path("client.pem"),
             "-key", self.world.path("client.key")],
            bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(client.stdin.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        before = self.server.limit("key_updates")

        def cut():
            """Each write is one read of s_client's, and so one KeyUpdate."""
            try:
                client.stdin.write(b"K\n")
            except BrokenPipeError:
                pass
            return client.poll() is not None and self.server.limit("key_updates") > before

        eventually(cut, "cut")

    def test_never_reading_is_held_back(self):
        with Connection(self.server) as connection:
            opened = 0
            for n in range(100):
                piece = frame(HEADERS, END_HEADERS, 2 * n + 1, request()) + b"".join(
                    frame(DATA, 0, 2 * n + 1, part) for part in
                    (message(bytes(16379)), bytes(100))[:1]) + frame(DATA, END_STREAM, 2 * n + 1)
                if not connection.send(piece, reading=False, timeout_s=0.2):
                    break
                opened += 1
            self.assertIsNone(connection.closed)
            self.assertPrice()


class Slow(EdgeCase):
    """Peers that keep something for ever by doing nothing."""
    LIMITS = ("handshake_ms=300", "header_ms=300", "message_ms=300", "stall_ms=300",
              "age_grace_ms=300")

    def test_silence_before_tls(self):
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
            self.assertEqual(plain.recv(1), b"")
        eventually(lambda: '"class":"timeout"' in self.server.log_text(), "logged")

    def test_half_a_client_hello(self):
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S) as plain:
            plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            self.assertEqual(plain.recv(1), b"")

    def test_tls_and_then_silence(self):
        with Connection(self.server, hello=False) as connection:
            self.assertIsNotNone(connection.wait_closed())

    def test_half_a_header_block(self):
        with Connection(self.server) as connection:
            connection.send(frame(HEADERS, 0, 1, request()))
            self.assertIsNotNone(connection.wait_closed())
        self.assertGreaterEqual(self.server.limit("headers_late"), 1)

    def test_half_a_header_block_while_another_call_ends(self):
        with Connection(self.server) as connection:
            connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                  request("/test.Echo/Hold", grpc_timeout="50m")))
            connection.send(frame(HEADERS, 0, 3, request()))
            self.assertIsNotNone(connection.wait_closed())
            self.assertEqual(len(of_stream(connection.frames(), HEADERS, 1)), 1)

    def test_malformed_header_block_is_over(self):
        """It is answered with RST_STREAM; nothing of it is waited for any more."""
        for block in (request() + field("Upper", "x"), field(":method", "POST")):
            with Connection(self.server) as connection:
                connection.send(frame(HEADERS, END_HEADERS, 1, block))
                self.assertTrue(connection.read_until(
                    lambda frames: of_stream(frames, RST_STREAM, 1)))
                self.test_half_a_header_block()  # one that began later is late
                connection.send(frame(HEADERS, END_HEADERS, 3, request()) +
                                frame(DATA, END_STREAM, 3, message(b"x")))
                frames = connection.read_until(lambda frames: any(
                    f[1] & END_STREAM for f in of_stream(frames, HEADERS, 3)))
                self.assertIsNone(connection.closed)
                self.assertEqual(len(of_stream(frames, HEADERS, 3)), 2)

    def test_header_block_that_drips(self):
        """Each byte comes in time; the block does not."""
        before = self.server.limit("headers_late")
        with Connection(self.server) as connection:
            connection.send(frame(HEADERS, 0, 1, request()))
            for _ in range(5):  # fewer than what would cut it
                connection.read_until(lambda _: False, 0.05)
                if connection.closed or not connection.send(frame(CONTINUATION, 0, 1, b"")):
                    break
            self.assertIsNotNone(connection.wait_closed())
        self.assertGreater(self.server.limit("headers_late"), before)

    def test_message_that_drips(self):
        """The same for a message: it is answered late, however often a byte comes."""
        with Connection(self.server) as connection:
            connection.send(frame(HEADERS, END_HEADERS, 1, request()) + frame(DATA, 0, 1, message(bytes(1 << 16))[:9]))

            def answered():
                connection.send(frame(DATA, 0, 1, b"x"))
                return of_stream(connection.read_until(lambda frames: of_stream(frames, HEADERS, 1), 0.02), HEADERS, 1)
            self.assertTrue(eventually(answered, "late"))

    def test_100_half_sent_messages_are_answered(self):
        with Connection(self.server) as connection:
            connection.send(b"".join(
                frame(HEADERS, END_HEADERS, 2 * n + 1, request()) +
                frame(DATA, 0, 2 * n + 1, message(bytes(100))[:50]) for n in range(100)))
            frames = connection.read_until(lambda frames: len(
                [f for f in frames if f[0] == HEADERS]) == 100)
            self.assertEqual(len([f for f in frames if f[0] == HEADERS and f[1] & END_STREAM]), 100)
            self.assertIsNone(connection.closed)

    def test_answer_that_is_not_taken(self):
        """The stream's window is closed: the call is reset, the connection lives."""
        with Connection(self.server) as connection:
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
            connection.send(frame(HEADERS, END_HEADERS, 1, request()) + frame(
                DATA, END_STREAM, 1, message(b"hello")))
            frames = connection.read_until(lambda frames: of_stream(frames, RST_STREAM, 1))
            self.assertEqual(of_stream(frames, DATA, 1), [])
            self.assertEqual(len(of_stream(frames, RST_STREAM, 1)), 1)

    def test_socket_that_is_not_read(self):
        with Connection(self.server) as connection:
            window = struct.pack(">I", 0x7FFF0000 - 65535)
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x7FFF0000)) +
                            frame(WINDOW_UPDATE, 0, 0, window))
            connection.send(frame(HEADERS, END_HEADERS, 1, request("/test.Echo/Flood")) + frame(
                DATA, END_STREAM, 1, message(bytes(1000))), reading=False)
            eventually(lambda: self.server.limit("stall") >= 1, "cut")


class Finished(EdgeCase):
    """A call that the handler finished while it was told of a message, with more behind it."""
    LIMITS = ("message_ms=300",)

    def ended_here(self):
        return self.server.stats().get('keyward_edge_calls_total{outcome="ended_here"}', 0)

    def test_half_a_message_after_the_end_is_not_late(self):
        before = self.ended_here()
        with Connection(self.server) as connection:
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))  # the answer waits
            connection.send(frame(HEADERS, END_HEADERS, 1,
                                  request("/test.Echo/First", grpc_timeout="200m")) +
                            frame(DATA, 0, 1, message(b"hello") + message(bytes(100))[:50]))
            connection.send(frame(HEADERS, END_HEADERS, 3, request()) +
                            frame(DATA, 0, 3, message(bytes(100))[:50]))
            connection.read_until(lambda frames: of_stream(frames, HEADERS, 3))  # late, and later
            self.assertEqual(self.ended_here(), before + 1)
            connection.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 65535)))
            frames = connection.read_until(lambda frames: any(
                f[1] & END_STREAM for f in of_stream(frames, HEADERS, 1)))
            inflater = Inflater()
            blocks = [inflater.decode(f[3]) for f in frames if f[0] == HEADERS]
            self.assertEqual(blocks[-1]["grpc-status"], "0")
            self.assertEqual(sum("grpc-status" in block for block in blocks), 2)


class Descriptors(EdgeCase):
    def test_listener_survives_running_out_of_file_descriptors(self):
        """CVE-2023-4785 of gRPC core: there, nothing was accepted any more for good."""
        limit = 40
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        silent = [socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT_S)
                  for _ in range(2 * limit)]
        for connection in silent:
            self.addCleanup(connection.close)
        silent[-1].settimeout(TIMEOUT_S)
        self.assertEqual(silent[-1].recv(1), b"")  # refused, not left waiting
        for connection in silent:
            connection.close()
        eventually(lambda: self.answers(), "it answers again")

    def answers(self):
        with self.server.channel() as channel:
            try:
                return unary(channel, "Unary")(b"x", timeout=TIMEOUT_S) == b"x"
            except grpc.RpcError:
                return False


class Protocol(EdgeCase):
    """gRPC over HTTP/2 to the letter."""

    def setUp(self):
        super().setUp()
        self.connection = self.enterContext(Connection(self.server))
        self.inflater = Inflater()

    def call(self, block, body=message(b""), stream=1):
        """Sends a whole request. Returns the decoded header blocks of the answer, and its body."""
        self.connection.send(frame(HEADERS, END_HEADERS, stream, block) +
                             frame(DATA, END_STREAM, stream, body))
        return self.answer(stream)

    def answer(self, stream=1):
        frames = self.connection.read_until(lambda frames: any(
            f[1] & END_STREAM for f in of_stream(frames, HEADERS, stream)))
        blocks = [self.inflater.decode(f[3]) for f in of_stream(frames, HEADERS, stream)]
        return blocks, b"".join(f[3] for f in of_stream(frames, DATA, stream))

    def assertRefused(self, code, answer, text=None):
        """Trailers-only: one header block, no body."""
        blocks, body = answer
        self.assertEqual((len(blocks), body), (1, b""), text)
        self.assertEqual(blocks[0][":status"], "200")
        self.assertEqual(blocks[0]["grpc-status"], str(code), text)

    def test_answer_is_headers_data_trailers(self):
        (headers, trailers), body = self.call(request(), message(b"hello"))
        self.assertEqual((headers[":status"], headers["content-type"]), ("200", "application/grpc"))
        self.assertEqual(trailers["grpc-status"], "0")
        self.assertEqual(body, message(b"hello"))

    def test_error_is_trailers_only(self):
        self.assertRefused(12, self.call(request("/test.Echo/Nothing")))

    def test_message_is_percent_encoded_and_details_are_base64(self):
        (block,), _ = self.call(request("/test.Echo/Early"))
        self.assertEqual(block["grpc-message"], "100%25 d%C3%A9nied")
        self.assertEqual(block["grpc-status-details-bin"], "ZGV0YWlscw")

    def test_body_byte_by_byte(self):
        self.connection.send(frame(HEADERS, END_HEADERS, 1, request()))
        for byte in message(b"hello"):
            self.connection.send(frame(DATA, 0, 1, bytes([byte])))
        self.connection.send(frame(DATA, END_STREAM, 1))
        self.assertEqual(self.answer()[1], message(b"hello"))

    def test_get_is_405(self):
        (block,), _ = self.call(request(method="GET"))
        self.assertEqual((block[":status"], block["allow"]), ("405", "POST"))

    def test_other_content_types_are_415(self):
        for n, kind in enumerate(("application/json", "application/grpc-web", "")):
            (block,), _ = self.call(request(content_type=kind), stream=2 * n + 1)
            self.assertEqual(block[":status"], "415", kind)

    def test_content_type_with_proto(self):
        blocks, _ = self.call(request(content_type="application/grpc+proto"))
        self.assertEqual(blocks[-1]["grpc-status"], "0")

    def test_bad_timeouts(self):
        for n, text in enumerate(("1", "S", "1x", "-1S", "123456789S", "1 S")):
            self.assertRefused(3, self.call(request(grpc_timeout=text), stream=2 * n + 1), text)

    def test_signature_that_is_not_base64(self):
        self.assertRefused(3, self.call(request(keyward_signature_bin="!!!!")))

    def test_gzip_says_what_is_accepted(self):
        answer = self.call(request(grpc_encoding="gzip"))
        self.assertRefused(12, answer)
        self.assertEqual(answer[0][0]["grpc-accept-encoding"], "identity")

    def test_compressed_flag(self):
        self.assertRefused(12, self.call(request(), b"\x01" + message(b"hello")[1:]))

    def test_half_a_message_at_the_end(self):
        self.assertRefused(3, self.call(request(), message(b"hello")[:-1]))

    def test_early_status_asks_to_stop_sending(self):
        self.connection.send(frame(HEADERS, END_HEADERS, 1, request("/test.Echo/Early")))
        frames = self.connection.read_until(lambda frames: of_stream(frames, RST_STREAM, 1))
        self.assertEqual([f[3] for f in of_stream(frames, RST_STREAM, 1)],
                         [struct.pack(">I", NO_ERROR)])
        self.assertRefused(7, self.answer())

    def test_server_side_deadline(self):
        self.connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                   request("/test.Echo/Hold", grpc_timeout="50m")))
        self.assertRefused(4, self.answer())

    def test_timeout_of_nothing_is_over_at_once(self):
        self.assertRefused(4, self.call(request(grpc_timeout="0S")))

    def test_trailers_of_a_request_are_ignored(self):
        self.connection.send(frame(HEADERS, END_HEADERS, 1, request()) +
                             frame(DATA, 0, 1, message(b"x")) +
                             frame(HEADERS, END_HEADERS | END_STREAM, 1, field("more", "x")))
        blocks, body = self.answer()
        self.assertEqual((blocks[-1]["grpc-status"], body), ("0", message(b"x")))


class Goaway(EdgeCase):
    def test_goaway_in_two_steps(self):
        connection = self.enterContext(Connection(self.server))
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                   request("/test.Echo/Hold")))
        eventually(lambda: self.server.in_flight() == 1, "the call is held")
        self.server.process.terminate()
        frames = connection.read_until(lambda frames: any(
            f[0] == PING and not f[1] & ACK for f in frames))
        self.assertEqual(goaways(frames), [(0x7FFFFFFF, NO_ERROR)])
        ping = [f for f in frames if f[0] == PING][0]
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 3,
                                   request("/test.Echo/Release")) + frame(PING, ACK, 0, ping[3]))
        frames = connection.read_until(lambda frames: False)
        self.assertEqual(goaways(frames), [(0x7FFFFFFF, NO_ERROR), (3, NO_ERROR)])
        self.assertEqual(b"".join(f[3] for f in of_stream(frames, DATA, 1)), message(b"released"))
        self.assertEqual(connection.closed, "end")
        self.assertEqual(self.server.process.wait(TIMEOUT_S), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
