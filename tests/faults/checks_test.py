#!/usr/bin/python3
"""What the mesh tests believe can be found wrong: clients that are not served, cells that do not agree."""
import pathlib
import sys
import tempfile
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent)]

import cells  # isort: first, makes the others importable
import agreed
import checker
import history
from clients import Attempts
from google.rpc import error_details_pb2, status_pb2
from keyward_partner.errors import KeywardError

UNAVAILABLE, NOT_FOUND = 14, 5


def error(code, reason=""):
    status = status_pb2.Status(code=code, message="as told")
    if reason:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    return KeywardError(status)


class Case(unittest.TestCase):
    def setUp(self):
        self.file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "history.jsonl"
        self.recorder = self.enterContext(history.Recorder(self.file))
        self.attempts = Attempts(self.recorder, "client", ("home", "elsewhere"))

    def ask(self, answers, **arguments):
        """Where it asked, when each cell answers so: an error, or trailers."""
        asked = []

        def function(cell, _):
            asked.append(cell)
            if isinstance(answers[cell], KeywardError):
                raise answers[cell]
            return {"name": "grants/" + cell}, answers[cell]

        try:
            self.attempts.ask("CreateGrant", function, **arguments)
        except KeywardError:
            asked.append("failed")
        return asked


class Clients(Case):
    def test_who_is_served_at_home_goes_nowhere_else(self):
        self.assertEqual(self.ask({"home": {}}), ["home"])
        self.assertEqual([(one.cell, one.attempts, one.local_only) for one in self.attempts.served], [("home", 1, False)])

    def test_where_nobody_is_there_another_place_is_asked_once(self):
        self.assertEqual(self.ask({"home": error(UNAVAILABLE), "elsewhere": {"keyward-durability": "LOCAL_ONLY"}}),
                         ["home", "elsewhere"])
        self.assertEqual([(one.cell, one.attempts, one.local_only) for one in self.attempts.served], [("elsewhere", 2, True)])

    def test_where_nobody_is_anywhere_it_has_failed(self):
        gone = error(UNAVAILABLE)
        self.assertEqual(self.ask({"home": gone, "elsewhere": gone}), ["home", "elsewhere", "failed"])
        self.assertEqual((len(self.attempts.failed), self.attempts.served), (1, []))

    def test_a_refusal_is_an_answer_and_a_failure(self):
        self.assertEqual(self.ask({"home": error(NOT_FOUND, "NOT_FOUND")}), ["home", "failed"])
        self.assertEqual(len(self.attempts.failed), 1)


class Agreed(Case):
    def lost(self, *effects):
        requests = checker.requests_of(history.read(self.file))
        return [one.kind for one in agreed.lost(requests, [
            {"effect": "grant %s" % requests[0].calls[0].request_id, "name": name, "parts": []} for name in effects])]

    def test_what_was_answered_is_there(self):
        self.ask({"home": {}}, effect="grant {}")
        self.assertEqual(self.lost("grants/home"), [])

    def test_what_was_answered_is_missing_or_another(self):
        self.ask({"home": {}}, effect="grant {}")
        self.assertEqual(self.lost(), [checker.LOST])
        self.assertEqual(self.lost("grants/other"), [checker.LOST])

    def test_twice_in_one_cell_is_found(self):
        self.ask({"home": {}}, effect="grant {}")
        self.assertEqual(self.lost("grants/home", "grants/other"), [checker.DUPLICATE])

    def test_once_in_each_of_two_cells_may_be(self):
        self.ask({"home": error(UNAVAILABLE), "elsewhere": {}}, effect="grant {}")
        self.assertEqual(self.lost("grants/home", "grants/elsewhere"), [])
        self.assertEqual(self.lost("grants/home"), [checker.LOST])

    def test_a_receipt_stays_where_it_was_made(self):
        self.assertEqual(agreed.common([{"parts": ["3 pens", agreed.RECEIPT]}]), [{"parts": ["3 pens"]}])

    def test_cells_that_show_different_rows_are_told(self):
        rows = {"a": ["grants/1 revoked"], "b": ["grants/1 created"], "c": ["grants/1 revoked"]}
        self.assertEqual(len(agreed.different(rows)), 1)
        self.assertIn("a and b", agreed.different(rows)[0])
        self.assertEqual(agreed.different({"a": rows["a"], "c": rows["c"]}), [])


if __name__ == "__main__":
    unittest.main()
