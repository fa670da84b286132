"""The TCP fault proxy (support/proxy) as a process of a Python test.

    with FaultProxy(program) as proxy:
        link = proxy.link("127.0.0.1:%d" % port)   # clients connect to link.port
        link.set("up", delay_ms=150, jitter_ms=50)
        link.wait_for("up.delayed", 1)
        link.heal()
"""
import select
import subprocess
import threading
import time

TIMEOUT_S = 30
POLL_S = 0.002


class ProxyError(Exception):
    """The proxy refused what it was told; nothing changed."""


class FaultProxy:
    """Leaving the block ends the process, and fails if it did not end cleanly. Any thread. `prefix` is what comes before the program, so
    that it runs elsewhere (netns.py)."""

    def __init__(self, program, prefix=()):
        self._lock = threading.Lock()
        self._process = subprocess.Popen([*prefix, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        if self._answer() != "READY":
            raise AssertionError("the fault proxy did not start")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        code = self.close()
        if code != 0 and kind is None:
            raise AssertionError("the fault proxy ended with %s" % code)

    def close(self):
        """Ends it; its exit status."""
        self._process.stdin.close()
        try:
            return self._process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "no exit at the end of its input"
        finally:
            self._process.stdout.close()

    def ask(self, request, **words):
        """One request, and the words of its answer."""
        line = " ".join([request, *("%s=%s" % item for item in words.items() if item[1] is not None)])
        with self._lock:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            status, _, rest = self._answer().partition(" ")
        if status != "ok":
            raise ProxyError(rest)
        return {key: int(value) for key, value in (word.split("=") for word in rest.split())}

    def link(self, target=None, listen=None, seed=None):
        return Link(self, self.ask("link", target=target, listen=listen, seed=seed))

    def _answer(self):
        readable, _, _ = select.select([self._process.stdout], [], [], TIMEOUT_S)
        return self._process.stdout.readline().rstrip("\n") if readable else ""


class Link:
    """One link. A fault is in force when its call returns."""

    def __init__(self, proxy, words):
        self._proxy = proxy
        self.number, self.port = words["link"], words["port"]
        self.address = "127.0.0.1:%d" % self.port

    def set(self, way="both", **faults):
        """Of faults.def; also refuse=1 and target=ADDRESS, which are the link's."""
        self._proxy.ask("set", link=self.number, way=way, **faults)

    def heal(self):
        self._proxy.ask("heal", link=self.number)

    def reset(self):
        """Resets its connections; how many."""
        return self._proxy.ask("reset", link=self.number)["connections"]

    def stats(self):
        return self._proxy.ask("stats", link=self.number)

    def wait_for(self, count, value):
        """Until a count of the statistics is (at least) so much; all of them then."""
        return self.wait_until(lambda stats: stats[count] >= value, "%s is %d" % (count, value))

    def wait_until(self, condition, what):
        """Until the statistics are so; all of them then."""
        end, nap = time.monotonic() + TIMEOUT_S, threading.Event()
        while not condition(stats := self.stats()):
            if time.monotonic() > end:
                raise AssertionError("never: %s (last: %s)" % (what, stats))
            nap.wait(POLL_S)
        return stats

    def close(self):
        self._proxy.ask("close", link=self.number)
