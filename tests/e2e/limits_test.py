#!/usr/bin/python3
"""A whole mesh whose services run out of what the system gives: `limits_test.py BUILD/bin/keyward`.

What is there goes on, what is new is refused with a reason, and when there is enough again it serves without a restart.
"""
import concurrent.futures
import contextlib
import resource
import signal
import sys
import unittest

import service_test
from service_test import Code, Story, eventually, send

# Who starves, what it loses meanwhile, and so has to make anew.
STARVED = (("gateway", "authz"), ("authz", "orchestrator"), ("orchestrator", "cryptocore"), ("cryptocore", "worker"))


@contextlib.contextmanager
def starved(pid):
    """No new file descriptor, whatever is closed meanwhile."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


class Descriptors(unittest.TestCase):
    def test_each_service_lives_without_new_descriptors(self):
        story = Story(self)
        for service, lost in STARVED:
            with self.subTest(service):
                pid = story.processes.first(service)
                self.assertIsNone(story.refusal(), "connected")
                with starved(pid):
                    self.assertIsNone(story.refusal(), "what is there goes on")
                    error = eventually("missed", lambda: self.refused_without(story, lost))
                    self.assertEqual(error.code, Code.UNAVAILABLE)
                    self.assertIn(error.reason, ("PEER_UNAVAILABLE", "HSM_UNAVAILABLE"))
                eventually("served again", lambda: story.refusal() is None)
                self.assertEqual(story.processes.first(service), pid, "without a restart")

    def refused_without(self, story, lost):
        """There is none of these processes, and then no key."""
        while pid := story.processes.first(lost):
            if lost != "worker" and pid != self.killed.get(lost, pid):
                break  # it is back, and nobody reaches it
            send(pid, signal.SIGKILL)
            self.killed[lost] = pid
        error = story.refusal()
        if error is not None and error.code == Code.DEADLINE_EXCEEDED:
            return None  # it was given to a worker that was just ending, and has waited for another
        return error

    def setUp(self):
        self.killed = {}


def sanitized():
    with open(service_test.BINARY, "rb") as program:
        return b"__asan_init" in program.read()


class Memory(unittest.TestCase):
    """Not a byte of address space more than now. What we allocate is refused, with a reason. gRPC core ends the process when
    it is its own malloc that fails: then another is started, as after any death, and nothing acknowledged is lost."""
    CALLS, AT_ONCE = 300, 64
    # "": the connection went. The last four: with what was lost and comes again, calls take longer than they, or their
    # capsules, may.
    REASONS = {"MEMORY", "PEER_UNAVAILABLE", "HSM_UNAVAILABLE", "STORE_UNAVAILABLE", "DRAINING", "",
               "RATE_LIMITED", "DEADLINE_EXCEEDED", "CAPSULE_INVALID", "RECEIPT_LAG"}

    def test_each_service_refuses_and_serves_again(self):
        if sanitized():
            self.skipTest("the sanitizers' allocator ends the process")
        story = Story(self)
        for service, _ in STARVED:
            with self.subTest(service):
                eventually("served", lambda: story.refusal() is None)
                with self.full(story.processes.first(service)), \
                        concurrent.futures.ThreadPoolExecutor(self.AT_ONCE) as pool:
                    refusals = list(pool.map(lambda _: story.refusal(), range(self.CALLS)))
                self.assertLessEqual({error.reason for error in refusals if error}, self.REASONS)
                eventually("served again", lambda: story.refusal() is None)

    @contextlib.contextmanager
    def full(self, pid):
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        with open("/proc/%d/statm" % pid) as pages:
            now = int(pages.read().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (now, before[1]))
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_AS, before)


if __name__ == "__main__":
    service_test.BINARY = sys.argv.pop(1)
    unittest.main()
