"""Twice the capacity: what of it still gets done, how long an officer's revocation takes meanwhile, and how long the
queues become. Once with the load generator on the mesh's own cores, which it then takes a part of, and once beside them.
"""
import itertools
import os
import pathlib
import threading
import time

import measure
from keyward.v1.grant_service_pb2 import DeviceList
from metrics import Metrics

CALLS_IN_FLIGHT = 256
REVOCATIONS = 60  # prepared for a sample
REVOKE_EVERY_S = 0.02
LOOK_EVERY_S = 0.1
ROUNDS, BUDGET_S = 9, 75
REVOKE_AIM_MS = 100
BOUNDS = {"calls": 1024, "store_writes": 4096, "store_reads": 4096, "hsm": 4096}  # settings, common/base/limits.h


def pin(pids, cores):
    """All threads of these processes, and what they start from now on."""
    for pid in pids:
        for thread in pathlib.Path("/proc/%d/task" % pid).iterdir():
            try:
                os.sched_setaffinity(int(thread.name), cores)
            except ProcessLookupError:
                continue


class Background(threading.Thread):
    """Does something again and again, for as long as the block lasts."""

    def __init__(self, every_s, work):
        super().__init__()
        self._every_s, self._work, self._over = every_s, work, threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self._over.wait(self._every_s) and self._work():
                pass
        except Exception as error:  # shown by who waits for it
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        if self.failure:
            raise self.failure


class Officer:
    """Revokes grants of pens that nobody asks for, in every sample: what that costs is in both rates."""

    def __init__(self, officer, partner, device):
        self._officer, self._partner, self._device = officer, partner, device
        self._grants = []
        self.took_ms = None  # where the times go

    def prepare(self):
        while len(self._grants) < REVOCATIONS:
            self._grants.append(self._officer.grant(self._partner, devices=DeviceList(devices=[self._device])))

    def revoke(self):
        begin = time.monotonic()
        self._officer.revoke(self._grants.pop())
        self.took_ms.append((time.monotonic() - begin) * 1e3)
        return bool(self._grants)


class Queues:
    """The longest that each was seen."""

    def __init__(self, pids):
        self._pages = [Metrics(pid) for pid in pids]
        self.longest = {}

    def look(self):
        for page in self._pages:
            for name, value in page.read().items():
                if name.startswith("keyward_queue_length"):
                    queue = name.split('"')[1]
                    self.longest[queue] = max(self.longest.get(queue, 0), int(value))
        return True


class Place:
    """Where mesh and load generator run, and what that gave."""

    def __init__(self, name, mesh_cores, load_cores, target, officer, queues):
        self.name, self._cores, self._load = name, (mesh_cores, load_cores), ["taskset", "-c", ",".join(
            map(str, sorted(load_cores)))]
        self._target, self._officer, self._queues = target, officer, queues
        self._rates = []  # offered
        self.revoke_ms = {"capacity": [], "overload": []}
        self.capacity = measure.Row("capacity", lambda: self._run("capacity", lambda: target.unary(
            CALLS_IN_FLIGHT, self._load)))
        self.overload = measure.Row("overload", lambda: self._run("overload", self._twice), failures_allowed=True)

    def _run(self, name, sample):
        """The officer's program is on the load generator's cores: it is a client too."""
        pin(itertools.chain(*self._target.groups().values()), self._cores[0])
        pin([os.getpid()], self._cores[1])
        self._officer.prepare()
        self._officer.took_ms = self.revoke_ms[name]
        with Background(REVOKE_EVERY_S, self._officer.revoke), Background(LOOK_EVERY_S, self._queues.look):
            return sample()

    def _twice(self):
        self._rates.append(round(2 * self.capacity.samples[-1].per_s))
        return self._target.overload(self._rates[-1], self._load)

    def goodput(self):
        return measure.ratio(self.overload, self.capacity, lambda sample: sample.per_s)

    def goodput_by_cpu(self):
        """The services' CPU for a good call at capacity, over the same at twice of it: what refusals and work for nothing
        cost, whatever the load generator takes."""
        def cpu_of_good(sample):
            return sum(us for group, us in sample.cpu_us.items() if group != "load") / max(1e-9, 1 - sample.failed)
        return measure.ratio(self.capacity, self.overload, cpu_of_good)

    def rows(self):
        for offered, row in (("as much as it takes", self.capacity), ("%d/s" % measure.median(self._rates), self.overload)):
            yield [self.name, offered, "%.0f" % row.per_s, "%.2f" % (1 if row is self.capacity else self.goodput()),
                   "%.2f" % (1 if row is self.capacity else self.goodput_by_cpu()),
                   "%.1f" % (row.p50_us / 1e3), "%.1f" % (row.p99_us / 1e3),
                   "%.0f %%" % (100 * row.of(lambda sample: sample.failed)), "%.0f" % row.cpu_us("load"), row.counts]


class Overload:
    def __init__(self, target, officer, partner, device, quick):
        services = [pid for name in ("gateway", "authz", "orchestrator", "core") for pid in target.groups()[name]]
        cores = sorted(os.sched_getaffinity(0))
        busy = Officer(officer, partner, device)
        self._queues = Queues(services)
        self.same = Place("the mesh's own", cores, cores, target, busy, self._queues)
        self.apart = Place("a core of its own", cores[:-1] or cores, cores[-1:], target, busy, self._queues)
        measure.run_rounds([self.same.capacity, self.same.overload, self.apart.capacity, self.apart.overload],
                           1 if quick else ROUNDS, BUDGET_S)

    def _took_ms(self, name):
        return sorted(self.same.revoke_ms[name] + self.apart.revoke_ms[name])

    def revoke_ms(self, share, name="overload"):
        """The time within which this share of the revocations was answered."""
        took = self._took_ms(name)
        return took[min(len(took) - 1, int(share * len(took)))]

    def print(self, timeout_ms):
        print("### Mesh: twice the capacity offered, at random times, %d ms each\n" % timeout_ms)
        measure.table(["load generator on", "offered", "good per s", "of capacity", "by the services' CPU", "p50 ms", "p99 ms",
                       "refused or late", "client CPU µs", "samples"], [*self.same.rows(), *self.apart.rows()])
        print("In all samples an officer revoked a grant every %d ms: at capacity p50 %.1f ms, p99 %.1f ms, %d of them; at "
              "twice the capacity p50 %.1f ms, p99 %.1f ms, %d of them. Longest queues seen: %s.\n" % (
                  1e3 * REVOKE_EVERY_S, *(figure for name in ("capacity", "overload") for figure in (
                      self.revoke_ms(0.5, name), self.revoke_ms(0.99, name), len(self._took_ms(name)))), ", ".join(
                  "%s %d of %d" % (queue, length, BOUNDS[queue])
                  for queue, length in sorted(self._queues.longest.items()))))

    def aims(self):
        yield ["goodput at twice the capacity, load generator on a core of its own", "≥ 0.9",
               "%.2f" % self.apart.goodput()]
        yield ["the same, load generator on the mesh's cores", "≥ 0.9", "%.2f" % self.same.goodput()]
        yield ["the same, by the services' CPU", "≥ 0.9", "%.2f" % self.same.goodput_by_cpu()]
        yield ["a revocation meanwhile, p99", "< %d ms" % REVOKE_AIM_MS, "%.0f ms" % self.revoke_ms(0.99)]
        yield ["longest queue, of its bound", "≤ 1", "%.2f" % max(
            (length / BOUNDS[queue] for queue, length in self._queues.longest.items()), default=0)]
