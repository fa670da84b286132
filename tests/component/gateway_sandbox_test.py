#!/usr/bin/python3
"""A gateway in its sandbox does what the other tests do not ask of it: names of hosts, and what the setting says.

    gateway_sandbox_test.py GATEWAY AUTHZ DESCRIPTORS
"""
import pathlib
import re
import unittest

from gateway_support import GatewayCase, World, new_id


def seccomp(gateway):
    """0 is none, 2 a filter."""
    status = pathlib.Path("/proc/%d/status" % gateway.process.pid).read_text()
    return int(re.search(r"^Seccomp:\s+(\d)", status, re.M)[1])


class Names(GatewayCase):
    """Neighbours by name: looking one up opens files and sockets, and loads libraries, long after the start."""

    @classmethod
    def settings(cls):
        return {"targets": "localhost:%d,no-such-host.invalid:1" % cls.world.authz_port,
                "redis": "localhost:1", "cache_key_file": cls.world.path("cache.key")}

    def test_a_neighbour_by_name_is_found(self):
        self.assertEqual(seccomp(self.gateway), 2)
        self.assertTrue(self.alice.create(new_id())[0])


class Off(GatewayCase):
    SETTINGS = {"sandbox": "off"}

    def test_off_is_off(self):
        self.assertEqual(seccomp(self.gateway), 0)


class Wrong(unittest.TestCase):
    def test_a_sandbox_that_is_none_is_refused(self):
        with World() as world:
            with self.assertRaisesRegex(AssertionError, "sandbox loose: expected strict or off"):
                world.gateway(sandbox="loose")


if __name__ == "__main__":
    unittest.main()
