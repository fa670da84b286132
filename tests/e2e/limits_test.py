#!/usr/bin/python3
"""A whole mesh whose services run out of what the system gives: `limits_test.py BUILD/bin/keyward`.

What is there goes on, what is new is refused with a reason, and when there is enough again it serves without a restart.
"""
import contextlib
import resource
import sys
import unittest

import service_test
from service_test import Code, Story, descendant, eventually, kill

# Who starves, what it loses meanwhile, and so has to make anew.
STARVED = (("keyward-gateway", "keyward-authz"), ("keyward-authz", "keyward-orchestrator"),
           ("keyward-orchestrator", "keyward-cryptocore"), ("keyward-cryptocore", "keyward-hsm-worker"))


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
                pid = descendant(story.mesh.pid, service)
                self.assertIsNone(story.refusal(), "connected")
                with starved(pid):
                    self.assertIsNone(story.refusal(), "what is there goes on")
                    error = eventually("missed", lambda: self.refused_without(story, lost))
                    self.assertEqual(error.code, Code.UNAVAILABLE)
                    self.assertIn(error.reason, ("PEER_UNAVAILABLE", "HSM_UNAVAILABLE"))
                eventually("served again", lambda: story.refusal() is None)
                self.assertEqual(descendant(story.mesh.pid, service), pid, "without a restart")

    def refused_without(self, story, lost):
        """There is none of these processes, and then no key."""
        while pid := descendant(story.mesh.pid, lost):
            if lost != "keyward-hsm-worker" and pid != self.killed.get(lost, pid):
                break  # it is back, and nobody reaches it
            kill(pid)
            self.killed[lost] = pid
        return story.refusal()

    def setUp(self):
        self.killed = {}


if __name__ == "__main__":
    service_test.BINARY = sys.argv.pop(1)
    unittest.main()
