#!/usr/bin/python3
"""Network namespaces of our own (support/netns.py): what one way loses and cuts, and that it heals. Skipped where they are not
permitted."""
import contextlib
import pathlib
import subprocess
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "support")]

import netns

TIMEOUT_S = 30
HOSTS = ["west", "east", "south"]
ECHO = """import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    here.bind((sys.argv[1], 0))
    print(here.getsockname()[1], flush=True)
    while True:
        data, who = here.recvfrom(2000)
        here.sendto(data, who)
"""
ASK = """import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    here.connect((sys.argv[1], int(sys.argv[2])))
    here.settimeout(0.3)
    heard = 0
    for i in range(int(sys.argv[3])):
        here.send(bytes(100))
        if sys.argv[4] == "each":
            try:
                heard += len(here.recv(2000)) > 0
            except TimeoutError:
                pass
print(heard)
"""
TAKE = """import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    here, _ = server.accept()
    taken = 0
    while data := here.recv(65536):
        taken += len(data)
print(taken, flush=True)
"""
SEND = """import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as here:
    here.sendall(bytes(int(sys.argv[3])))
"""


class Namespaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = cls.enterClassContext(netns.Network(HOSTS))
        cls.ports = {name: cls.enterClassContext(cls.echo(name)) for name in HOSTS}

    def setUp(self):
        self.addCleanup(self.network.heal)

    @classmethod
    @contextlib.contextmanager
    def echo(cls, name):
        """An echo there, for as long as the block lasts; its port."""
        with subprocess.Popen([*cls.network.argv(name), sys.executable, "-c", ECHO, cls.network.address(name)],
                              stdout=subprocess.PIPE, text=True) as process:
            try:
                yield int(process.stdout.readline())
            finally:
                process.terminate()

    def heard(self, source, target, packets=1, how="each"):
        """Echoes that came back."""
        ended = subprocess.run([*self.network.argv(source), sys.executable, "-c", ASK, self.network.address(target),
                                str(self.ports[target]), str(packets), how], text=True, capture_output=True,
                               timeout=TIMEOUT_S, check=True)
        return int(ended.stdout)

    def test_hosts_reach_one_another(self):
        for source in HOSTS:
            for target in HOSTS:
                if source != target:
                    self.assertEqual(self.heard(source, target), 1, (source, target))

    def test_what_is_cut_one_way_is_cut_that_way(self):
        self.network.set("west", "east", cut=True)
        self.assertEqual(self.heard("west", "east"), 0)
        asked = self.network.dropped("west", "east")
        self.assertGreaterEqual(asked, 1)  # a late answer to an earlier question may be among them
        self.assertEqual(self.heard("east", "west"), 0)  # it is asked, its answer is what vanishes
        self.assertGreater(self.network.dropped("west", "east"), asked)
        self.assertEqual(self.network.dropped("east", "west"), 0)
        self.assertEqual(self.heard("west", "south"), 1)

    def test_a_side_is_cut_off_at_one_instant_and_healed(self):
        self.network.set_all(["west"], ["east", "south"], cut=True)
        self.assertEqual((self.heard("west", "east"), self.heard("west", "south"), self.heard("east", "south")), (0, 0, 1))
        self.network.heal()
        self.assertEqual((self.heard("west", "east"), self.heard("west", "south")), (1, 1))

    def test_a_share_is_lost_of_single_packets(self):
        """Of 4,000 packets 800 are expected to vanish, with a deviation of 25."""
        self.network.set("west", "east", loss=0.2)
        self.heard("west", "east", 4000, "none")
        self.assertAlmostEqual(self.network.dropped("west", "east"), 800, delta=250)
        self.network.set("west", "east", loss=1)
        self.assertEqual(self.heard("west", "east"), 0)

    def test_tcp_loses_segments_and_no_byte(self):
        """Some 3,000 segments, of which some 150 vanish; as 64 KiB at a time there would be 65."""
        self.network.set("west", "east", loss=0.05)
        self.assertEqual(self.sent_by_tcp("west", "east", 4 << 20), 4 << 20)
        self.assertGreater(self.network.dropped("west", "east"), 50)

    def sent_by_tcp(self, source, target, length):
        """Bytes that arrived."""
        with subprocess.Popen([*self.network.argv(target), sys.executable, "-c", TAKE, self.network.address(target)],
                              stdout=subprocess.PIPE, text=True) as taker:
            port = taker.stdout.readline().strip()
            subprocess.run([*self.network.argv(source), sys.executable, "-c", SEND, self.network.address(target), port,
                            str(length)], timeout=TIMEOUT_S, check=True)
            return int(taker.stdout.readline())


if __name__ == "__main__":
    netns.enter()
    unittest.main()
