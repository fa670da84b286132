#!/usr/bin/python3
"""The seccomp profile for the crypto core's container: `seccomp_test.py BUILD/bin/keyward`.

Enough: a mesh whose crypto core, with its ceremony and workers, runs under it makes keys. In force: what it does not name is refused.
"""
import ctypes
import errno
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "interop"))

import stubs  # noqa: F401, isort: first, makes the others importable

import actors
from mesh import Mesh
from processes import Processes

PROFILE = HERE.parent.parent / "docker" / "seccomp-cryptocore.json"
LAUNCHER = HERE.parent / "support" / "under_seccomp.py"
HARDEN = HERE.parent.parent / "common" / "harden"
CLONE_NEWUSER = 0x10000000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


def names_in(path, array):
    """The system calls that an array of a source file lists, comments left out."""
    body = re.search(r"\b%s\[\] = \{(.*?)\};" % array, path.read_text(), re.S)[1]
    return set(re.findall(r'"(\w+)"', re.sub(r"/\*.*?\*/", "", body, flags=re.S)))


class Profile(unittest.TestCase):
    """As it is written."""

    @classmethod
    def setUpClass(cls):
        cls.profile = json.loads(PROFILE.read_text())
        cls.rules = cls.profile["syscalls"]
        cls.allowed = {name for rule in cls.rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}

    def test_what_is_not_named_is_refused(self):
        self.assertEqual(self.profile["defaultAction"], "SCMP_ACT_ERRNO")
        self.assertTrue(all(rule["comment"] for rule in self.rules))

    def test_nothing_that_reaches_out_of_a_container(self):
        self.assertFalse(self.allowed & set(
            "acct add_key bpf chroot delete_module fanotify_init finit_module fsopen init_module io_uring_setup ioperm iopl kcmp "
            "kexec_load keyctl mknod mknodat mount mount_setattr move_mount name_to_handle_at open_by_handle_at perf_event_open "
            "personality pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace quotactl reboot request_key setns "
            "swapon syslog umount2 unshare userfaultfd vmsplice".split()))

    def test_conditions(self):
        sockets = [rule["args"] for rule in self.rules if rule["names"] == ["socket"]]
        self.assertEqual({args[0]["value"] for args in sockets}, set(FAMILIES.values()))
        clone = [rule for rule in self.rules if "clone" in rule["names"]]
        self.assertEqual(len(clone), 1)
        self.assertTrue(clone[0]["args"][0]["value"] & CLONE_NEWUSER)

    def test_all_that_a_worker_allows_itself_is_in_it(self):
        """A worker's own filter is the narrower one: what a call of it is refused by would be this."""
        worker = HERE.parent.parent / "services" / "cryptocore" / "hsm" / "worker_sandbox.c"
        groups = HARDEN / "sandbox_groups.c"
        own = names_in(groups, "run_calls") | names_in(groups, "files_calls") | names_in(worker, "login_calls")
        self.assertGreater(len(own), 20)
        self.assertEqual(own - self.allowed, set())


def under(*words):
    return ["/usr/bin/python3", str(LAUNCHER), str(PROFILE), *words]


class InForce(unittest.TestCase):
    """What it makes of calls, each made by a process under it."""
    ASK = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for words in sys.argv[1:]:
    print(libc.syscall(*map(int, words.split(","))), ctypes.get_errno())
"""

    def ask(self, *calls):
        seccomp = ctypes.CDLL("libseccomp.so.2")
        words = [",".join(str(number) for number in (seccomp.seccomp_syscall_resolve_name(name.encode()), *arguments))
                 for name, *arguments in calls]
        said = subprocess.run(under("/usr/bin/python3", "-I", "-c", self.ASK, *words), check=True, stdout=subprocess.PIPE, text=True)
        return [tuple(map(int, line.split())) for line in said.stdout.splitlines()]

    def test_what_is_not_named_is_refused(self):
        refused = (-1, errno.EPERM)
        self.assertEqual(self.ask(("ptrace", 0), ("unshare", CLONE_NEWUSER), ("mount", 0), ("keyctl", 0)), [refused] * 4)

    def test_what_is_named_with_a_condition_is_refused_otherwise(self):
        AF_PACKET, SOCK_STREAM, SIGCHLD = 17, 1, 17
        self.assertEqual(self.ask(("socket", AF_PACKET, SOCK_STREAM, 0), ("clone", CLONE_NEWUSER | SIGCHLD, 0)), [(-1, errno.EPERM)] * 2)
        self.assertEqual(self.ask(("clone3", 0, 0)), [(-1, errno.ENOSYS)])
        self.assertGreaterEqual(self.ask(("socket", FAMILIES["AF_INET"], SOCK_STREAM, 0))[0][0], 0)


class Enough(unittest.TestCase):
    """A mesh whose crypto core is started under it."""

    def programs(self, directory):
        """The programs of the build, with a crypto core that confines itself first."""
        shutil.copy(BINARY, directory)
        for program in pathlib.Path(BINARY).parent.glob("keyward-*"):
            if program.name != "keyward-cryptocore":
                (directory / program.name).symlink_to(program)
        sanitizers = ["+" + name for name in sorted(names_in(HARDEN / "sandbox.c", "sanitizer_calls"))]
        core = directory / "keyward-cryptocore"
        core.write_text("#!/bin/sh\nexec %s \"$@\"\n" % " ".join(under(*sanitizers, BINARY + "-cryptocore")))
        core.chmod(0o755)
        return str(directory / "keyward")

    def filters(self, pid):
        return int(re.search(r"^Seccomp_filters:\s+(\d+)", pathlib.Path("/proc/%d/status" % pid).read_text(), re.M)[1])

    def test_keys_are_made_under_it(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        outside = self.filters(os.getpid())
        with Mesh(self.programs(directory)) as mesh:
            officer = actors.Officer(mesh)
            self.addCleanup(officer.close)
            station = actors.Station(mesh, officer, directory)
            self.addCleanup(station.close)
            self.assertEqual(len(station.create_batch(2)[1].chunk.items), 2)
            processes = Processes(mesh)
            self.assertEqual(self.filters(processes.first("cryptocore")), outside + 1)
            self.assertEqual(self.filters(processes.first("worker")), outside + 2)


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
