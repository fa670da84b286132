#!/usr/bin/python3
"""What `keyward mesh make` gives to each container, and that a run which is killed leaves nothing that a later one takes for whole: `make_test.py
BUILD/bin/keyward`. Nothing is started but the ceremonies.
"""
import hashlib
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

MAKE_S = 240
PARTS = {"gateway", "authz", "orchestrator", "cryptocore", "replicator", "redis", "sql"}
MARK = "keyward-mesh"


def make(directory, *words):
    return subprocess.run([BINARY, "mesh", "make", "--dir=%s" % directory, *words], text=True, capture_output=True, timeout=MAKE_S, check=False)


def files(directory):
    return [path for path in directory.rglob("*") if path.is_file()]


def settings(directory):
    text = (directory / "settings.yaml").read_text()
    return dict(line.split(": ", 1) for line in text.splitlines())


def state(directory):
    """Every file with its content and mode."""
    return {path.relative_to(directory): (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mode) for path in files(directory)}


def secrets(directory):
    """What lies in private files, by the words that are worth something: keys, PINs, passwords."""
    found = {}
    for path in files(directory):
        if stat.S_IMODE(path.stat().st_mode) != 0o600 or "tokens" in path.parts:
            continue
        text = path.read_text()
        words = [text] if "PRIVATE KEY" in text else re.findall(r"\b[0-9a-f]{64}\b", text)
        found.update({word: path.relative_to(directory) for word in words})
    return found


