#!/usr/bin/python3
"""Holds a history against the state the mesh ended in: `checker.py HISTORY STATE`.

Knows nothing of methods. A call says what it is about by these arguments, each left out where it does
not apply:

    effect       a name for the one effect that all calls with this request_id have together
    parts        all that its effect consists of
    receipt      true: an answer must have a receipt
    uses         resources that must be there; the call is refused without them
    under        resources that must not be stopped; the call is refused while one is
    stops        a resource that this call stops, for good or until it is lifted
    lifts        a resource whose stops this call lifts: those named by `lifted`, or all

and by these results:

    name         the resource it is about, the same in every answer to one request_id
    makes        resources that are there from now on
    stop         the id of the stop, for `lifted`
    receipt      the receipt's name
    right        false: the answer is not what it must be (a key that is not the pen's, say)
    seen         {resource: [facts]}: facts that hold now, and for good

The state is {effects: [{effect, name, parts}], receipts: [name], seen: {resource: [facts]},
evidence: [findings of `keyward verify`]}.
"""
import collections
import dataclasses
import json
import math
import sys

import history

LOST = "acknowledged effect lost"
NO_RECEIPT = "answer without receipt"
DUPLICATE = "duplicated effect under one request_id"
USED = "use allowed after an acknowledged stop"
BACKWARDS = "state went backwards"
HALF = "unknown result half applied"
REFUSED_EFFECT = "refused call with effect"
WRONG = "wrong answer"
EVIDENCE = "evidence does not verify"
KINDS = (LOST, NO_RECEIPT, DUPLICATE, USED, BACKWARDS, HALF, REFUSED_EFFECT, WRONG, EVIDENCE)

# Refusals that say "it is not there" or "it is not allowed", and mean it.
DENIALS = {"NOT_FOUND", "KEY_STATE", "STATE_CONFLICT", "PERMISSION_DENIED", "IDENTITY_INVALID", "BINDING_INVALID",
           "TRANSPORT_KEY_UNCONFIRMED", "POSSESSION_UNPROVEN", "SCOPE_MISMATCH", "ENROLLMENT_HELD"}


@dataclasses.dataclass(frozen=True)
class Violation:
    kind: str
    text: str

    def __str__(self):
        return "%s: %s" % (self.kind, self.text)


class Request:
    """All calls with one request_id."""

    def __init__(self, calls):
        self.calls = calls
        self.effect = calls[0].arguments.get("effect")
        self.parts = calls[0].arguments.get("parts")
        self.answers = [call for call in calls if call.ok]
        self.is_refused = all(call.outcome == history.REFUSED for call in calls)

    def __str__(self):
        return "%s, request_id %s" % (self.calls[-1], self.calls[-1].request_id)


def requests_of(calls):
    groups = collections.defaultdict(list)
    for call in calls:
        if call.request_id:
            groups[call.request_id].append(call)
    return [Request(group) for group in groups.values()]


def check(calls, state):
    """All violations."""
    requests = requests_of(calls)
    return [*effects(requests, state["effects"]), *answers(requests), *receipts(calls, set(state["receipts"])),
            *wrong(calls), *stops(calls), *refusals(calls), *order(calls, state["seen"]),
            *(Violation(EVIDENCE, str(finding)) for finding in state["evidence"])]


def effects(requests, found):
    """Each acknowledged effect is there once, each unknown one wholly or not at all, no refused one."""
    by_name = collections.defaultdict(list)
    for effect in found:
        by_name[effect["effect"]].append(effect)
    for request in requests:
        if request.effect is not None:
            yield from effects_of(request, by_name[request.effect])


def effects_of(request, found):
    if request.answers and not found:
        yield Violation(LOST, "nothing is there of %s" % request)
    if request.is_refused and found:
        yield Violation(REFUSED_EFFECT, "%s is there: %s" % (found[0]["name"], request))
    if len(found) > 1:
        yield Violation(DUPLICATE, "%s: %s" % (", ".join(one["name"] for one in found), request))
    for one in found:
        if request.parts is not None and sorted(one["parts"]) != sorted(request.parts):
            yield Violation(LOST if request.answers else HALF, "%s of %s is there: %s" %
                            (", ".join(one["parts"]) or "nothing", ", ".join(request.parts), request))
    names = {one["name"] for one in found}
    for answer in request.answers:
        if found and answer.result.get("name", found[0]["name"]) not in names:
            yield Violation(LOST, "%s was answered, %s is there: %s" %
                            (answer.result["name"], found[0]["name"], request))


