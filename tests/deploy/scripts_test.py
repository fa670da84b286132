#!/usr/bin/python3
"""The scripts that the chart puts into pods, run as they are: what settle.sh makes of the files Kubernetes mounts, and what ready.sh
says of services that are ready, are not, or are not there.
"""
import http.server
import os
import pathlib
import subprocess
import tarfile
import tempfile
import threading
import unittest

from chart import CHART

# As somebody who may not write what is read-only.
AS_USER = ["setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups"] if os.geteuid() == 0 else []
SETTLE, READY = CHART / "files/settle.sh", CHART / "files/ready.sh"


class Settle(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.root = pathlib.Path(self.place.name)
        self.credentials = self.root / "var/lib/keyward/credentials"
        for folder in ("seed/credentials", "seed/private", "run/keyward", "var/lib/keyward"):
            (self.root / folder).mkdir(parents=True)
        self.seed(key="key 1", cert="cert 1", ca="ca 1")

    def seed(self, **texts):
        for name, text in texts.items():
            path = self.root / "seed/credentials" / (name + ".pem")
            path.write_text(text)
            path.chmod(0o440)

    def settle(self):
        if AS_USER:
            subprocess.run(["chown", "-hR", "65532:65532", str(self.root)], check=True)
        subprocess.run([*AS_USER, "/bin/bash", "-c", SETTLE.read_text(), "settle.sh", "authz"], env=dict(os.environ, ROOT=str(self.root)), check=True)

    def renew(self, generation, key, cert):
        """As the service does: another directory, then the link."""
        (self.credentials / generation).mkdir()
        for name, text in (("key", key), ("cert", cert), ("ca", (self.credentials / "authz/ca.pem").read_text())):
            (self.credentials / generation / (name + ".pem")).write_text(text)
        (self.credentials / "authz.new").symlink_to(generation)
        (self.credentials / "authz.new").rename(self.credentials / "authz")

    def texts(self):
        return tuple((self.credentials / "authz" / (name + ".pem")).read_text() for name in ("key", "cert", "ca"))

    def test_a_first_certificate(self):
        self.settle()
        self.assertEqual(self.texts(), ("key 1", "cert 1", "ca 1"))
        self.assertTrue((self.credentials / "authz").is_symlink())
        self.assertEqual((self.credentials / "authz/key.pem").stat().st_mode & 0o777, 0o600)

    def test_what_was_renewed_stays(self):
        self.settle()
        self.renew("authz.a", "key 2", "cert 2")
        self.settle()
        self.assertEqual(self.texts(), ("key 2", "cert 2", "ca 1"))
        self.assertEqual(os.readlink(self.credentials / "authz"), "authz.a")

    def test_another_first_certificate_replaces_it(self):
        self.settle()
        self.renew("authz.a", "key 2", "cert 2")
        self.seed(key="key 3", cert="cert 3", ca="ca 3")
        self.settle()
        self.assertEqual(self.texts(), ("key 3", "cert 3", "ca 3"))
        self.settle()
        self.assertEqual(self.texts(), ("key 3", "cert 3", "ca 3"))

    def test_other_cas_are_taken_over_and_the_key_stays(self):
        self.settle()
        self.renew("authz.b", "key 2", "cert 2")
        self.seed(ca="ca 1 and 2")
        self.settle()
        self.assertEqual(self.texts(), ("key 2", "cert 2", "ca 1 and 2"))

    def test_a_generation_of_its_own_each_time(self):
        self.settle()
        first = os.readlink(self.credentials / "authz")
        self.seed(ca="ca 2")
        self.settle()
        second = os.readlink(self.credentials / "authz")
        self.assertNotEqual(first, second)
        self.assertFalse({first[-1], second[-1]} & {"a", "b"})

    def test_half_a_seed_leaves_what_is_there(self):
        self.settle()
        self.seed(cert="cert 2")
        (self.root / "seed/credentials/key.pem").unlink()
        with self.assertRaises(subprocess.CalledProcessError):
            self.settle()
        self.assertEqual(self.texts(), ("key 1", "cert 1", "ca 1"))

    def test_private_files_are_ours_alone(self):
        secret = self.root / "seed/private/pin"
        secret.write_text("1234")
        secret.chmod(0o444)
        self.settle()
        copied = self.root / "run/keyward/private/pin"
        self.assertEqual((copied.read_text(), copied.stat().st_mode & 0o777), ("1234", 0o600))

    def test_the_token_is_unpacked_anew(self):
        (self.root / "seed/token").mkdir()
        with tarfile.open(self.root / "seed/token/token.tar", "w") as tar:
            tar.add(SETTLE, arcname="./slot/object")
        stale = self.root / "run/keyward/tokens/old"
        stale.mkdir(parents=True)
        self.settle()
        self.assertEqual((self.root / "run/keyward/tokens/slot/object").read_text(), SETTLE.read_text())
        self.assertFalse(stale.exists())

    def test_keys_that_a_driver_opened_are_closed(self):
        self.settle()
        lane = self.root / "var/lib/keyward/lane.pem"
        lane.write_text("lane")
        lane.chmod(0o660)
        (self.credentials / "authz/key.pem").chmod(0o660)
        self.settle()
        self.assertEqual({path.stat().st_mode & 0o077 for path in (lane, self.credentials / "authz/key.pem")}, {0})


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        body = b'{"authz":false}' if self.status == 503 else b"{}"
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody wants to know."""


class Ready(unittest.TestCase):
    def serve(self, status):
        server = http.server.HTTPServer(("127.0.0.1", 0), type("Answer", (Answers,), {"status": status}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "127.0.0.1:%d" % server.server_port

    def ask(self, *targets):
        return subprocess.run(["/bin/bash", str(READY), *targets], capture_output=True, text=True, check=False, timeout=30)

    def test_all_are_ready(self):
        targets = [self.serve(200), self.serve(200)]
        done = self.ask(*targets)
        self.assertEqual((done.returncode, done.stdout.split()), (0, ["ready", targets[0], "ready", targets[1]]))

    def test_one_is_not_and_says_why(self):
        good, bad = self.serve(200), self.serve(503)
        done = self.ask(bad, good)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT READY  %s: HTTP/1.0 503" % bad, done.stdout)
        self.assertIn('{"authz":false}', done.stdout)
        self.assertIn("ready      %s" % good, done.stdout)

    def test_nobody_there(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
        port = server.server_port
        server.server_close()
        done = self.ask("127.0.0.1:%d" % port)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no answer", done.stdout)


if __name__ == "__main__":
    unittest.main()
