#!/usr/bin/python3
"""A cell in wrong hands is fenced while it writes: `captured_test.py BUILD/bin/keyward` (F49).

Three regions of one cell. The owners of one believe another officer than all others do, so whatever is ordered it goes on: writes,
signs, sends. Clients of the other two go on as well.
"""
import datetime
import json
import pathlib
import shutil
import sys
import threading
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import OWNERS, Cells  # isort: first, makes the others importable
from agreed import Agreement
from clients import Crowd

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import history
from mesh import FIRST, Mesh, eventually
from world import World

AWAY, THIRD = "r2/a", "r3/a"
HONEST = (FIRST, THIRD)
CLIENTS, PAUSE_S = 4, 0.05
CALLS = 8  # of each client
WRITES = 10  # of each of its owners, in each phase
FENCED = 'keyward_feed_verdicts_total{verdict="fenced"}'
WHY = "captured"


def certify(name, key, issuer, issuer_key, extensions):
    """For a day, by a key that the mesh knows nothing of."""
    now, day = datetime.datetime.utcnow(), datetime.timedelta(days=1)
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(issuer_key, hashes.SHA384())


def put_officer(pki_dir):
    """Another first officer, of the same name, and beside the mesh's CA one that says so."""
    cas, file = pki_dir / "ca-operators.pem", pki_dir / "services.list.pem"
    ca, officer = (x509.load_pem_x509_certificate(one.read_bytes()) for one in (cas, file))
    ca_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    kept = [[one for one in like.extensions if not isinstance(one.value, (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier))]
            for like in (ca, officer)]
    forged_ca = certify(ca.subject, ca_key, ca.subject, ca_key, kept[0])
    forged = certify(officer.subject, key, ca.subject, ca_key, kept[1])
    for one, text in ((cas, cas.read_bytes() + forged_ca.public_bytes(serialization.Encoding.PEM)),
                      (file, forged.public_bytes(serialization.Encoding.PEM))):
        one.unlink()
        one.write_bytes(text)


class Writer(threading.Thread):
    """One kind of change at the captured cell, again and again, which is never refused."""

    def __init__(self, change):
        super().__init__(daemon=True)
        self._change, self._over, self.made, self.failure = change, threading.Event(), [], None

    def run(self):
        try:
            while not self._over.is_set():
                self.made.append(self._change())
        except BaseException as error:  # it must not pass as one who writes on
            self.failure = error
            raise

    def await_more(self):
        wanted = len(self.made) + WRITES
        eventually("it writes on", lambda: len(self.made) >= wanted or self.failure)
        if self.failure:
            raise AssertionError("it was refused: %r" % self.failure)

    def end(self):
        self._over.set()
        self.join()