def answers(requests):
    """One request_id has one answer."""
    for request in requests:
        names = {call.result.get("name") for call in request.answers}
        if len(names) > 1:
            yield Violation(DUPLICATE, "answered %s: %s" % (" and ".join(map(str, names)), request))


def receipts(calls, known):
    for call in calls:
        name = call.result.get("receipt")
        if call.ok and call.arguments.get("receipt") and name not in known:
            yield Violation(NO_RECEIPT, "%s: %s" % ("%s is not stored" % name if name else "none named", call))


def wrong(calls):
    for call in calls:
        if call.ok and call.result.get("right") is False:
            yield Violation(WRONG, str(call))


class Stop:
    """One request to stop a resource, and when it can have been lifted."""

    def __init__(self, request, lifts):
        acknowledged = [call for call in request if call.ok]
        self.id = acknowledged[0].result.get("stop") if acknowledged else None
        self.start = min(call.start for call in request)
        self.acknowledged = min((call.end for call in acknowledged), default=math.inf)
        self.is_refused = all(call.outcome == history.REFUSED for call in request)
        mine = [call for call in lifts if call.start > self.start and self._is_named_by(call)]
        self.lift_start = min((call.start for call in mine if call.outcome != history.REFUSED), default=math.inf)
        self.lifted = min((call.end for call in mine if call.ok), default=math.inf)

    def _is_named_by(self, lift):
        return "lifted" not in lift.arguments or self.id in lift.arguments["lifted"]

    def forbids(self, call):
        """For certain, however the calls in between were ordered."""
        return self.acknowledged < call.start and call.end < self.lift_start

    def may_forbid(self, call):
        return not self.is_refused and self.start < call.end and not self.lifted < call.start


def stops_by_resource(calls):
    lifts, stopping = collections.defaultdict(list), collections.defaultdict(list)
    for call in calls:
        if "lifts" in call.arguments:
            lifts[call.arguments["lifts"]].append(call)
        if "stops" in call.arguments:
            stopping[call.arguments["stops"], call.request_id or call.number].append(call)
    found = collections.defaultdict(list)
    for (resource, _), request in stopping.items():
        found[resource].append(Stop(request, lifts[resource]))
    return found


def stops(calls):
    """Nothing that is stopped was used."""
    stopped = stops_by_resource(calls)
    for call in calls:
        for resource in call.arguments.get("under", ()) if call.ok else ():
            if any(stop.forbids(call) for stop in stopped[resource]):
                yield Violation(USED, "%s: %s" % (resource, call))


def refusals(calls):
    """What was made and not stopped was there when somebody came to use it."""
    stopped, made = stops_by_resource(calls), {}
    for call in calls:
        for name in call.result.get("makes", ()):
            made[name] = min(call.end, made.get(name, math.inf))
    for call in calls:
        if call.outcome == history.REFUSED and call.reason in DENIALS and "uses" in call.arguments:
            there = all(made.get(name, math.inf) < call.start for name in call.arguments["uses"])
            if there and not any(stop.may_forbid(call) for resource in call.arguments.get("under", ())
                                 for stop in stopped[resource]):
                yield Violation(LOST, "refused, though all of it was there: %s" % call)


def order(calls, final):
    """Whatever somebody saw, everybody who asks later sees too; the end is later than all."""
    seen = collections.defaultdict(list)
    for call in calls:
        for resource, facts in call.result.get("seen", {}).items():
            seen[resource].append((call.start, call.end, set(facts), str(call)))
    for resource, observations in seen.items():
        if resource in final:
            observations.append((math.inf, math.inf, set(final[resource]), "the end"))
        else:
            yield Violation(LOST, "%s is not there in the end" % resource)
        yield from order_of(resource, observations)


def order_of(resource, observations):
    known, by_end = set(), sorted(observations, key=lambda one: one[1])
    ended = 0
    for start, _, facts, who in sorted(observations, key=lambda one: one[0]):
        while by_end[ended][1] < start:
            known |= by_end[ended][2]
            ended += 1
        if not known <= facts:
            yield Violation(BACKWARDS, "%s without %s: %s" % (resource, ", ".join(sorted(known - facts)), who))


def main():
    history_file, state_file = sys.argv[1:]
    with open(state_file, encoding="utf-8") as file:
        state = json.load(file)
    calls = history.read(history_file)
    violations = check(calls, state)
    for violation in violations:
        print(violation)
    print("%d calls, %d violations" % (len(calls), len(violations)))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
