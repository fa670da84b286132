#!/usr/bin/python3
"""What a process of ours can't do any more, and what nobody can do to it: `harden_test.py BUILD/bin`.

`harden_probe` is made of the product's own functions, built as a release is; each test starts it
and looks. That the services call those functions is shown by tests/e2e/canary_test.py.
"""
import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

NOBODY = 65534
CAP_IPC_LOCK = 14
PR_CAPBSET_READ = 23
PTRACE_ATTACH = 16
PAGES_OF_SECRETS = 16
TIMEOUT_S = 60

# Another user's process has a copy of the probe: the build need not be open to it.
ATTACH = """
import ctypes, errno, os, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
def outcome(function):
    try:
        return function()
    except OSError as error:
        return errno.errorcode[error.errno]
def attach():
    if libc.ptrace(%d, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "")
    os.waitpid(pid, 0)
    return "done"
def read(name):
    with open("/proc/%%d/%%s" %% (pid, name), "rb") as file:
        return "done" if name == "mem" or file.read() else "empty"
print(outcome(attach), *[outcome(lambda: read(name)) for name in ("mem", "environ", "maps")])
""" % PTRACE_ATTACH


class Case(unittest.TestCase):
    def probe(self, *words, **options):
        return subprocess.run([PROBE, *words], capture_output=True, text=True, timeout=TIMEOUT_S,
                              **options)


class Holding(Case):
    """A process that holds still while it is looked at."""

    def hold(self, word, path=None, **options):
        process = subprocess.Popen([path or PROBE, word], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, **options)
        self.addCleanup(process.communicate, timeout=TIMEOUT_S)
        self.slot = int(re.match(r"READY (0x[0-9a-f]+)", process.stdout.readline())[1], 16)
        return process.pid

    def status(self, pid):
        return dict(re.findall(r"^(\w+):\s+(.*)$",
                               pathlib.Path("/proc/%d/status" % pid).read_text(), re.M))

    def test_has_no_capability_and_gains_none(self):
        before = self.status(self.hold("bare"))
        after = self.status(self.hold("hold"))
        if os.geteuid() == 0:
            self.assertNotEqual(int(before["CapEff"], 16), 0)
            self.assertEqual(int(after["CapBnd"], 16), 0)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(after[kind], 16), 0, kind)
        self.assertEqual((before["NoNewPrivs"], after["NoNewPrivs"]), ("0", "1"))

    def test_makes_files_for_itself_alone(self):
        self.assertEqual(self.status(self.hold("hold"))["Umask"], "0077")

    def test_writes_no_core(self):
        limits = pathlib.Path("/proc/%d/limits" % self.hold("hold")).read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be two processes of another user")
    def test_same_user_can_neither_attach_nor_read(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            path = shutil.copy(PROBE, directory)
            open_ = self.look(self.hold("bare", path, user=NOBODY, group=NOBODY))
            closed = self.look(self.hold("hold", path, user=NOBODY, group=NOBODY))
        self.assertEqual(open_[1:], ["done"] * 3)  # what must be possible if we did nothing
        self.assertIn(open_[0], ("done", "EPERM"))  # Yama may forbid it to begin with
        self.assertEqual(closed, ["EPERM", "EACCES", "EACCES", "EACCES"])

    def look(self, pid):
        return subprocess.run([sys.executable, "-c", ATTACH, str(pid)], user=NOBODY, group=NOBODY,
                              capture_output=True, text=True, timeout=TIMEOUT_S,
                              check=True).stdout.split()

    def test_secrets_are_locked_and_not_dumped(self):
        pid, found = self.hold("hold"), None
        for block in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )",
                              pathlib.Path("/proc/%d/smaps" % pid).read_text()):
            bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", block)
            if bounds and int(bounds[1], 16) <= self.slot < int(bounds[2], 16):
                found = block
        kib = {name: int(re.search(r"^%s: +(\d+) kB" % name, found, re.M)[1])
               for name in ("Size", "Locked")}
        self.assertEqual(kib, {"Size": 4 * PAGES_OF_SECRETS, "Locked": 4 * PAGES_OF_SECRETS})
        flags = re.search(r"^VmFlags: (.*)$", found, re.M)[1].split()
        self.assertLessEqual({"lo", "dd", "wf"}, set(flags))  # locked, not dumped, not forked


