"""The processes of a mesh, as they are now. Only by what /proc shows to everybody: a service hides the rest, also from
its own user (common/harden)."""
import os
import pathlib
import re
import urllib.request

from mesh import FIRST

SERVICES = ("gateway", "authz", "orchestrator", "cryptocore")
OURS = (*SERVICES, "replicator")
PROGRAMS = {**{name: "keyward-" + name for name in OURS}, "worker": "keyward-hsm-worker", "redis": "redis-server"}


def command_line(pid):
    """As it shows itself, words between NULs; empty when it is gone."""
    try:
        return pathlib.Path("/proc", str(pid), "cmdline").read_text()
    except OSError:
        return ""


def children(pid):
    """(id, program) of the processes right below one."""
    try:
        lists = [path.read_text() for path in pathlib.Path("/proc/%d/task" % pid).glob("*/children")]
    except OSError:
        return  # gone meanwhile
    for child in " ".join(lists).split():
        words = command_line(child) if is_alive(int(child)) else ""
        if words:  # else gone meanwhile
            yield int(child), pathlib.Path(re.split(r"[\0 ]", words)[0]).name  # Redis makes one word of it


def descendants(pid):
    """(id, program) of all processes below one."""
    for child, program in children(pid):
        yield child, program
        yield from descendants(child)


def is_alive(pid):
    """And is no zombie that waits for its parent."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def send(pid, number):
    """A signal; nothing happens when there is no such process (any more)."""
    try:
        if pid is not None:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


class Processes:
    """Those of one cell, by its parts: the services, "worker" and "redis"."""

    def __init__(self, mesh, cell=FIRST):
        self._mesh, self._cell = mesh, cell

    def find(self, part):
        """Ids of a part; several of "worker", none while it is gone."""
        if part == "worker":
            core = self.find("cryptocore")
            return [pid for pid, program in children(core[0] if core else -1) if program == PROGRAMS[part]]
        place = "%s/%s/" % (self._mesh.directory, self._cell)  # of the settings, or the socket, that it was given
        return [pid for pid, program in children(self._mesh.pid)
                if program == PROGRAMS[part] and place in command_line(pid)]

    def first(self, part):
        """The id of a part, or None."""
        return next(iter(self.find(part)), None)

    def is_ready(self, service):
        try:
            with urllib.request.urlopen(self._mesh.metrics_url(service, self._cell) + "/readyz", timeout=1) as page:
                return page.status == 200
        except OSError:  # not there, or not ready
            return False

    def missing(self, workers):
        """The parts that are not there or not ready."""
        return [part for part, there in (("worker", len(self.find("worker")) >= workers),
                                         ("redis", bool(self.find("redis"))),
                                         *((service, self.is_ready(service)) for service in OURS)) if not there]

    def all_ready(self, workers):
        return not self.missing(workers)
