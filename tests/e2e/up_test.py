#!/usr/bin/python3
"""`keyward up` as a supervisor: `up_test.py BUILD/bin/keyward`.

What it does with parts that die, that never become ready, and that it leaves behind itself.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / name) for name in ("interop", "chaos")]

from mesh import ONE, Mesh, eventually
from nemesis import returns
from processes import PROGRAMS, Processes, is_alive, send

UP_S = 60
SERVICES = ("gateway", "authz", "orchestrator", "cryptocore", "replicator")


class Supervision(unittest.TestCase):
    """One mesh, whose stores died once while it started."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh(BINARY, KEYWARD_FAILPOINTS="store.after_migration=abort")
        cls.processes = Processes(cls.mesh)

    @classmethod
    def tearDownClass(cls):
        cls.mesh.stop()
        shutil.rmtree(cls.mesh.temporary)

    def pids(self):
        return {pid for part in PROGRAMS for pid in self.processes.find(part)}

    def test_a_failpoint_is_for_the_first_life(self):
        eventually("all are ready", lambda: self.processes.all_ready(1))
        for store in ("authz", "orchestrator"):
            self.assertEqual((self.mesh.cell / "logs" / (store + ".log")).read_text().count(": abort"), 1)

    def warnings(self):
        return sum(log.read_text().count('"level":"warn"') for log in (self.mesh.cell / "logs").iterdir())

    def test_a_health_check_finds_each_well_and_is_not_noticed(self):
        eventually("all are ready", lambda: self.processes.all_ready(1))
        before = self.warnings()
        for service in SERVICES:
            for words in ([], ["--live"]):
                subprocess.run([BINARY + "-" + service, "health", *words,
                                "--config=%s" % (self.mesh.cell / "config" / (service + ".yaml"))], check=True, timeout=UP_S)
        self.assertEqual(self.warnings(), before)

    def test_all_killed_at_once_come_back_and_it_is_told(self):
        eventually("all are ready", lambda: self.processes.all_ready(1))
        workers, killed = len(self.processes.find("worker")), self.pids()
        for pid in killed:
            send(pid, signal.SIGKILL)
        eventually("all are ready again", lambda: self.processes.all_ready(workers) and not killed & self.pids())
        eventually("it is told of each", lambda: sorted(returns(self.mesh.said())) ==
                   ["authz", "cryptocore", "gateway", "orchestrator", "redis", "replicator"])

    def test_one_that_is_killed_again_and_again_comes_back(self):
        before = len(returns(self.mesh.said())["authz"])
        for times in range(6):  # once more than it may die by itself
            send(self.processes.find("authz")[0], signal.SIGKILL)
            eventually("authz is back", lambda: len(returns(self.mesh.said())["authz"]) > before + times)

    def test_z_nothing_outlives_a_killed_up(self):
        pids = self.pids()
        self.assertGreaterEqual(len(pids), len(PROGRAMS))
        os.kill(self.mesh.pid, signal.SIGKILL)
        eventually("all have ended", lambda: not any(is_alive(pid) for pid in pids))


class Taken(unittest.TestCase):
    """The port of a part that died is somebody else's when it comes back."""

    def take(self, port):
        """A server on the port, or None."""
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", port))
            taker.listen()
        except OSError:
            taker.close()
            return None
        self.addCleanup(taker.close)
        return taker

    def test_it_ends_the_mesh_and_is_told(self):
        mesh = Mesh(BINARY)
        self.addCleanup(mesh._temporary.cleanup)
        send(Processes(mesh).first("gateway"), signal.SIGKILL)
        eventually("its port is taken", lambda: self.take(mesh.port))
        self.assertEqual(mesh.wait(), 5)
        self.assertIn("gateway ended with 1; its log is %s" % (mesh.cell / "logs" / "gateway.log"), "\n".join(mesh.said()))
        self.assertIn("address already in use", (mesh.cell / "logs" / "gateway.log").read_text())


class Start(unittest.TestCase):
    """With a crypto core that, after the ceremony, is a script."""

    def up(self, script, *words):
        with tempfile.TemporaryDirectory() as tmp:
            shutil.copy(BINARY, tmp)
            core = pathlib.Path(tmp, "keyward-cryptocore")
            core.write_text("#!/bin/sh\n[ \"$1\" != init ] || exec %s-cryptocore \"$@\"\n%s\n" % (BINARY, script))
            core.chmod(0o755)
            return subprocess.run([pathlib.Path(tmp, "keyward"), "up", "--dir=%s/mesh" % tmp, *ONE, *words], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=UP_S)

    def test_a_part_that_never_becomes_ready_ends_it(self):
        ended = self.up("exec tail -f /dev/null", "--start-ms=500")
        self.assertEqual((ended.returncode, ended.stdout), (5, ""), ended.stderr)
        self.assertEqual(ended.stderr.count("cryptocore is not ready after 500 ms"), 1, ended.stderr)

    def test_a_part_that_ends_by_itself_ends_it(self):
        ended = self.up("exit 3")
        self.assertEqual((ended.returncode, ended.stderr.count("cryptocore ended with 3")), (5, 1), ended.stderr)

    def test_a_part_that_is_killed_at_every_start_ends_it(self):
        ended = self.up("kill -KILL $$")
        self.assertEqual((ended.returncode, ended.stderr.count("cryptocore ended with 137")), (5, 5), ended.stderr)

    def test_a_part_that_cannot_be_begun_ends_it(self):
        ended = self.up("config=${1#--config=}; mkdir ${config%/config/*}/logs/orchestrator.log\n"
                        "echo READY port=1 metrics=1; exec tail -f /dev/null")
        self.assertEqual((ended.returncode, ended.stderr.count("orchestrator.log: Is a directory")), (5, 1), ended.stderr)

    def test_the_limit_is_a_number(self):
        ended = self.up("exit 3", "--start-ms=soon")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("--start-ms", ended.stderr)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
