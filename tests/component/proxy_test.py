#!/usr/bin/python3
"""The TCP fault proxy with real sockets on both sides: each fault is seen to happen.

    proxy_test.py PATH_OF_FAULT_PROXY [unittest arguments]
"""
import contextlib
import os
import pathlib
import select
import socket
import struct
import sys
import tempfile
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "support")]

from fault_proxy import TIMEOUT_S, FaultProxy, ProxyError

PROGRAM = sys.argv.pop(1)
LINKS = 40
RESET = struct.pack("ii", 1, 0)
PATTERN = bytes(i * 31 % 256 ^ i // 256 % 256 for i in range(65536))


def pattern(length):
    return (PATTERN * (length // len(PATTERN) + 1))[:length]


def receive(connection, length):
    """Exactly so many bytes."""
    data = bytearray()
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise AssertionError("an end after %d of %d bytes" % (len(data), length))
        data += part
    return bytes(data)


def receive_all(connection):
    """Until the end."""
    data = bytearray()
    while part := connection.recv(65536):
        data += part
    return bytes(data)


def is_silent(connection):
    """Neither bytes nor an end, now."""
    return not select.select([connection], [], [], 0)[0]


def bits_changed(before, after):
    return sum(bin(a ^ b).count("1") for a, b in zip(before, after))


class Case(unittest.TestCase):
    """One proxy for a class; its clean exit, with whatever is still open, is part of the test."""

    @classmethod
    def setUpClass(cls):
        cls.proxy = cls.enterClassContext(FaultProxy(PROGRAM))

    def setUp(self):
        self.server = self.kept(socket.create_server(("127.0.0.1", 0)))
        self.target = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.link = self.proxy.link(self.target)

    def kept(self, connection):
        connection.settimeout(TIMEOUT_S)
        self.addCleanup(connection.close)
        return connection

    def connect(self, link=None):
        return self.kept(socket.create_connection(("127.0.0.1", (link or self.link).port), TIMEOUT_S))

    def pair(self, link=None):
        """Both ends of a connection through a link."""
        client = self.connect(link)
        return client, self.kept(self.server.accept()[0])

    def assertIsReset(self, connection):
        with self.assertRaises(ConnectionResetError):
            while connection.recv(65536):
                pass


class Healthy(Case):
    def test_bytes_go_both_ways(self):
        client, server = self.pair()
        client.sendall(pattern(300000))
        self.assertEqual(receive(server, 300000), pattern(300000))
        server.sendall(b"answer")
        self.assertEqual(receive(client, 6), b"answer")
        stats = self.link.wait_for("down.out", 6)
        self.assertEqual((stats["up.in"], stats["up.out"], stats["up.dropped"]), (300000, 300000, 0))

    def test_one_way_may_end_before_the_other(self):
        client, server = self.pair()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive_all(server), b"")
        server.sendall(b"late")
        server.close()
        self.assertEqual(receive_all(client), b"late")
        stats = self.link.wait_for("down.ends", 1)
        self.assertEqual((stats["open"], stats["resets"]), (0, 0))

    def test_a_reset_is_passed_on(self):
        client, server = self.pair()
        server.sendall(b"!")  # it goes all the way, before that a reset is a target that is down
        self.assertEqual(receive(client, 1), b"!")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        server.close()
        self.assertIsReset(client)

    def test_who_sends_to_one_that_has_closed_is_reset(self):
        client, server = self.pair()
        server.close()
        self.assertEqual(receive_all(client), b"")
        client.sendall(b"x")
        self.link.wait_for("up.out", 1)  # which the kernel answers by a reset
        client.sendall(b"x")
        self.link.wait_for("resets", 1)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            client.sendall(b"x")

    def test_links_are_independent(self):
        links = [self.proxy.link(self.target) for _ in range(LINKS)]
        pairs = [self.pair(link) for link in links]
        links[0].set(stall=1)
        for client, _ in pairs:
            client.sendall(b"x")
        for _, server in pairs[1:]:
            self.assertEqual(receive(server, 1), b"x")
        links[0].wait_for("up.held", 1)
        self.assertTrue(is_silent(pairs[0][1]))

    def test_paths_instead_of_ports(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        inner, outer = os.path.join(directory, "inner"), os.path.join(directory, "outer")
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(inner)
            server.listen()
            link = self.proxy.link("unix:" + inner, listen="unix:" + outer)
            client.connect(outer)
            client.sendall(b"by path")
            self.assertEqual(receive(self.kept(server.accept()[0]), 7), b"by path")
            link.close()
        self.assertEqual(os.listdir(directory), ["inner"])


class Late(Case):
    def test_delay(self):
        client, server = self.pair()
        self.link.set("up", delay_ms=60)
        begin = time.monotonic()
        client.sendall(b"later")
        self.assertEqual(receive(server, 5), b"later")
        self.assertGreaterEqual(time.monotonic() - begin, 0.060)
        server.sendall(b"at once")
        self.assertEqual(receive(client, 7), b"at once")
        stats = self.link.stats()
        self.assertEqual((stats["up.delayed"], stats["down.delayed"]), (1, 0))

    def test_jitter_keeps_the_order(self):
        client, server = self.pair()
        self.link.set("up", delay_ms=20, jitter_ms=20)
        for i in range(50):
            client.sendall(bytes([i]))
        self.assertEqual(receive(server, 50), bytes(range(50)))
        self.assertGreater(self.link.stats()["up.delayed"], 0)

    def test_slow(self):
        client, server = self.pair()
        self.link.set("up", bytes_per_s=20000)
        begin = time.monotonic()
        client.sendall(pattern(3000))
        self.assertEqual(receive(server, 3000), pattern(3000))
        self.assertGreaterEqual(time.monotonic() - begin, (3000 - 201) / 20000)

    def test_a_stall_loses_nothing(self):
        client, server = self.pair()
        self.link.set(stall=1)
        client.sendall(pattern(1000))
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.link.wait_for("up.held", 1000)["up.out"], 0)
        self.assertTrue(is_silent(server))
        self.link.set(stall=0)
        self.assertEqual(receive_all(server), pattern(1000))

    def test_one_way_stands_while_the_other_goes(self):
        client, server = self.pair()
        self.link.set("up", stall=1)
        client.sendall(b"unheard")
        self.link.wait_for("up.held", 7)
        server.sendall(b"heard")
        self.assertEqual(receive(client, 5), b"heard")
        self.assertTrue(is_silent(server))
        self.link.heal()
        self.assertEqual(receive(server, 7), b"unheard")

    def test_the_sender_waits_where_there_is_no_room(self):
        client, server = self.pair()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.link.set("up", stall=1, hold_max=100000)
        client.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += client.send(pattern(65536)[sent % 65536:])
        self.assertEqual(self.link.wait_for("up.held", 100000)["up.held"], 100000)
        self.assertGreater(sent, 100000)
        self.link.set("up", stall=0)
        self.assertEqual(receive(server, sent), pattern(sent))


class Gone(Case):
    def test_half_open_tells_nobody(self):
        client, server = self.pair()
        self.link.set(half_open=1)
        client.sendall(b"into the void")
        self.link.wait_for("up.dropped", 13)
        server.close()
        self.link.wait_for("down.lost", 1)
        self.assertTrue(is_silent(client))
        self.assertEqual(self.link.stats()["open"], 1)
        self.link.heal()
        self.assertIsReset(client)

    def test_half_open_outlives_a_dead_receiver(self):
        client, server = self.pair()
        self.link.set("down", half_open=1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        server.close()
        self.link.wait_for("down.lost", 1)
        client.sendall(b"is anybody there?")
        self.link.wait_for("up.dropped", 17)
        self.assertTrue(is_silent(client))

    def test_reset_now(self):
        pairs = [self.pair() for _ in range(3)]
        self.assertEqual(self.link.reset(), 3)
        for connection in sum(pairs, ()):
            self.assertIsReset(connection)
        stats = self.link.stats()
        self.assertEqual((stats["open"], stats["resets"]), (0, 3))

    def test_reset_after_so_many_bytes(self):
        self.link.set("up", reset_after=1000)
        client, server = self.pair()
        client.sendall(pattern(5000))
        self.assertIsReset(client)
        self.assertIsReset(server)
        stats = self.link.stats()
        self.assertEqual((stats["up.out"], stats["resets"]), (1000, 1))

    def test_truncate(self):
        self.link.set("up", cut_after=1000)
        client, server = self.pair()
        client.sendall(pattern(5000))
        self.assertEqual(receive_all(server), pattern(1000))
        with contextlib.suppress(ConnectionResetError):  # it was still sending
            self.assertEqual(receive_all(client), b"")
        server.close()
        self.wait_closed()

    def test_what_was_sent_before_a_cut_arrives_though_the_receiver_was_not_heard_out(self):
        self.link.set("up", cut_after=1000)
        self.link.set("down", hold_max=0)  # nothing is read
        client, server = self.pair()
        server.sendall(b"unheard")
        client.sendall(pattern(5000))
        self.assertEqual(receive_all(server), pattern(1000))  # a reset would fail here

    def test_duplicate(self):
        self.link.set("down", duplicate_after=700)
        client, server = self.pair()
        server.sendall(pattern(5000))
        self.assertEqual(receive_all(client), pattern(700) * 2)
        client.close()
        self.wait_closed()

    def wait_closed(self):
        self.link.wait_until(lambda stats: stats["open"] == 0, "no connection is open")

    def test_refuse(self):
        client, server = self.pair()
        self.link.set(refuse=1)
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        client.sendall(b"who is in stays in")
        self.assertEqual(receive(server, 18), b"who is in stays in")
        self.link.set(refuse=0)
        client, server = self.pair()
        client.sendall(b"again")
        self.assertEqual(receive(server, 5), b"again")

    def test_a_target_that_is_down(self):
        link = self.proxy.link()
        self.assertNobodyIsThere(link)
        with socket.create_server(("127.0.0.1", 0)) as down:
            port = down.getsockname()[1]
        link.set(target="127.0.0.1:%d" % port)
        self.assertNobodyIsThere(link)
        self.assertEqual(link.stats()["unreachable"], 2)
        link.set(target=self.target)
        client, server = self.pair(link)
        client.sendall(b"up again")
        self.assertEqual(receive(server, 8), b"up again")

    def test_behind_a_half_open_link_nobody_hears_of_a_target_that_is_down(self):
        link = self.proxy.link()
        link.set("down", half_open=1)
        client = self.connect(link)
        client.sendall(b"hello?")
        link.wait_for("up.dropped", 6)
        self.assertTrue(is_silent(client))
        self.assertEqual(link.stats()["unreachable"], 1)
        link.heal()
        self.assertIsReset(client)

    def assertNobodyIsThere(self, link):
        with self.assertRaises(ConnectionResetError):
            self.connect(link).recv(1)

    def test_a_closed_link(self):
        client, _ = self.pair()
        self.link.close()
        self.assertEqual(receive_all(client), b"")
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        with self.assertRaisesRegex(ProxyError, "no link"):
            self.link.stats()


class Wrong(Case):
    def corrupted(self, link, length):
        """What came of the pattern."""
        client, server = self.pair(link)
        client.sendall(pattern(length))
        return receive(server, length)

    def test_corrupt(self):
        self.link.set("up", corrupt_every=1000)
        came = self.corrupted(self.link, 100000)
        self.assertEqual(bits_changed(pattern(100000), came), 100)
        for block in range(0, 100000, 1000):
            self.assertEqual(bits_changed(pattern(100000)[block:block + 1000], came[block:block + 1000]), 1)
        stats = self.link.stats()
        self.assertEqual((stats["up.flipped"], stats["down.flipped"]), (100, 0))

    def test_which_bits_is_the_seed_s_choice(self):
        came = []
        for seed in (5, 5, 6):
            link = self.proxy.link(self.target, seed=seed)
            link.set("up", corrupt_every=100)
            came.append(self.corrupted(link, 5000))
        self.assertEqual(came[0], came[1])
        self.assertNotEqual(came[0], came[2])


class Control(Case):
    def test_what_makes_no_sense_is_refused_and_changes_nothing(self):
        number = self.link.number
        for request in ("dance", "", "link target=nowhere", "link target=127.0.0.1:70000", "link listen=unix:",
                        "link colour=red", "stats", "stats link=0", "stats link=99999", "stats link=%dx" % number,
                        "set link=%d stall" % number, "set link=%d way=sideways stall=1" % number,
                        "set link=%d stall=1 earthquake=1" % number, "set link=%d stall=1 delay_ms=-1" % number,
                        "set link=%d stall=1 delay_ms=3600001" % number, "set link=%d stall=1 target=no" % number,
                        "set link=%d stall=1 refuse=maybe" % number, "heal link=%d way=up" % number):
            with self.assertRaises(ProxyError, msg=request):
                self.proxy.ask(request)
        client, server = self.pair()
        client.sendall(b"as before")
        self.assertEqual(receive(server, 9), b"as before")

    def test_an_address_in_use(self):
        with self.assertRaisesRegex(ProxyError, "bind"):
            self.proxy.link(listen=self.target)

    def test_it_ends_with_its_input(self):
        proxy = FaultProxy(PROGRAM)
        client, server = self.pair(proxy.link(self.target))
        link = proxy.link(self.target)
        link.set(stall=1, delay_ms=1000)
        held, _ = self.pair(link)
        held.sendall(b"held")
        link.wait_for("up.held", 4)
        self.assertEqual(proxy.close(), 0)
        self.assertEqual((receive_all(client), receive_all(server)), (b"", b""))


if __name__ == "__main__":
    unittest.main()