class Ending(Case):
    def crash(self, word):
        """Whether the kernel wrote a core, with all that its user may give allowed."""
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen(
                [PROBE, word], cwd=directory, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
            _, status = os.waitpid(process.pid, 0)
            process.returncode = status
            self.assertEqual(os.WTERMSIG(status), signal.SIGSEGV)
            return os.WCOREDUMP(status)

    def test_a_crash_leaves_no_core(self):
        if not self.crash("bare-crash"):
            self.skipTest("cores are not written here to begin with")
        self.assertFalse(self.crash("crash"))

    def test_no_secret_without_locked_memory(self):
        def no_lock():
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))

        self.assertEqual(self.probe("lock").returncode, 0)
        ended = self.probe("lock", preexec_fn=no_lock)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"lock of 65536 bytes for secrets: ")

    def test_no_service_starts_without_locked_memory(self):
        with tempfile.TemporaryDirectory() as directory:
            for service, settings in SERVICES.items():
                path = pathlib.Path(directory, service + ".yaml")
                path.write_text("".join("%s: %s\n" % item for item in settings.items()))
                ended = subprocess.run(
                    [BIN / ("keyward-" + service), "--config=%s" % path], capture_output=True,
                    text=True, timeout=TIMEOUT_S, preexec_fn=lambda: resource.setrlimit(
                        resource.RLIMIT_MEMLOCK, (0, 0)))
                self.assertEqual(ended.returncode, 1, service)
                self.assertIn("for secrets", json.loads(ended.stderr.splitlines()[-1])["err"])


class Sandbox(Case):
    """Every list, every attempt: ended by SIGSYS, refused, or allowed."""

    ALWAYS = {"read_file", "malloc", "random", "kill_itself"}
    FATAL = {"execve", "fork", "vfork", "ptrace", "process_vm_readv", "setuid", "kill_parent",
             "mount", "bpf", "perf", "keyctl", "io_uring", "userfaultfd", "unshare", "be_dumpable",
             "packet", "alg", "vsock", "netlink_audit", "own",
             "own_by_ioctl", "own_group_by_ioctl", "set_signal", "limit_of_parent", "slow_parent"}
    # what each list adds to those: allowed, refused with an errno, and the rest fatal
    ALLOWED = {
        "strict": set(),
        "edge": {"inet", "inet6", "netlink_route", "mkdirat", "limit_ask"},
        "vendor": {"limit_ask", "limit_set", "inet", "inet6", "unix", "mkdirat", "listen", "unlink", "rename", "chmod",
                   "map_to_write_and_run", "make_runnable", "netlink_route", "netlink_uevent", "duplicate",
                   "device_ioctl", "slow_itself"},
    }
    REFUSED = {"strict": {"unix": "EACCES"}, "edge": {"clone3": "ENOSYS", "unix": "EACCES"},
               "vendor": {"clone3": "ENOSYS"}}

    def check(self, sandbox):
        attempts = set(self.probe("attempts").stdout.split())
        self.assertLessEqual(self.ALWAYS | self.FATAL, attempts)
        for attempt in attempts:
            ended = self.probe(sandbox, attempt)
            if attempt == "abort":
                self.assertEqual(ended.returncode, -signal.SIGABRT)
            elif attempt in self.REFUSED[sandbox]:
                self.assertEqual(ended.stdout, self.REFUSED[sandbox][attempt] + "\n", attempt)
            elif attempt in self.ALWAYS | self.ALLOWED[sandbox]:
                self.assertEqual(ended.returncode, 0, attempt)
                self.assertNotIn(ended.stdout, ("EPERM\n", "EACCES\n"), attempt)
            else:
                self.assertEqual(ended.returncode, -signal.SIGSYS, attempt)

    def test_worker(self):
        self.check("strict")

    def test_worker_of_a_vendor_s_module(self):
        self.check("vendor")

    def test_edge(self):
        self.check("edge")

    def test_a_sandbox_that_is_none_is_refused(self):
        self.assertEqual(self.probe("loose", "malloc").returncode, 1)


class Memory(Case):
    def test_a_wiped_key_is_gone(self):
        self.assertEqual(self.probe("leave").stdout, "there\n")  # the compiler leaves it otherwise
        self.assertEqual(self.probe("wipe").stdout, "gone\n")

    def test_nonces_differ(self):
        self.assertEqual(self.probe("nonces", str(NONCES)).returncode, 0)

    def test_nonces_differ_after_a_fork(self):
        self.assertEqual(self.probe("fork").returncode, 0)


def readelf(path, *what):
    return subprocess.run(["readelf", "-W", *what, path], capture_output=True, text=True,
                          check=True, timeout=TIMEOUT_S).stdout


