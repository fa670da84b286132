"""Faults: processes killed hard or stopped for a while, at random, from a seed; and how long it took.

Only processes below our own `keyward up` are touched, by their id.
"""
import collections
import pathlib
import random
import re
import signal
import sys
import threading

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "interop")]

from processes import PROGRAMS, SERVICES, Processes, send

KILL, PAUSE = "kill", "pause"
POLL_S = 0.01
PAUSE_S = (0.2, 6.5)  # beyond what a capsule lives
SEVERAL = 0.15  # of the kills take two or three at once

Fault = collections.namedtuple("Fault", "at what targets seconds")


def plan(seed, seconds, kills, pauses=0):
    """The faults, in the order of their times."""
    dice = random.Random("nemesis/%s" % seed)
    faults = []
    while kills > 0:
        count = min(kills, dice.randint(2, 3) if dice.random() < SEVERAL else 1)
        kills -= count
        faults.append(Fault(dice.uniform(0.5, seconds), KILL, tuple(dice.sample(sorted(PROGRAMS), count)), 0))
    for _ in range(pauses):
        length = dice.uniform(*PAUSE_S)
        faults.append(Fault(dice.uniform(0.5, seconds), PAUSE, (dice.choice(SERVICES),), round(length, 2)))
    return sorted(faults)


class Nemesis(threading.Thread):
    """Carries a plan out."""

    def __init__(self, mesh, recorder, faults, seed):
        super().__init__(name="nemesis", daemon=True)
        self.processes = Processes(mesh)
        self.workers = len(self.processes.find("worker"))
        self.kills = []  # (time, part)
        self._recorder, self.faults = recorder, faults
        self._dice = random.Random("victim/%s" % seed)
        self._nap = threading.Event()  # never set
        self._resumptions = []

    def run(self):
        begin = self._recorder.now()
        for fault in self.faults:
            self._nap.wait(max(0, begin + fault.at - self._recorder.now()))
            self._do(fault)
        for resumption in self._resumptions:
            resumption.join()

    def _do(self, fault):
        victims = [(part, self._victim(part)) for part in fault.targets]
        self._recorder.note(fault.what, victims=victims, seconds=fault.seconds)
        for part, pid in victims:
            if pid and fault.what == KILL:
                self.kills.append((self._recorder.now(), part))
                send(pid, signal.SIGKILL)
            elif pid:
                send(pid, signal.SIGSTOP)
                self._resumptions.append(threading.Timer(fault.seconds, send, (pid, signal.SIGCONT)))
                self._resumptions[-1].start()

    def _victim(self, part):
        """A process of the part; one that is not back yet is waited for, within reason."""
        for _ in range(200):
            found = self.processes.find(part)
            if found:
                return self._dice.choice(found)
            self._nap.wait(POLL_S)
        return None


class Watch(threading.Thread):
    """Notes when each process was there and when all were ready."""

    def __init__(self, nemesis, recorder):
        super().__init__(name="watch", daemon=True)
        self._nemesis, self._recorder = nemesis, recorder
        self._over = threading.Event()
        self._missing = []
        self.ready_times = []  # begin and end of each look that found all of the mesh ready

    def run(self):
        while not self._over.wait(POLL_S):
            begin = self._recorder.now()
            missing = self._nemesis.processes.missing(self._nemesis.workers)
            if not missing:
                self.ready_times.append((begin, self._recorder.now()))
            if missing != self._missing:
                self._missing = missing
                self._recorder.note("missing", parts=missing)

    def stop(self):
        self._over.set()
        self.join()


def delays(kills, times):
    """Seconds from each kill until the first of these (begin, end) that began after it was over, but for kills
    that others followed before that."""
    begins = [time for time, _ in kills]
    for begin, following in zip(begins, [*begins[1:], float("inf")]):
        end = next((end for start, end in times if start > begin), float("inf"))
        if end < following:
            yield end - begin


def returns(said):
    """Part → seconds, from what `keyward up` printed of each death and return."""
    times = collections.defaultdict(list)
    for line in said:
        match = re.search(r"keyward: (\w+) is back after (\d+) ms", line)
        if match:
            times[match[1]].append(int(match[2]) / 1000)
    return times