class Made(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="keyward-make-")))
        cls.mesh = cls.temporary / "mesh"
        done = make(cls.mesh)
        assert done.returncode == 0, done.stderr
        cls.services = {"%s/a/%s" % (region, part): cls.mesh / region / "a" / part for region in ("r1", "r2") for part in PARTS}

    def copy(self):
        """Of its own, to be spoilt."""
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(dir=self.temporary))) / "mesh"
        shutil.copytree(self.mesh, directory, symlinks=True)
        return directory

    def test_there_is_a_directory_for_each_container_and_nothing_else(self):
        self.assertEqual({path.name for path in self.mesh.iterdir()}, {"r1", "r2", "officer", "recovery"})
        for region in ("r1", "r2"):
            self.assertEqual({path.name for path in (self.mesh / region).iterdir()}, {"a"})
            self.assertEqual({path.name for path in (self.mesh / region / "a").iterdir()}, PARTS)

    def test_nobody_else_can_open_what_is_private(self):
        for path in self.mesh.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o700, path)
        private = {path.name for path in files(self.mesh) if stat.S_IMODE(path.stat().st_mode) == 0o600}
        self.assertLessEqual({"key.pem", "pin", "passfile", "redis.password", "cache.key", "page-token.key", "postgres.password", "init.sql"}, private)
        for path in files(self.mesh):
            if "PRIVATE KEY" in path.read_text(errors="replace"):
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_no_secret_is_in_two_places_but_where_two_must_have_it(self):
        """A page token's key is all orchestrators', a token's PIN all cores' of a region."""
        places = {}
        for name, directory in {**self.services, "officer": self.mesh / "officer", "recovery": self.mesh / "recovery"}.items():
            for word, path in secrets(directory).items():
                places.setdefault(word, []).append((name, str(path)))
        self.assertEqual(len(places), 2 * 12 + 1 + 2)  # of each cell; of all; the officer's and the one for recovery
        shared = sorted(tuple(where) for where in places.values() if len(where) > 1)
        self.assertEqual(shared, [(("r1/a/orchestrator", "secret/page-token.key"), ("r2/a/orchestrator", "secret/page-token.key"))])

    def test_no_secret_of_one_is_anywhere_in_another(self):
        for name, directory in self.services.items():
            for word, path in secrets(directory).items():
                for other, place in self.services.items():
                    if other != name and path.name != "page-token.key":
                        self.assertFalse([file for file in files(place) if word.encode() in file.read_bytes()], (name, path, other))

    def test_what_opens_the_kek_is_for_recovery_alone(self):
        self.assertEqual({path.name for path in files(self.mesh / "recovery")} - {MARK}, {"key.pem", "public.der", "ceremony.kwb"})
        for name in ("key.pem", "ceremony.kwb"):
            text = (self.mesh / "recovery" / name).read_bytes()
            self.assertEqual([str(path.relative_to(self.mesh)) for path in files(self.mesh) if text in path.read_bytes()], ["recovery/" + name])

    def test_a_token_is_the_cores_alone(self):
        for name, directory in self.services.items():
            self.assertEqual((directory / "tokens").is_dir(), name.endswith("/cryptocore"), name)
            self.assertEqual((directory / "secret" / "pin").is_file(), name.endswith("/cryptocore"), name)
        self.assertEqual((self.services["r1/a/cryptocore"] / "softhsm2.conf").read_text().splitlines()[0], "directories.tokendir = /var/lib/keyward/tokens")

    def test_all_that_settings_name_is_there(self):
        """But for what services make themselves."""
        later = re.compile(r"-lane\.pem$|hsm-login\.lock$")
        for name, directory in self.services.items():
            if not (directory / "settings.yaml").is_file():
                continue
            text = (directory / "settings.yaml").read_text()
            for path in re.findall(r"/var/lib/keyward/([^\s&?]+)", text):
                self.assertTrue((directory / path).exists() or later.search(path), (name, path))
            self.assertNotIn(str(self.temporary), text, name)

    def test_neighbours_have_names(self):
        gateway, authz = settings(self.services["r2/a/gateway"]), settings(self.services["r2/a/authz"])
        self.assertEqual((gateway["listen"], gateway["targets"], gateway["redis"]), ("0.0.0.0:8443", "[ r2-a-authz:8444 ]", "r2-a-redis:6379"))
        self.assertEqual((authz["feed_listen"], authz["store_url"].split("?")[0]), ("0.0.0.0:8445", "postgresql://authz@r2-a-sql/authz"))
        self.assertIn("sslmode=verify-full", authz["store_url"])
        replicator = settings(self.services["r1/a/replicator"])
        self.assertEqual(replicator["cells"], "[ r1/a=r1-a-replicator:8446, r2/a=r2-a-replicator:8446 ]")
        self.assertEqual((replicator["authz"], replicator["listen"]), ("r1-a-authz:8445", "0.0.0.0:8446"))

    def test_metrics_are_for_the_health_check_inside(self):
        """They are without TLS, and a network of Compose has no ports; nothing else is on loopback."""
        for part in PARTS - {"redis", "sql"}:
            told = settings(self.services["r1/a/" + part])
            self.assertEqual({name: value for name, value in told.items() if "127.0.0.1" in value}, {"metrics_listen": "127.0.0.1:9464"}, part)

    def test_certificates_are_for_the_names_that_are_called(self):
        def names(path):
            return subprocess.run(["openssl", "x509", "-in", str(path), "-noout", "-ext", "subjectAltName"], check=True, text=True, capture_output=True).stdout
        gateway = names(self.services["r2/a/gateway"] / "credentials/a/gateway/cert.pem")
        self.assertIn("DNS:r2-a-gateway", gateway)
        self.assertIn("DNS:localhost", gateway)
        sql = self.services["r1/a/sql"]
        self.assertIn("DNS:r1-a-sql", names(sql / "cert.pem"))
        subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", "r1-a-sql", "-CAfile", str(self.services["r1/a/authz"] / "sql-ca.pem"),
                        str(sql / "cert.pem")], check=True, capture_output=True)

    def test_redis_knows_the_gateways_password_by_its_digest(self):
        password = (self.services["r1/a/gateway"] / "secret/redis.password").read_bytes()
        self.assertIn(" #%s " % hashlib.sha256(password).hexdigest(), (self.services["r1/a/redis"] / "redis.conf").read_text())

    def test_the_command_has_its_own(self):
        officer = self.mesh / "officer"
        self.assertEqual((officer / "cli.yaml").read_text(), (officer / "cli-r1-a.yaml").read_text())
        other = (officer / "cli-r2-a.yaml").read_text()
        self.assertIn("target: r2-a-gateway:8443\n", other)
        for path in re.findall(r"/var/lib/keyward/(\S+)", other):
            self.assertTrue((officer / path).is_file(), path)
        self.assertTrue((officer / "r2/pki/checkpoint.pub").is_file())

    # again

    def test_a_second_run_changes_nothing(self):
        before = state(self.mesh)
        done = make(self.mesh)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("is there", done.stdout)
        self.assertEqual(state(self.mesh), before)

    def test_one_that_was_not_finished_is_made_anew(self):
        directory = self.copy()
        for mark in directory.rglob(MARK):
            mark.rename(mark.with_name(MARK + ".part"))
        (directory / "r1/a/authz/officers/old.pem").write_text("left")
        before = (directory / "officer/key.pem").read_text()
        self.assertEqual(make(directory).returncode, 0)
        self.assertNotEqual((directory / "officer/key.pem").read_text(), before)
        self.assertFalse((directory / "r1/a/authz/officers/old.pem").exists())
        self.assertEqual(len({path.read_text() for path in directory.rglob(MARK)}), 1)

    def test_mistakes_are_told(self):
        for words, said in ((["--cells=4"], "1 to 3"), (["--state-dir=here"], "--state-dir"), (["--cells=2"], "another size")):
            done = make(self.mesh, *words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(said, done.stderr)


class Killed(unittest.TestCase):
    def kill_when(self, directory, name):
        """A run that ends by SIGKILL as soon as this file is there."""
        run = subprocess.Popen([BINARY, "mesh", "make", "--dir=%s" % directory, "--regions=1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + MAKE_S
        while not (directory / name).exists() and run.poll() is None and time.monotonic() < end:
            os.sched_yield()
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(MAKE_S)
        self.assertTrue((directory / name).exists(), name)
        return run.returncode

    def test_wherever_it_is_killed_the_next_one_makes_it_whole(self):
        with tempfile.TemporaryDirectory(prefix="keyward-make-") as temporary:
            directory = pathlib.Path(temporary) / "mesh"
            for name in ("r1/a/redis/%s.part" % MARK, "recovery/making/r1/secret/pin", "r1/a/authz/settings.yaml"):
                self.assertEqual(self.kill_when(directory, name), -signal.SIGKILL, name)
                self.assertFalse((directory / "officer" / MARK).exists(), name)
            done = make(directory, "--regions=1")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len({path.read_text() for path in directory.rglob(MARK)}), 1)
            self.assertEqual([], [*directory.rglob(MARK + ".part"), *directory.rglob("making")])
            self.assertIn("is there", make(directory, "--regions=1").stdout)


class Failed(unittest.TestCase):
    def setUp(self):
        self.temporary = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="keyward-make-")))

    def programs(self):
        """The command, with a crypto core beside it that fails at its second ceremony."""
        real, here = pathlib.Path(BINARY).parent, self.temporary / "bin"
        here.mkdir()
        shutil.copy(BINARY, here / "keyward")
        (here / "keyward-hsm-worker").symlink_to(real / "keyward-hsm-worker")
        core = here / "keyward-cryptocore"
        core.write_text('#!/bin/sh\nif [ -e "$0.held" ]; then find "%s" -name pin -size +0 >&2; echo "the second is not held" >&2; exit 1; fi\n'
                        ': >"$0.held"; exec "%s/keyward-cryptocore" "$@"\n' % (self.temporary / "mesh", real))
        core.chmod(0o755)
        return here / "keyward"

    def test_a_ceremony_that_fails_is_told_and_leaves_no_secret(self):
        mesh = self.temporary / "mesh"
        done = subprocess.run([self.programs(), "mesh", "make", "--dir=%s" % mesh], text=True, capture_output=True, timeout=MAKE_S, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the second is not held", done.stderr)
        self.assertIn("recovery/making/r1/secret/pin", done.stderr, "the first was held")
        self.assertEqual({path.name for path in files(mesh)}, {MARK + ".part"})
        self.assertEqual([], [*mesh.rglob("making")])


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
