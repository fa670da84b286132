#!/usr/bin/python3
"""Each violation is found in a history that has it, and in none that only looks like it.

Histories are written by hand: a call is `start` to `end` in seconds, an end of None means unknown.
"""
import contextlib
import io
import itertools
import json
import pathlib
import sys
import tempfile
import unittest

import checker
import history
import nemesis


class History:
    """Lines as the recorder writes them."""

    def __init__(self):
        self.lines, self._numbers = [], itertools.count(1)

    def call(self, operation, start, end, request_id="", outcome="ok", reason="", result=None, **arguments):
        number = next(self._numbers)
        self.lines.append({"event": "start", "call": number, "worker": "w", "operation": operation,
                           "request_id": request_id, "arguments": arguments, "time": start})
        if end is not None:
            self.lines.append({"event": "end", "call": number, "outcome": outcome, "reason": reason,
                               "result": result or {}, "time": end})

    def kinds(self, **state):
        """What the checker finds, each kind once."""
        calls = history.calls_of(map(json.dumps, self.lines))
        whole = {"effects": [], "receipts": [], "seen": {}, "evidence": [], **state}
        return sorted({violation.kind for violation in checker.check(calls, whole)})


def effect(name, of="r1", parts=()):
    return {"effect": "grant " + of, "name": name, "parts": list(parts)}


class Case(unittest.TestCase):
    def setUp(self):
        self.history = History()
        self.call = self.history.call

    def create(self, start, end, request_id="r1", name="g", **more):
        self.call("CreateGrant", start, end, request_id=request_id, effect="grant " + request_id,
                  result={"name": name, "makes": [name]}, **more)

    def use(self, start, end, outcome="ok", reason="", **more):
        self.call("GetDeviceAccess", start, end, outcome=outcome, reason=reason, uses=["g"], under=["g"], **more)

    def revoke(self, start, end, **more):
        self.call("RevokeGrant", start, end, request_id="r2", stops="g", **more)

    def assertFinds(self, *kinds, **state):
        self.assertEqual(self.history.kinds(**state), sorted(kinds))


class Effects(Case):
    def test_an_acknowledged_effect_that_is_there(self):
        self.create(1, 2)
        self.assertFinds(effects=[effect("g")])

    def test_an_acknowledged_effect_that_is_lost(self):
        self.create(1, 2)
        self.assertFinds(checker.LOST, effects=[effect("g", of="another")])

    def test_another_effect_than_was_acknowledged(self):
        self.create(1, 2)
        self.assertFinds(checker.LOST, effects=[effect("h")])

    def test_an_acknowledged_effect_that_is_there_in_part(self):
        self.create(1, 2, parts=["a", "b"])
        self.assertFinds(checker.LOST, effects=[effect("g", parts=["a"])])

    def test_an_unknown_effect_may_be_there_or_not(self):
        self.create(1, None, parts=["a", "b"])
        self.assertFinds(effects=[effect("g", parts=["b", "a"])])
        self.assertFinds(effects=[])

    def test_an_unknown_effect_is_half_applied(self):
        self.create(1, None, parts=["a", "b"])
        self.assertFinds(checker.HALF, effects=[effect("g", parts=["b"])])

    def test_a_call_that_ended_without_an_answer_is_unknown(self):
        self.create(1, 2, outcome="unknown", reason="UNAVAILABLE")
        self.assertFinds(effects=[effect("g")])

    def test_a_refused_effect_is_there(self):
        self.create(1, 2, outcome="refused", reason="ARGUMENT_INVALID")
        self.assertFinds(checker.REFUSED_EFFECT, effects=[effect("g")])
        self.assertFinds(effects=[])

    def test_refused_after_an_unknown_attempt_is_unknown(self):
        self.create(1, None)
        self.create(2, 3, outcome="refused", reason="CAPSULE_EXPIRED")
        self.assertFinds(effects=[effect("g")])

    def test_a_repeated_request_has_one_effect(self):
        self.create(1, None)
        self.create(2, 3)
        self.create(4, 5)
        self.assertFinds(effects=[effect("g")])

    def test_a_repeated_request_has_two_effects(self):
        self.create(1, None)
        self.create(2, 3)
        self.assertFinds(checker.DUPLICATE, effects=[effect("g"), effect("h")])

    def test_a_repeated_request_has_two_answers(self):
        self.create(1, 2)
        self.create(3, 4, name="h")
        self.assertIn(checker.DUPLICATE, self.history.kinds(effects=[effect("g")]))