class Binaries(Case):
    """What compiler and linker were told, read from what they made."""

    def shipped(self):
        found = [path for path in BIN.iterdir()
                 if path.name in SHIPPED or path.name == "harden_probe"]
        self.assertEqual({path.name for path in found}, SHIPPED | {"harden_probe"})
        return found

    def test_loaded_anywhere_and_relocated_before_main(self):
        for path in self.shipped():
            with self.subTest(path.name):
                self.assertRegex(readelf(path, "-h"), r"Type: +DYN ")
                dynamic = readelf(path, "-d")
                self.assertRegex(dynamic, r"\(FLAGS_1\) .*\bNOW\b.*\bPIE\b")
                self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH|TEXTREL)\)")
                self.assertIn("GNU_RELRO", readelf(path, "-l"))

    def test_no_memory_is_written_and_run(self):
        for path in self.shipped():
            segments = re.findall(r"^ +(LOAD|GNU_STACK) .* ([R ][W ][E ]) 0x\w+$",
                                  readelf(path, "-l"), re.M)
            self.assertIn("GNU_STACK", [kind for kind, _ in segments], path.name)
            self.assertFalse([s for s in segments if "W" in s[1] and "E" in s[1]], path.name)

    def test_stacks_are_guarded(self):
        for path in self.shipped():
            self.assertIn("__stack_chk_fail", readelf(path, "--dyn-syms"), path.name)

    def test_a_release_checks_sizes(self):
        symbols = readelf(BIN / "harden_probe", "--dyn-syms")
        self.assertLessEqual({"__memcpy_chk", "__explicit_bzero_chk"},
                             set(re.findall(r"\b(__\w+_chk)\b", symbols)))

    def flags(self, pattern):
        """How each product file that matches is compiled in this build."""
        commands = json.loads((BIN.parent / "compile_commands.json").read_text())
        return [c["command"] for c in commands if re.search(pattern, c["command"])
                and re.search(r"/(common|services|cli|sdk)/[^ ]*\.c$", c["file"])]

    def test_flags_of_every_file(self):
        ours = self.flags(r"CMakeFiles/(kw|keyward)")
        self.assertGreater(len(ours), 200)
        for command in ours:
            self.assertIn(" -fstack-protector-strong ", command)
            self.assertIn(" -fPIE ", command)

    def test_flags_of_a_release(self):
        ours = self.flags("CMakeFiles/harden_probe")
        self.assertGreater(len(ours), 10)
        expected = ["-D_FORTIFY_SOURCE=3", "-fstack-clash-protection", "-fstack-protector-strong"]
        expected += ["-fcf-protection=full"] if os.uname().machine == "x86_64" else []
        for command in ours:
            self.assertNotIn("-fsanitize", command)
            for flag in expected:
                self.assertIn(" %s " % flag, command)


SHIPPED = {"keyward", "keyward-gateway", "keyward-authz", "keyward-orchestrator",
           "keyward-cryptocore", "keyward-hsm-worker", "keyward-replicator"}
COMMON = {"region": "r", "cell": "a", "trust_domain": "t.test", "credentials_dir": "/nonexistent"}
SERVICES = {
    "gateway": {**COMMON, "client_ca_file": "/nonexistent", "targets": "[ 127.0.0.1:1 ]"},
    "authz": {**COMMON, "mesh": "1" * 32, "database": "/nonexistent/db", "pki_dir": "/nonexistent",
              "officers_dir": "/nonexistent", "targets": "[ 127.0.0.1:1 ]"},
    "orchestrator": {**COMMON, "database": "/nonexistent/db", "page_key_file": "/nonexistent",
                     "pki_dir": "/nonexistent",
                     "mesh": "1" * 32, "targets": "[ 127.0.0.1:1 ]"},
    "cryptocore": {**COMMON, "pki_dir": "/nonexistent", "hsm_token": "t", "hsm_pin_file": "/n",
                   "hsm_lock_file": "/n", "hsm_worker": "/n"},
    "replicator": {**COMMON, "mesh": "6d" * 16, "authz": "127.0.0.1:1", "orchestrator": "127.0.0.1:1",
                   "cells": "[ r/a=127.0.0.1:1 ]"},
}

if __name__ == "__main__":
    if "--full" in sys.argv:
        sys.argv.remove("--full")
        NONCES = 10_000_000
    else:
        NONCES = 1_000_000
    BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    PROBE = BIN / "harden_probe"
    unittest.main()
