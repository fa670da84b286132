"""What clients saw, written down as it happens: JSON lines, two for each call.

A line is flushed when it is written, so that a run that is cut short leaves a history. A call that
failed without saying what became of it, or never ended, is *unknown*: it may have had its effect, or
have it later. It ends at infinity.
"""
import dataclasses
import itertools
import json
import math
import threading
import time

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


class Recorder:
    """Writes a history. Any thread may use it."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self._begin = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._lock:
            self._file.close()

    def now(self):
        """Seconds since the history began: the clock of all its times."""
        return time.monotonic() - self._begin

    def start(self, worker, operation, request_id="", **arguments):
        """Before the call is made. Returns its number."""
        serial = next(self._serial)
        self._write({"event": "start", "call": serial, "worker": worker, "operation": operation,
                     "request_id": request_id, "arguments": arguments})
        return serial

    def end(self, serial, outcome, reason="", **result):
        """After the answer has come, or when no more is to be known."""
        self._write({"event": "end", "call": serial, "outcome": outcome, "reason": reason,
                     "result": result})

    def note(self, what, **fields):
        """Something that happened to the mesh; for people who read, the checker passes over it."""
        self._write({"event": "note", "what": what, **fields})

    def _write(self, record):
        with self._lock:
            if not self._file.closed:  # a call that nobody waits for any more stays unknown
                self._file.write(json.dumps({"time": round(self.now(), 6), **record}) + "\n")
                self._file.flush()


@dataclasses.dataclass
class Call:
    """One call as its client saw it. What arguments and results mean is in checker.py."""
    number: int
    worker: str
    operation: str
    request_id: str
    arguments: dict
    start: float
    end: float = math.inf
    outcome: str = UNKNOWN
    reason: str = ""
    result: dict = dataclasses.field(default_factory=dict)

    @property
    def ok(self):
        return self.outcome == OK

    def __str__(self):
        end = "" if math.isinf(self.end) else " to %.3f" % self.end
        return "call %d (%s by %s, %.3f%s s, %s)" % (self.number, self.operation, self.worker, self.start,
                                                   end, self.reason or self.outcome)


def calls_of(lines):
    """The calls of a history, in the order they were started."""
    calls = {}
    for line in lines:
        record = json.loads(line)
        if record["event"] == "start":
            calls[record["call"]] = Call(record["call"], record["worker"], record["operation"],
                                         record["request_id"], record["arguments"], record["time"])
        elif record["event"] == "end":
            call = calls[record["call"]]
            call.outcome, call.reason = record["outcome"], record["reason"]
            call.result = record["result"]
            call.end = math.inf if call.outcome == UNKNOWN else record["time"]
    return list(calls.values())


def read(path):
    with open(path, encoding="utf-8") as lines:
        return calls_of(lines)