class Captured(unittest.TestCase):
    def setUp(self):
        self.mesh = self.enterContext(Mesh(BINARY, words=["--regions=3", "--cells=1", "--start-ms=120000"]))
        self.cells, self.history = Cells(self.mesh, BINARY), self.mesh.temporary / "history.jsonl"
        recorder = self.enterContext(history.Recorder(self.history))
        self.cells.await_whole()
        self.capture()
        self.world = World(self.mesh, recorder, CLIENTS + 2)
        self.addCleanup(self.world.close)
        self.officer = self.cells.officer(AWAY)
        self.addCleanup(self.officer.close)
        self.crowd = Crowd(self.cells, self.world, HONEST, FIRST, self.world.pens[1:-1], PAUSE_S)

    def capture(self):
        """Its owners are told who gives orders by a directory of their own."""
        own = self.mesh.directory / AWAY / "pki"
        shutil.copytree(self.mesh.directory / "r2/pki", own)
        put_officer(own)
        self.cells.turn("stop", AWAY)
        for owner in OWNERS:
            settings = self.mesh.directory / AWAY / "config" / (owner + ".yaml")
            told = settings.read_text().replace("pki_dir: %s" % (self.mesh.directory / "r2/pki"), "pki_dir: %s" % own)
            self.assertIn(str(own), told)
            settings.write_text(told)
        self.cells.turn("start", AWAY)
        self.cells.await_whole()

    def writers(self):
        """Of both of its owners."""
        key = self.world.pens[0].key_name
        suspend = lambda: self.officer.key_call("SuspendKey", name=key, justification=WHY).suspension
        writers = [Writer(lambda: self.officer.create_partner(WHY)), Writer(suspend)]
        for writer in writers:
            writer.start()
            self.addCleanup(writer.end)
        return writers

    # what is seen of it

    def stores(self, cell):
        """Of the captured cell, as this one knows them."""
        ended = self.cells.command(cell, "store", "list", "-o", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return [store for store in json.loads(ended.stdout)["stores"] if [store["region"], store["cell"]] == AWAY.split("/")]

    def held(self, cell):
        """Lane → how far, of all of its lanes."""
        return {lane["lane"]: int(lane["sequence"]) for store in self.stores(cell) for lane in store["lanes"] if lane["sequence"] != "0"}

    def refusals(self, cell, owner):
        return self.cells.metrics(owner, cell).get(FENCED, 0)

    def figures(self):
        """What `replication verify` shows of the honest cells."""
        told = json.loads(self.cells.command(FIRST, "replication", "verify", "--all", "-o", "json").stdout)
        return [{owner: one[owner] for owner in OWNERS} for one in told["cells"] if one["cell"] in HONEST]

    # the steps

    def fence(self, *also):
        """By the first cell and these."""
        files = ",".join(str(self.mesh.directory / ("cli-%s.yaml" % cell.replace("/", "-"))) for cell in also)
        ended = self.cells.command(FIRST, "order", "fence", AWAY, "--officer-key=%s" % (self.mesh.directory / "officer/key.pem"),
                                   "--also=" + files)
        self.assertEqual(ended.returncode, 2 if AWAY in also else 0, ended.stdout + ended.stderr)
        self.assertEqual("SIGNATURE_INVALID" in ended.stderr, AWAY in also, ended.stderr)
        for cell in HONEST:
            self.assertEqual({store["state"] for store in self.stores(cell)}, {"STORE_STATE_FENCED"}, cell)

    def is_refused(self, writers):
        """It writes on, and nobody takes it; what is honoured is the same in both, and stays it."""
        before = {(cell, owner): self.refusals(cell, owner) for cell in HONEST for owner in OWNERS}
        for writer in writers:
            writer.await_more()
        for (cell, owner), count in before.items():
            eventually("refused by %s of %s" % (owner, cell), lambda: self.refusals(cell, owner) > count)
        eventually("both hold the same of it", lambda: self.held(FIRST) == self.held(THIRD))
        held = self.held(FIRST)
        for writer in writers:
            writer.await_more()
        self.assertEqual([self.held(cell) for cell in HONEST], [held] * 2)
        own = self.held(AWAY)
        ahead = [lane for lane in held if own[lane] > held[lane]]
        self.assertEqual(len(ahead), len(OWNERS), "a lane of each owner: %s of %s" % (held, own))

    def test_it_writes_on_and_nobody_takes_it(self):
        writers = self.writers()
        self.crowd.start()
        self.crowd.await_served(CALLS)
        for writer in writers:
            writer.await_more()
        self.fence(THIRD)
        self.is_refused(writers)
        self.crowd.await_served(CALLS)
        self.crowd.end()
        self.assertEqual(self.crowd.failed(), [])
        agreement = Agreement(self.cells, BINARY, self.history)
        agreement.await_all(HONEST)
        eventually("both hold the same rows", lambda: (one := self.figures())[0] == one[1])
        self.assertEqual(agreement.differences(HONEST), [])
        self.assertEqual("\n".join(map(str, agreement.violations(HONEST, FIRST))), "")
        self.assertEqual(self.cells.total('keyward_feed_repaired_total{lanes="equal"}', cells=HONEST), 0)
        for writer in writers:
            self.assertIsNone(writer.failure)

    def test_it_is_asked_and_refuses_and_all_others_fence_it(self):
        """What it says that it holds is honoured then, and no more."""
        writers = self.writers()
        for writer in writers:
            writer.await_more()
        self.fence(AWAY, THIRD)
        self.is_refused(writers)
        eventually("both hold the same rows", lambda: (one := self.figures())[0] == one[1])


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
