#!/usr/bin/python3
"""Disks that forget, and fail: `disk_test.py BUILD/bin/keyward BUILD/tests/fault-proxy` (F8, F14 to F16).

r2/a is the cell whose disk it is, r1/a the one that remembers.
"""
import contextlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

from cells import OWNERS, Cells  # isort: first, makes the others importable
from links import Links

import actors
from calls import outcome_of
from history import UNKNOWN
from keyward_partner.errors import KeywardError
from keyward_partner.names import new_request_id
from mesh import Mesh, eventually
from processes import Processes

VICTIM, PEER = "r2/a", "r1/a"
QUIET = "authz"  # it says nothing before a client does; an orchestrator may, of its core's chain, before it hears anybody
SESSIONS = QUIET + ".db.session-*"
FORK = 'keyward_feed_verdicts_total{verdict="fork"}'
REFUSES_S = 60
LOG_HEAD, LOG_FRAME_HEAD = 32, 24  # of SQLite's format
SYNCS = 4  # the first so many fail, one in each life


def cut_log(path):
    """Half of the frames that a write-ahead log of SQLite's has, and a piece of the next one."""
    log = path.read_bytes()
    frame, salts = LOG_FRAME_HEAD + struct.unpack(">I", log[8:12])[0], log[16:24]
    valid = 0
    while log[LOG_HEAD + valid * frame:][8:16] == salts:  # those behind are of a log before
        valid += 1
    os.truncate(path, LOG_HEAD + valid // 2 * frame + frame // 3)


class Disk(unittest.TestCase):
    """A mesh for each: what happens to these stores is for good."""

    def setUp(self):
        self.mesh = self.enterContext(Mesh(BINARY, words=["--regions=2", "--cells=1", "--start-ms=60000"]))
        self.cells = Cells(self.mesh, BINARY)
        self.officers = {cell: self.cells.officer(cell) for cell in (VICTIM, PEER)}
        for officer in self.officers.values():
            self.addCleanup(officer.close)
        self.cells.await_whole()
        self.data = self.mesh.directory / VICTIM / "data"

    def create(self, cell, request_id=None):
        partner = actors.partner_service_pb2.Partner(display_name="one", contact="keys@example.org")
        return self.officers[cell].partner_call("CreatePartner", partner=partner, request_id=request_id or
                                                new_request_id()).partner.name

    def partners(self, cell):
        request = actors.partner_service_pb2.ListPartnersRequest(page_size=1000)
        return {one.name for one in self.officers[cell].read(
            actors.method(actors.partner_service_pb2, "PartnerService", "ListPartners"), request).partners}

    def await_known(self, partners, cell):
        eventually("all are known in %s" % cell, lambda: partners <= self.partners(cell))

    def forks(self):
        return self.cells.total(FORK)

    def lanes(self):
        return self.cells.total("keyward_feed_lanes", ["authz"], [PEER])

    def backup(self):
        """A copy of its disk, as of now."""
        self.cells.turn("stop", VICTIM)
        shutil.copytree(self.data, self.mesh.temporary / "backup")
        self.cells.turn("start", VICTIM)
        self.cells.await_whole()

    def restore(self):
        """Other files, with what the backup has."""
        shutil.rmtree(self.data)
        shutil.copytree(self.mesh.temporary / "backup", self.data)

    def set_back(self):
        """The same file, as it once was, and nothing beside it."""
        for log in (self.data / (QUIET + ".db-wal"), self.data / (QUIET + ".db-shm")):
            log.unlink(missing_ok=True)
        with open(self.data / (QUIET + ".db"), "r+b") as file:
            file.write((self.mesh.temporary / "backup" / (QUIET + ".db")).read_bytes())
            file.truncate()

    def set_back_whole(self):
        """And all that is beside it, as a snapshot of the disk has it: nobody can tell that it is not what it was last."""
        self.set_back()
        for session in self.data.glob(SESSIONS):
            session.unlink()
        for session in (self.mesh.temporary / "backup").glob(SESSIONS):
            shutil.copy(session, self.data)

    def assertGoesOn(self, before):
        """It has all that was there, and what it says now is heard, without a fork."""
        self.cells.await_whole()
        self.await_known(before, VICTIM)
        after = self.create(VICTIM)
        self.await_known({after}, PEER)
        self.await_known({self.create(PEER)}, VICTIM)
        self.assertEqual(self.forks(), 0)
        self.assertEqual(self.partners(VICTIM), self.partners(PEER))

    def test_a_disk_that_was_set_back_hears_of_it(self):
        said = {self.create(VICTIM)}
        self.backup()
        lanes = self.lanes()
        said |= {self.create(VICTIM) for _ in range(5)} | {self.create(PEER)}
        self.await_known(said, PEER)
        self.cells.turn("kill", VICTIM)
        self.set_back_whole()
        self.cells.turn("start", VICTIM)
        self.assertGoesOn(said)
        eventually("its new life has a lane of its own", lambda: self.lanes() > lanes)

    def assertSpeaksFirst(self, come_back):
        """It says something before it hears anybody, and nobody has heard another thing under that number."""
        links = self.enterContext(Links(self.cells, PROXY))
        said = {self.create(VICTIM)}
        self.backup()
        said |= {self.create(VICTIM) for _ in range(5)}
        self.await_known(said, PEER)
        self.cells.turn("kill", VICTIM)
        come_back()
        links.cut(PEER, VICTIM)
        self.cells.turn("start", VICTIM)
        said |= {self.create(VICTIM)}
        links.heal()
        self.await_known(said, PEER)
        self.assertGoesOn(said)

    def test_a_backup_speaks_before_it_hears_anybody(self):
        self.assertSpeaksFirst(self.restore)

    def test_a_database_set_back_in_its_place_speaks_before_it_hears_anybody(self):
        self.assertSpeaksFirst(self.set_back)

    def test_the_end_of_the_log_is_cut_off(self):
        said = {self.create(VICTIM) for _ in range(5)}
        self.await_known(said, PEER)
        self.cells.turn("kill", VICTIM)
        lanes = self.lanes()
        cut_log(self.data / (QUIET + ".db-wal"))
        self.cells.turn("start", VICTIM)
        self.assertGoesOn(said)
        eventually("it lost something, and began a new life", lambda: self.lanes() > lanes)

    def test_half_a_database_is_refused(self):
        said = {self.create(VICTIM)}
        self.await_known(said, PEER)
        self.cells.turn("stop", VICTIM)
        for owner in OWNERS:
            database = self.data / (owner + ".db")
            whole = database.read_bytes()
            os.truncate(database, len(whole) // 2)
            settings = self.mesh.directory / VICTIM / "config" / (owner + ".yaml")
            started = subprocess.run([pathlib.Path(BINARY).with_name("keyward-" + owner), "--config=%s" % settings],
                                     timeout=REFUSES_S, text=True, capture_output=True)
            self.assertEqual(started.returncode, 1, started.stderr)
            self.assertIn("cannot go on", started.stderr)
            database.write_bytes(whole)
        self.cells.turn("start", VICTIM)
        self.assertGoesOn(said)

    def test_two_stores_with_one_id(self):
        links = self.enterContext(Links(self.cells, PROXY))
        self.await_known({self.create(VICTIM)}, PEER)
        self.backup()
        self.await_known({self.create(VICTIM)}, PEER)
        self.cells.turn("kill", VICTIM)
        self.set_back_whole()
        links.cut(PEER, VICTIM)
        self.cells.turn("start", VICTIM)
        rival = self.create(VICTIM)  # under a number that the other one gave to another change
        links.heal()
        eventually("the fork is found", lambda: self.forks() > 0)
        self.await_known({self.create(PEER)}, VICTIM)  # nobody else's lane stops
        self.create(VICTIM)
        self.assertNotIn(rival, self.partners(PEER))

    @unittest.skipIf(os.geteuid() != 0, "to trace a service one has to be root")
    def test_a_sync_that_fails_ends_the_process_and_is_no_answer(self):
        processes = Processes(self.mesh, VICTIM)
        for number in range(1, SYNCS + 1):
            traced, request_id = processes.first("authz"), new_request_id()
            with self.failing_sync(traced, number):
                known = self.until_it_fails(request_id, number, lambda: processes.first("authz") != traced)
                eventually("it has ended", lambda: processes.first("authz") not in (None, traced))
            eventually("it serves", lambda: processes.is_ready("authz"))
            partner = self.create(VICTIM, request_id)
            self.assertIn(partner, self.partners(VICTIM))
            self.await_known(known | {partner}, PEER)
        self.cells.await_whole()
        self.assertEqual(self.partners(VICTIM), self.partners(PEER), "each of them once, in both")

    def until_it_fails(self, request_id, number, has_ended):
        """Asks until a sync has failed; what was acknowledged. The one that failed is nobody's answer, be it a client's
        change that waited for it or the lane's promise."""
        known = set()
        for _ in range(number + 1):
            try:
                known.add(self.create(VICTIM, None if known else request_id))
            except KeywardError as error:
                self.assertEqual(outcome_of(error), UNKNOWN, error)
                return known
            if has_ended():
                return known
        self.fail("no sync failed")

    @contextlib.contextmanager
    def failing_sync(self, pid, number):
        """The n-th from now on fails with EIO."""
        status = pathlib.Path("/proc/%d/status" % pid)
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-p", str(pid), "-e", "trace=fsync,fdatasync",
                                   "-e", "inject=fsync,fdatasync:error=EIO:when=%d" % number], stderr=subprocess.DEVNULL)
        try:
            eventually("it is traced", lambda: "TracerPid:\t%d\n" % tracer.pid in status.read_text())
            yield
        finally:
            tracer.terminate()
            tracer.wait()


if __name__ == "__main__":
    BINARY, PROXY = (str(pathlib.Path(sys.argv.pop(1)).resolve()) for _ in range(2))
    unittest.main()
