#!/usr/bin/python3
"""No key where none may be: `canary_test.py BUILD/bin/keyward`.

A mesh works: a batch is made and delivered, a partner gets keys and sessions, calls are refused,
evidence is exported. Station and partner know the keys then; those, the PINs and every private key
that lies in a file are searched for in all that the mesh wrote, says and has in memory.
"""
import base64
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))

import stubs  # isort: first, makes the others importable

from cryptography.hazmat.primitives import serialization
from keyward.v1 import common_pb2

import actors
from keyward_partner import errors
from keyward_partner.client import Client
from keyward_partner.join import join
from keyward_partner.names import resource_name
from keyward_partner.pen import Handshake
from keyward_partner.primitives import derive_partner_key
from mesh import Mesh
from processes import OURS, PROGRAMS, descendants

EPOCH = 1
PENS = 4
AT_ONCE = 8
WINDOW = 16  # of a key: half of it is a find, too
TIMEOUT_S = 60
WORKER = PROGRAMS["worker"]


# --- what to look for ---

@dataclasses.dataclass(frozen=True)
class Secret:
    name: str
    value: bytes = dataclasses.field(repr=False)
    owners: tuple = ()  # processes that work with it
    files: tuple = ()   # where it is kept, below the mesh's directory


def base64_windows(value):
    """The characters that `value` always gives, at each of the three places it may begin."""
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + value)
        yield text[(0, 2, 3)[shift]:][:24]


def disguises(value):
    """(how, bytes) of all that would give the value away."""
    for way, text in (("raw", value), ("reversed", value[::-1])):
        yield way, text[:WINDOW]
        yield way, text[-WINDOW:]
    yield "hex", value.hex().encode()[:64]
    yield "HEX", value.hex().upper().encode()[:64]
    for text in base64_windows(value):
        yield "base64", text
        yield "base64url", text.translate(bytes.maketrans(b"+/", b"-_"))


@dataclasses.dataclass(frozen=True)
class Find:
    secret: Secret
    way: str
    place: str  # a file, or a process id
    detail: str


class Scanner:
    """Searches files and processes for secrets, by canary_scan."""

    def __init__(self, directory, secrets):
        self.rows = list(dict.fromkeys((secret, way, text) for secret in secrets
                                       for way, text in disguises(secret.value)))
        self.patterns = directory / "patterns"
        self.patterns.write_text("".join(text.hex() + "\n" for _, _, text in self.rows))

    def scan(self, files=(), pids=()):
        words = [word for path in files for word in ("file", str(path))]
        words += [word for pid in pids for word in ("memory", str(pid))]
        printed = subprocess.run([SCAN, self.patterns, *words], capture_output=True, text=True,
                                 check=True, timeout=TIMEOUT_S).stdout.splitlines()
        self.searched = int(re.fullmatch(r"searched (\d+) bytes, left out \d+", printed[-1])[1])
        finds = set()
        for line in printed[:-1]:
            place, offset, row, mapping = line.split(" ", 3)
            secret, way, _ = self.rows[int(row)]
            finds.add(Find(secret, way, place, "%s at %x" % (mapping, int(offset))))
        return finds


