"""The processes of a mesh, as they are now. Only by what /proc shows to everybody: a service hides the rest, also from
its own user (common/harden)."""
import os
import pathlib
import re
import urllib.request

SERVICES = ("gateway", "authz", "orchestrator", "cryptocore")
PROGRAMS = {**{name: "keyward-" + name for name in SERVICES}, "worker": "keyward-hsm-worker", "redis": "redis-server"}


def children(pid):
    """(id, program) of the processes right below one."""
    try:
        lists = [path.read_text() for path in pathlib.Path("/proc/%d/task" % pid).glob("*/children")]
    except OSError:
        return  # gone meanwhile
    for child in " ".join(lists).split():
        if is_alive(int(child)):
            try:
                words = pathlib.Path("/proc", child, "cmdline").read_text()
            except OSError:
                continue  # gone meanwhile
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
    """Those of one mesh, by its parts: the services, "worker" and "redis"."""

    def __init__(self, mesh):
        self._mesh = mesh

    def find(self, part):
        """Ids of a part; several of "worker", none while it is gone."""
        parent = self._mesh.pid
        if part == "worker":
            core = self.find("cryptocore")
            parent = core[0] if core else -1
        return [pid for pid, program in children(parent) if program == PROGRAMS[part]]

    def first(self, part):
        """The id of a part, or None."""
        return next(iter(self.find(part)), None)

    def is_ready(self, service):
        try:
            with urllib.request.urlopen(self._mesh.metrics_url(service) + "/readyz", timeout=1) as page:
                return page.status == 200
        except OSError:  # not there, or not ready
            return False

    def missing(self, workers):
        """The parts that are not there or not ready."""
        return [part for part, there in (("worker", len(self.find("worker")) >= workers),
                                         ("redis", bool(self.find("redis"))),
                                         *((service, self.is_ready(service)) for service in SERVICES)) if not there]

    def all_ready(self, workers):
        return not self.missing(workers)
