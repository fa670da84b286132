"""Whether all cells hold the same, and everything that was acknowledged: the checker of tests/chaos, cell by cell."""
import concurrent.futures
import json
import threading
import time

import checker
import history
from mesh import eventually
from observe import Final

PATIENCE_S = 120
POLL_S = 0.02


RECEIPT = "a receipt"  # of its making: it stays where it was made


def common(effects):
    """What other cells have of them, too."""
    return [{**one, "parts": [part for part in one["parts"] if part != RECEIPT]} for one in effects]


def two_cells(request):
    """Its attempts went to more than one, so it may have been done in more than one: no cell asks another first."""
    return len({call.arguments.get("cell") for call in request.calls}) > 1


def lost(requests, effects):
    """What this cell does not have, or not whole, or more of than there may be."""
    return [violation for violation in checker.effects(requests, effects)
            if violation.kind != checker.DUPLICATE] + \
        [violation for violation in checker.effects([one for one in requests if not two_cells(one)], effects)
         if violation.kind == checker.DUPLICATE]


def different(rows):
    """Cell → its rows: who shows others than the first does, and some of them."""
    first, facts = next(iter(rows.items()))
    return ["%s and %s: %s" % (first, cell, sorted(set(facts) ^ set(other))[:3]) for cell, other in rows.items()
            if other != facts]


class Agreement:
    """Of these cells with a history that is over."""

    def __init__(self, cells, binary, history_file):
        self._cells, self._binary = cells, binary
        self._calls = history.read(history_file)
        self._requests = checker.requests_of(self._calls)
        self._elsewhere = checker.requests_of(self._calls)
        for request in self._elsewhere:
            request.parts = request.parts and [part for part in request.parts if part != RECEIPT]

    def await_all(self, cells):
        """Until each of them has everything."""
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            list(pool.map(self._await, cells))

    def _await(self, cell):
        officer, end, nap = self._cells.officer(cell), time.monotonic() + PATIENCE_S, threading.Event()
        final = Final(self._cells.mesh, self._binary, officer)
        try:
            while missing := lost(self._elsewhere, common(final.rows()["effects"])):
                if time.monotonic() > end:
                    raise AssertionError("%s never had %d, the first of them: %s" % (cell, len(missing), missing[0]))
                nap.wait(POLL_S)
        finally:
            officer.close()

    def differences(self, cells):
        """Pairs that show different facts; of a mesh at rest, there are none."""
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            return different(dict(zip(cells, pool.map(self._rows, cells))))

    def _rows(self, cell):
        officer = self._cells.officer(cell)
        try:
            rows = Final(self._cells.mesh, self._binary, officer).rows()
        finally:
            officer.close()
        return sorted("%s %s" % item for item in rows["seen"].items()) + \
            sorted(json.dumps(one) for one in common(rows["effects"]))

    def violations(self, cells, asked):
        """All that the checker finds of calls that went to one cell, and of receipts, which stay where they were made."""
        receipts = [name for cell in cells for name in self._receipts(cell)]
        officer = self._cells.officer(asked)
        try:
            state = Final(self._cells.mesh, self._binary, officer).rows()
        finally:
            officer.close()
        state = {**state, "receipts": receipts, "evidence": self._evidence(cells),
                 "seen": {**state["seen"], **{name: ["stored"] for name in receipts}}}
        there = [call for request in self._requests if not two_cells(request) for call in request.calls]
        return checker.check(there + [call for call in self._calls if not call.request_id], state)

    def _receipts(self, cell):
        officer = self._cells.officer(cell)
        try:
            return Final(self._cells.mesh, self._binary, officer).receipts()
        finally:
            officer.close()

    def _evidence(self, cells):
        """The findings of the offline verifier, of all cells' exports together."""
        files = [self._cells.mesh.temporary / ("evidence-%s.jsonl" % cell.replace("/", "-")) for cell in cells]
        for cell, file in zip(cells, files):
            file.unlink(missing_ok=True)
            ended = self._cells.command(cell, "receipt", "export", str(file))
            assert ended.returncode == 0, ended.stderr
        keys = ",".join(str(path) for path in sorted(self._cells.mesh.directory.glob("*/pki/checkpoint.pub")))
        told = self._cells.command(cells[0], "verify", ",".join(map(str, files)), "--checkpoint-key=" + keys, "-o", "json")
        verified = json.loads(told.stdout)
        return verified["findings"] if verified["verified"] else verified["findings"] or ["not verified"]