def private_number(path):
    """The secret part of a PEM key file."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    number = key.private_numbers().private_value
    return number.to_bytes((key.key_size + 7) // 8, "big")


# --- where to look ---

def redis_dump(path):
    """All keys and values, as Redis serialises them."""
    def ask(*words):
        link.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w)
                                                       for w in words))
        return answer()

    def answer():
        kind, rest = (line := stream.readline())[:1], line[1:-2]
        if kind == b"$":
            return stream.read(int(rest) + 2)[:-2] if int(rest) >= 0 else b""
        return [answer() for _ in range(int(rest))] if kind == b"*" else rest

    with socket.socket(socket.AF_UNIX) as link, link.makefile("rb") as stream:
        link.connect(str(path))
        keys = ask(b"KEYS", b"*")
        return len(keys), b"\n".join(part for key in keys for part in (key, ask(b"DUMP", key)))


class Story:
    """A mesh that has worked, and all its secrets that can be known outside."""

    def __init__(self, case):
        self.mesh = case.enterClassContext(Mesh(BINARY))
        self.out = pathlib.Path(case.enterClassContext(tempfile.TemporaryDirectory()))
        self.secrets, self.refusals = [], []
        self.record_refusals(case)
        self.officer = actors.Officer(self.mesh)
        case.addClassCleanup(self.officer.close)
        self.provision(case)
        self.use(case)
        self.be_refused()
        self.know_files()
        self.export()

    def know(self, name, value, owners=(), files=()):
        self.secrets.append(Secret(name, bytes(value), owners, files))

    def record_refusals(self, case):
        """Every status a client is shown, as it comes from the wire."""
        make = errors.from_rpc_error

        def recorded(error):
            self.refusals.append(repr((error.code(), error.details(), error.trailing_metadata())))
            return make(error)

        errors.from_rpc_error = recorded
        case.addClassCleanup(setattr, errors, "from_rpc_error", make)

    def provision(self, case):
        self.station = actors.Station(self.mesh, self.officer, self.out)
        case.addClassCleanup(self.station.close)
        messages = self.station.create_batch(PENS)
        self.batch = messages[0].batch.name
        self.items = [item for message in messages[1:-1] for item in message.chunk.items]
        self.pens = [self.station.make_pen(item) for item in self.items]
        for i, (item, pen) in enumerate(zip(self.items, self.pens)):
            self.station.confirm(item, pen, "SN-%d" % i)
            self.know("device key %d" % i, pen.device_key)
        self.station.provisioning_call("ReleaseBatch", name=self.batch)
        self.know("station's transport key", self.station.member.transport_key)

    def use(self, case):
        partner = self.officer.create_partner("canary")
        self.member = join(self.mesh.target, self.officer.invite(partner, self.out / "invitation"),
                           self.out / "partner")
        self.know("partner's transport key", self.member.transport_key)
        self.client = case.enterClassContext(Client(self.mesh.target, self.member))
        self.officer.grant(partner, batch=self.batch, operations=[
            common_pb2.KEY_OPERATION_RELEASE_KEY, common_pb2.KEY_OPERATION_DERIVE_SESSION])
        for i, item in enumerate(self.items):
            key = self.client.get_device_access(item.device, EPOCH, actors.PURPOSE).key
            self.connect(item, self.pens[i])
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:  # for all workers
            for item in AT_ONCE * self.items:
                pool.submit(self.client.get_device_access, item.device, EPOCH, actors.PURPOSE)
        for i, pen in enumerate(self.pens):
            self.know("partner key %d" % i, derive_partner_key(pen.device_key, self.member.id,
                                                               EPOCH))
        assert key == self.secrets[-1].value
        self.client.batch_get_device_access([item.device for item in self.items], EPOCH,
                                            actors.PURPOSE)

    def connect(self, item, pen):
        handshake = Handshake(self.member.id, EPOCH)
        keys = self.client.derive_session(item.device, EPOCH, actors.PURPOSE, handshake,
                                          pen.answer(handshake.m1)).key
        self.know("session keys", keys.auth)
        self.know("session keys", keys.enc)

    def be_refused(self):
        """For every reason that a caller can cause, with hostile text where text is taken."""
        for device in (resource_name("devices", "dev", bytes(16)), "devices/x", "", "\n\x1b[31m%n%s"):
            for purpose in (actors.PURPOSE, "x" * 5000, "p\r\nlevel=error"):
                with contextlib.suppress(errors.KeywardError):
                    self.client.get_device_access(device, EPOCH, purpose)
        with contextlib.suppress(errors.KeywardError):
            self.station.provisioning_call("ConfirmDevice", device=self.items[0].device,
                                           challenge=bytes(16), tag=bytes(16), serial_number="SN")
        with contextlib.suppress(errors.KeywardError):
            self.officer.partner_call("SuspendPartner", name="partners/nobody", justification="x")
        with contextlib.suppress(errors.KeywardError):
            self.officer.grant(self.member.name, batch="batches/" + "y" * 2000)

    def know_files(self):
        """PINs, keys of the services' own, keys of TLS."""
        root = self.mesh.directory
        for name, owners in (("r1/secret/pin", ()), ("r1/secret/so-pin", ()),
                             ("r1/a/secret/cache.key", ("keyward-gateway",)),
                             ("secret/page-token.key", ("keyward-orchestrator",))):
            text = (root / name).read_bytes().strip()
            self.know(name, text, owners, (name,))
            self.know(name, bytes.fromhex(text.decode()), owners, (name,))
        for service in OURS:
            self.know("TLS key of " + service, private_number(
                self.mesh.region / "credentials" / "a" / service / "key.pem"), ("keyward-" + service,),
                ("r1/credentials/a/%s.a/key.pem" % service,))
        for owner in ("authz", "orchestrator"):
            self.know("lane key of " + owner, private_number(self.mesh.cell / "secret" / (owner + "-lane.pem")),
                      ("keyward-" + owner,), ("r1/a/secret/%s-lane.pem" % owner,))
        self.know("officer's key", private_number(root / "officer" / "key.pem"),
                  ("keyward",), ("officer/key.pem",))  # `up` plays the officer of a ceremony
        for member in (self.member, self.station.member):
            for name in ("tls-key.pem", "transport-key.pem"):
                self.know("member's " + name, private_number(member.directory / name))

    def export(self):
        """What is taken out of a mesh: evidence, lists, backups, pages, Redis."""
        self.exports = self.out / "exports"
        self.exports.mkdir()
        for i, words in enumerate((["status", "-o", "json"], ["device", "list", "-o", "json"],
                                   ["receipt", "list", "-o", "json"], ["partner", "list"],
                                   ["receipt", "export", "evidence.jsonl"],
                                   ["verify", "evidence.jsonl"], ["explain", "KEY_STATE"],
                                   ["key", "get", "keys/none"])):
            ended = subprocess.run([BINARY, *words], capture_output=True, cwd=self.exports,
                                   timeout=TIMEOUT_S, env={
                                       **os.environ,
                                       "KEYWARD_CONFIG": str(self.mesh.directory / "cli.yaml")})
            (self.exports / ("command-%d" % i)).write_bytes(ended.stdout + ended.stderr)
        for database in (self.mesh.cell / "data").glob("*.db"):
            with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(
                    sqlite3.connect(self.exports / (database.name + ".backup"))) as target:
                source.backup(target)
        (self.exports / "refusals").write_text("\n".join(self.refusals))
        self.redis_keys, dump = redis_dump(self.mesh.cell / "run" / "redis.sock")
        (self.exports / "redis").write_bytes(dump)
        self.processes = {self.mesh.pid: "keyward", **dict(descendants(self.mesh.pid))}
        self.pages()

    def pages(self):
        """/metrics, /readyz, and what /proc shows of each process."""
        for pid, name in self.processes.items():
            for page in ("cmdline", "environ"):
                data = pathlib.Path("/proc/%d/%s" % (pid, page)).read_bytes()
                (self.exports / ("%s-%d" % (page, pid))).write_bytes(data)
        for service in OURS:
            for page in ("/metrics", "/readyz", "/livez"):
                with urllib.request.urlopen(self.mesh.metrics_url(service) + page, timeout=5) as answer:
                    (self.exports / (service + page.replace("/", "-"))).write_bytes(answer.read())

    def files(self):
        """All that the mesh wrote and gave away."""
        return [path for top in (self.mesh.directory, self.exports) for path in top.rglob("*")
                if path.is_file() and not path.is_symlink()]


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.story = Story(cls)
        cls.directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.scanner = Scanner(cls.directory, cls.story.secrets)

    def pids(self, *names):
        return [pid for pid, name in self.story.processes.items() if name in names]

    def assertNone(self, finds):
        self.assertFalse(sorted("%s, %s, in %s (%s)" % (
            f.secret.name, f.way, self.story.processes.get(int(f.place), f.place)
            if f.place.isdigit() else f.place, f.detail) for f in finds))

    # the search

    def test_the_story_is_a_whole_one(self):
        self.assertGreater(self.story.redis_keys, 0)
        self.assertGreater(len(self.story.refusals), 10)
        names = {name for name in self.story.processes.values()}
        self.assertLessEqual({"keyward-" + s for s in OURS} | {WORKER, "redis-server"}, names)
        for name in ("logs/cryptocore.log", "data/authz.db", "data/orchestrator.db",
                     "data/orchestrator.db-wal"):
            self.assertIn(self.story.mesh.cell / name, self.story.files())

    def test_none_in_files_exports_pages_and_answers(self):
        finds = self.scanner.scan(files=self.story.files())
        root = self.story.mesh.directory
        self.assertNone({f for f in finds if f.place not in
                         {str(root / kept) for kept in f.secret.files}})
        kept = {secret.name for secret in self.story.secrets if secret.files and len(secret.value) > 32}
        self.assertLessEqual(kept, {f.secret.name for f in finds})  # it would find them

    def test_none_in_processes_outside_the_workers(self):
        pids = [pid for pid, name in self.story.processes.items() if name != WORKER]
        finds = self.scanner.scan(pids=pids)
        self.assertGreater(self.scanner.searched, 50_000_000)
        self.assertNone({f for f in finds
                         if self.story.processes[int(f.place)] not in f.secret.owners})
        owned = {s.name for s in self.story.secrets if s.owners and s.owners != ("keyward",)}
        self.assertLessEqual(owned, {f.secret.name for f in finds})  # it sees what is there

    def test_none_in_workers_after_the_last_use(self):
        finds = self.scanner.scan(pids=self.pids(WORKER))
        self.assertGreater(self.scanner.searched, 5_000_000)
        self.assertNone(finds)

    # the search finds what is there

    def planted(self, content):
        path = self.directory / "planted"
        path.write_bytes(b"x" * 4093 + content + b"y" * 100)
        return {(f.secret.name, f.way) for f in self.scanner.scan(files=[path])}

    def test_a_leak_in_a_file_is_found_in_every_disguise(self):
        secret = self.story.secrets[1]
        value = secret.value
        for way, text in (("raw", value), ("raw", value[:16]), ("raw", value[16:]),
                          ("reversed", value[::-1]), ("hex", value.hex().encode()),
                          ("HEX", value.hex().upper().encode()),
                          ("base64", base64.b64encode(value)),
                          ("base64", base64.b64encode(b"1" + value + b"tail")),
                          ("base64", base64.b64encode(b"12" + value + b"tail"))):
            self.assertIn((secret.name, way), self.planted(text), text)
        self.assertEqual(self.planted(value[:15] + b"!" + value[17:31]), set())

    def test_a_leak_across_blocks_is_found(self):
        value = self.story.secrets[0].value
        path = self.directory / "large"
        for before in range(2 ** 20 + 128 - 40, 2 ** 20 + 128 + 8):
            path.write_bytes(bytes(before) + value + bytes(64))
            self.assertTrue(self.scanner.scan(files=[path]), before)

    def test_a_leak_in_a_database_is_found(self):
        path = self.directory / "planted.db"
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE t (v BLOB)")
            database.execute("INSERT INTO t VALUES (?)", (self.story.secrets[0].value,))
        self.assertTrue(self.scanner.scan(files=[path]))

    def test_a_leak_in_a_process_is_found(self):
        secret = self.story.secrets[0]
        holder = subprocess.Popen(
            [sys.executable, "-c", "import sys; k = bytes.fromhex(sys.stdin.readline()); "
             "print(len(k), flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.communicate, timeout=TIMEOUT_S)
        holder.stdin.write(secret.value.hex() + "\n")
        holder.stdin.flush()
        self.assertEqual(holder.stdout.readline(), "32\n")
        self.assertIn((secret, "raw"), {(f.secret, f.way) for f in
                                        self.scanner.scan(pids=[holder.pid])})

    # what else each process is

    def status(self, pid):
        return dict(re.findall(r"^(\w+):\s+(.*)$",
                               pathlib.Path("/proc/%d/status" % pid).read_text(), re.M))

    def test_every_process_has_given_up_what_it_can(self):
        ours = {pid: name for pid, name in self.story.processes.items()
                if name in {"keyward-" + s for s in OURS} | {WORKER}}
        for pid, name in ours.items():
            with self.subTest(name):
                shown = self.status(pid)
                for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(shown[kind], 16), 0, kind)
                self.assertEqual((shown["NoNewPrivs"], shown["Umask"]), ("1", "0077"))
                self.assertEqual(shown["Seccomp"], "2" if name in (WORKER, "keyward-gateway")
                                 else "0")
                limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
                self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_every_process_locks_its_secrets(self):
        for pid in self.pids(WORKER, *("keyward-" + s for s in OURS)):
            smaps = pathlib.Path("/proc/%d/smaps" % pid).read_text()
            flags = [set(line.split()) for line in re.findall(r"^VmFlags: (.*)$", smaps, re.M)]
            self.assertTrue([f for f in flags if {"lo", "dd", "wf"} <= f], self.story.processes[pid])
            kib = sum(map(int, re.findall(r"^Locked: +(\d+) kB$", smaps, re.M)))
            self.assertEqual(kib, 64, self.story.processes[pid])

    def test_files_are_private_unless_they_are_public(self):
        public = re.compile(r"(^|/)(cert|ca|root|ca-\w+|client-ca|services-ca|opr_\w+|services\.list)\.pem$"
                            r"|\.(yaml|conf|pub|der|kw[abgq]|ready)$|/services\.list(\.sig)?$")
        top = self.story.mesh.directory
        self.assertEqual(stat.S_IMODE(top.stat().st_mode), 0o700)
        for path in top.rglob("*"):
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            if public.search(str(path)):
                self.assertFalse(mode & 0o022, path)
                self.assertNotIn(b"PRIVATE", path.read_bytes())
            else:
                self.assertFalse(mode & 0o077, "%s is %o" % (path, mode))

    # what strangers are told

    def test_refusals_tell_nothing_of_the_inside(self):
        told = "\n".join(self.story.refusals)
        for inside in (r"sqlite|SELECT |INSERT |UNIQUE|constraint", r"\.c\b|/work|/tmp|/usr|/home",
                       r"CKR_|C_\w+|PKCS|softhsm|slot", r"OpenSSL|nghttp2|libuv|grpc_|errno",
                       r"0x[0-9a-f]{6}", r"\b(cryptocore|orchestrator|authz)\b"):
            self.assertIsNone(re.search(inside, told, re.I), re.search(inside, told, re.I))

    def test_logs_are_one_json_object_a_line(self):
        for log in (self.story.mesh.cell / "logs").glob("*.log"):
            if log.name == "redis.log":
                continue
            for line in log.read_bytes().split(b"\n")[:-1]:
                self.assertLessEqual(len(line), 4096, log)
                self.assertFalse([byte for byte in line if byte < 0x20 or byte > 0x7e], log)
                json.loads(line)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    SCAN = pathlib.Path(BINARY).parent / "canary_scan"
    if os.geteuid() != 0:
        print("skipped: memory of other processes is read by root alone")
        sys.exit(77)
    unittest.main()
