"""How late changes are in another region: what each owner holds of each lane, looked at in its database every few milliseconds.

A change is there, at its writer's or elsewhere, from the first look that finds it: so a lag is wrong by at most one interval, to either
side, and as often to one as to the other. Both looks are by one clock. A writer's change is durable when it can be found, and that is
before its call is answered: the answer still waits for a second copy.
"""
import bisect
import collections
import sqlite3
import threading
import time

LOOK_EVERY_S = 0.01
OWNERS = ("authz", "orchestrator")
PRESENT = 2  # feed_lanes.role: ours, and written


class _Database:
    """One owner's lanes, read as any SQLite reader does: beside the writer."""

    def __init__(self, path):
        self._connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True, check_same_thread=False, isolation_level=None)
        self.seen = collections.defaultdict(list)  # lane → [(time, last number)]

    def present(self):
        return self._connection.execute("SELECT id FROM feed_lanes WHERE role = ?", (PRESENT,)).fetchone()[0]

    def look(self):
        """The time is taken before: a change found may be younger, never older."""
        now = time.monotonic()
        for lane, seq in self._connection.execute("SELECT id, seq FROM feed_lanes"):
            seen = self.seen[lane]
            if not seen or seen[-1][1] < seq:
                seen.append((now, seq))


class Lanes(threading.Thread):
    """Looks for as long as the block lasts."""

    def __init__(self, directory, cells):
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._databases = {(cell, owner): _Database(directory / cell / "data" / (owner + ".db"))
                           for cell in cells for owner in OWNERS}
        self._present = {place: database.present() for place, database in self._databases.items()}
        self._failure = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        if self._failure:
            raise self._failure

    def run(self):
        due = time.monotonic()
        try:
            while not self._over.wait(max(0.0, due - time.monotonic())):
                due = max(due + LOOK_EVERY_S, time.monotonic())
                for database in self._databases.values():
                    database.look()
        except Exception as error:  # shown by who waits for it
            self._failure = error

    def written(self, begin, end):
        """Changes of all writers between two times."""
        return sum(self._number(place, end) - self._number(place, begin) for place in self._databases)

    def held_everywhere(self):
        """Does every cell hold what each writer has, by what was seen last?"""
        now = time.monotonic()
        return all(self._at(seen, now) >= self._number(writer, now)
                   for writer, lane in self._present.items()
                   for place, database in self._databases.items() if place[1] == writer[1]
                   for seen in [database.seen[lane]])

    def lags(self, begin, end):
        """Of every change that was written between two times, and of every cell of other regions that has it: how much later,
        in seconds. And how many it has not."""
        lags, missing = [], 0
        for (cell, owner), lane in self._present.items():
            written = self._databases[(cell, owner)].seen[lane]
            for (other, its), database in self._databases.items():
                if its == owner and other.split("/")[0] != cell.split("/")[0]:
                    more, without = _compare(written, database.seen[lane], begin, end)
                    lags += more
                    missing += without
        return lags, missing

    def _number(self, place, now):
        return self._at(self._databases[place].seen[self._present[place]], now)

    @staticmethod
    def _at(seen, now):
        """The last number that was found by then."""
        at = bisect.bisect_right(seen, (now, float("inf")))
        return seen[at - 1][1] if at else 0


def _compare(written, held, begin, end):
    """Both by number. The first look found what was there before, which has no time."""
    lags, missing, at = [], 0, 0
    for (_, before), (then, seq) in zip(written, written[1:]):
        if not begin <= then < end:
            continue
        for number in range(before + 1, seq + 1):
            while at < len(held) and held[at][1] < number:
                at += 1
            if at == len(held):
                missing += 1
            elif at > 0:
                lags.append(max(0.0, held[at][0] - then))
    return lags, missing


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