class Receipts(Case):
    def answer(self, **result):
        self.call("GetDeviceAccess", 1, 2, receipt=True, result=result)

    def test_stored(self):
        self.answer(receipt="rcp")
        self.assertFinds(receipts=["rcp"])

    def test_not_stored(self):
        self.answer(receipt="rcp")
        self.assertFinds(checker.NO_RECEIPT, receipts=["another"])

    def test_not_named(self):
        self.answer()
        self.assertFinds(checker.NO_RECEIPT, receipts=["rcp"])

    def test_none_needed_where_nothing_was_answered(self):
        self.call("GetDeviceAccess", 1, 2, receipt=True, outcome="refused", reason="NOT_FOUND")
        self.call("GetDeviceAccess", 1, None, receipt=True)
        self.assertFinds()


class Stops(Case):
    def test_use_after_an_acknowledged_revocation(self):
        self.revoke(1, 2)
        self.use(2.1, 3)
        self.assertFinds(checker.USED)

    def test_use_while_it_was_being_revoked(self):
        self.revoke(1, 2)
        self.use(1.9, 3)
        self.assertFinds()

    def test_use_after_a_revocation_of_unknown_outcome(self):
        self.revoke(1, None)
        self.use(5, 6)
        self.assertFinds()

    def test_use_after_a_refused_revocation(self):
        self.revoke(1, 2, outcome="refused")
        self.use(3, 4)
        self.assertFinds()

    def test_acknowledged_by_a_retry(self):
        self.revoke(1, None)
        self.revoke(2, 3)
        self.use(4, 5)
        self.assertFinds(checker.USED)

    def suspend(self, start, end, stop):
        self.call("SuspendKey", start, end, request_id=stop, stops="g", result={"stop": stop})

    def lift(self, start, end, *lifted):
        self.call("LiftKeySuspensions", start, end, request_id="l", lifts="g", lifted=list(lifted))

    def test_use_before_the_lift_began(self):
        self.suspend(1, 2, "s1")
        self.use(3, 4)
        self.lift(5, 6, "s1")
        self.assertFinds(checker.USED)

    def test_use_once_the_lift_has_begun(self):
        self.suspend(1, 2, "s1")
        self.lift(5, None, "s1")
        self.use(4, 6)
        self.assertFinds()

    def test_another_suspension_survives_a_lift(self):
        self.suspend(1, 2, "s1")
        self.suspend(1, 2, "s2")
        self.lift(3, 4, "s1")
        self.use(5, 6)
        self.assertFinds(checker.USED)

    def test_a_lift_without_names_lifts_all(self):
        self.suspend(1, 2, "s1")
        self.call("ReinstatePartner", 3, 4, request_id="l", lifts="g")
        self.use(5, 6)
        self.assertFinds()


class Refusals(Case):
    def test_refused_though_it_was_acknowledged(self):
        self.create(1, 2)
        self.use(3, 4, outcome="refused", reason="NOT_FOUND")
        self.assertFinds(checker.LOST, effects=[effect("g")])

    def test_refused_before_it_was_acknowledged(self):
        self.create(1, 4)
        self.use(3, 4, outcome="refused", reason="NOT_FOUND")
        self.assertFinds(effects=[effect("g")])

    def test_refused_for_want_of_room(self):
        self.create(1, 2)
        self.use(3, 4, outcome="refused", reason="RATE_LIMITED")
        self.assertFinds(effects=[effect("g")])

    def test_refused_because_it_may_be_revoked(self):
        self.create(1, 2)
        self.revoke(3, None)
        self.use(5, 6, outcome="refused", reason="NOT_FOUND")
        self.assertFinds(effects=[effect("g")])

    def test_refused_though_the_revocation_was_refused_too(self):
        self.create(1, 2)
        self.revoke(3, 4, outcome="refused")
        self.use(5, 6, outcome="refused", reason="NOT_FOUND")
        self.assertFinds(checker.LOST, effects=[effect("g")])

    def test_refused_though_it_was_lifted(self):
        self.create(1, 2)
        self.call("SuspendKey", 3, 4, request_id="s", stops="g", result={"stop": "s"})
        self.call("LiftKeySuspensions", 5, 6, request_id="l", lifts="g", lifted=["s"])
        self.use(7, 8, outcome="refused", reason="KEY_STATE")
        self.assertFinds(checker.LOST, effects=[effect("g")])


