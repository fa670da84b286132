"""A whole Keyward on this machine: `keyward up`, found by its READY line, stopped by SIGTERM."""
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

START_S = 180
STOP_S = 60
LOG_TAIL_BYTES = 4000
PATIENCE_S = 60


def eventually(what, condition):
    """The condition's value, once it is true."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("not in time: " + what)
        os.sched_yield()
    return value


FIRST = "r1/a"
ONE = ("--regions=1", "--cells=1")


class Mesh:
    """One cell, unless `words` for `keyward up` say otherwise. Use as a context; `environment` is for the services too. Leaving it stops the mesh and fails unless it ends with 0.

    A cell is named as its directory is below the mesh's: REGION/CELL. `target` is the gateway of the first."""

    def __init__(self, binary, words=(), **environment):
        self._temporary = tempfile.TemporaryDirectory(prefix="keyward-interop-")
        self.temporary = pathlib.Path(self._temporary.name)
        self.directory = self.temporary / "mesh"
        self._process = subprocess.Popen([binary, "up", "--dir=%s" % self.directory, *(words or ONE)],
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         env={**os.environ, **environment})
        self.pid = self._process.pid
        try:
            self.port = int(re.search(r"^READY port=(\d+)", self._output_until_ready(), re.M)[1])
        except BaseException:
            self._kill()
            raise
        self._said = []
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()
        self.target = "127.0.0.1:%d" % self.port
        self.region = self.directory / "r1"
        self.cell = self.directory / FIRST
        self.root_file = self.region / "pki" / "root.pem"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        code = self.stop()
        if code != 0 or kind is not None:
            self._print_logs()
        self._temporary.cleanup()
        if code != 0 and kind is None:
            raise AssertionError("keyward up ended with %s" % code)

    def stop(self):
        """SIGTERM, and the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        """The exit code, once it has ended."""
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = "no exit within %d s" % STOP_S
        self._follower.join()
        self._process.stdout.close()
        return code

    def said(self):
        """The lines it has printed since READY: which part ended, and after what time it was back."""
        return list(self._said)

    def metrics_url(self, service, cell=FIRST):
        """Where a service has /metrics and /readyz, also after a restart."""
        ready = (self.directory / cell / "run" / (service + ".ready")).read_text()
        return "http://127.0.0.1:%s" % re.search(r"metrics=(\d+)", ready)[1]

    def _follow(self):
        """Reads on, so that the mesh never waits for a reader."""
        for line in self._process.stdout:
            self._said.append(line.decode(errors="replace").rstrip())

    def _output_until_ready(self):
        """What it prints until READY; fails when it ends or when the time is up before."""
        output, end = b"", time.monotonic() + START_S
        while not re.search(rb"^READY .*\n", output, re.M):
            left = end - time.monotonic()
            readable, _, _ = select.select([self._process.stdout], [], [], max(0, left))
            part = os.read(self._process.stdout.fileno(), 65536) if readable else b""
            if not part:
                raise AssertionError("keyward up did not become ready:\n" + output.decode())
            output += part
        return output.decode()

    def _kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._print_logs()
        self._temporary.cleanup()

    def _print_logs(self):
        """The ends of the services' logs, for whoever reads the failure."""
        for log in sorted(self.directory.rglob("*.log")):
            tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
            sys.stderr.write("---- %s\n%s\n" % (log.relative_to(self.directory), tail))