class Order(Case):
    def look(self, start, end, *facts):
        self.call("GetKey", start, end, result={"seen": {"k": list(facts)}})

    def test_state_grows(self):
        self.look(1, 2, "active")
        self.look(3, 4, "active", "deactivated")
        self.assertFinds(seen={"k": ["active", "deactivated"]})

    def test_state_goes_backwards(self):
        self.look(1, 2, "active", "deactivated")
        self.look(3, 4, "active")
        self.assertFinds(checker.BACKWARDS, seen={"k": ["active", "deactivated"]})

    def test_state_goes_backwards_at_the_end(self):
        self.look(1, 2, "active", "deactivated")
        self.assertFinds(checker.BACKWARDS, seen={"k": ["active"]})

    def test_two_who_look_at_once_may_see_either(self):
        self.look(1, 4, "active", "deactivated")
        self.look(2, 5, "active")
        self.assertFinds(seen={"k": ["active", "deactivated"]})

    def test_what_was_seen_is_gone(self):
        self.look(1, 2, "active")
        self.assertFinds(checker.LOST)


class Answers(Case):
    def test_a_wrong_key(self):
        self.call("GetDeviceAccess", 1, 2, result={"right": False})
        self.assertFinds(checker.WRONG)

    def test_evidence_that_does_not_verify(self):
        self.assertFinds(checker.EVIDENCE, evidence=["receipt missing"])

    def test_every_kind_has_a_test(self):
        text = pathlib.Path(__file__).read_text()
        names = [name for name, value in vars(checker).items() if value in checker.KINDS]
        self.assertEqual(len(names), len(checker.KINDS))
        self.assertEqual([name for name in names if "checker." + name not in text], [])


class Files(Case):
    """What the recorder writes, the checker reads; as a program it says what it found."""

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_recorded_and_checked_again(self):
        with history.Recorder(self.directory / "history.jsonl") as recorder:
            recorder.note("kill", victims=["authz"])
            recorder.end(recorder.start("w", "CreateGrant", "r1", effect="grant r1"), "ok", name="g")
            recorder.start("w", "GetGrant")
        state = {"effects": [], "receipts": [], "seen": {}, "evidence": []}
        (self.directory / "state.json").write_text(json.dumps(state))
        sys.argv = ["checker.py", str(self.directory / "history.jsonl"), str(self.directory / "state.json")]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(checker.main(), 1)
        self.assertIn(checker.LOST, said.getvalue())
        self.assertIn("2 calls, 1 violations", said.getvalue())

    def test_unknown_calls_end_at_infinity(self):
        with history.Recorder(self.directory / "history.jsonl") as recorder:
            recorder.end(recorder.start("w", "GetGrant"), "unknown", "UNAVAILABLE")
            recorder.start("w", "GetGrant")
        calls = history.read(self.directory / "history.jsonl")
        self.assertEqual([(call.outcome, call.end) for call in calls], [("unknown", float("inf"))] * 2)


class Plans(unittest.TestCase):
    def test_a_seed_is_a_plan(self):
        self.assertEqual(nemesis.plan(7, 30, 20, 3), nemesis.plan(7, 30, 20, 3))
        self.assertNotEqual(nemesis.plan(7, 30, 20, 3), nemesis.plan(8, 30, 20, 3))

    def test_a_plan_has_the_kills_that_were_asked_for(self):
        for seed in range(50):
            plan = nemesis.plan(seed, 30, 20, 3)
            self.assertEqual(sum(len(fault.targets) for fault in plan if fault.what == nemesis.KILL), 20)
            self.assertEqual(sum(fault.what == nemesis.PAUSE for fault in plan), 3)
            self.assertTrue(all(0 < fault.at < 30 for fault in plan))

    def test_returns_are_read_from_what_up_says(self):
        said = ["keyward: authz ended with 137; its log is x", "keyward: authz is back after 250 ms"]
        self.assertEqual(nemesis.returns(said), {"authz": [0.25]})


if __name__ == "__main__":
    unittest.main()
