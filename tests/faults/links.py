"""The links between cells, by way of the fault proxy: each can be made to go wrong while the mesh runs."""
import contextlib
import re
import signal
import sys
import pathlib

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "support")]

import cells  # isort: first, makes the others importable

from fault_proxy import FaultProxy
from mesh import eventually
from processes import Processes, send

ADDRESS = re.compile(r"(\w+/\w+)=([\d.:]+)")


def linked(a, b):
    """As replicators have it: all of a region, and the same letter in every region."""
    (region, letter), (other_region, other_letter) = a.split("/"), b.split("/")
    return a != b and (region == other_region or letter == other_letter)


class Links(contextlib.AbstractContextManager):
    """Takes the replicators of a running mesh into its links: each calls its peers by the proxy from now on.

    Of two cells that are linked the one whose name comes first calls, so "up" is from that one to the other."""

    def __init__(self, mesh_cells, program):
        self.cells, self._links = mesh_cells, {}
        self._proxy = FaultProxy(program)
        try:
            for cell in mesh_cells.names:
                self._reroute(cell)
            mesh_cells.await_whole()
        except BaseException:
            self._proxy.close()
            raise

    def __exit__(self, *_):
        assert self._proxy.close() == 0, "the fault proxy did not end cleanly"

    def between(self, a, b):
        return self._links[min(a, b), max(a, b)]

    def cut(self, a, b):
        """Nothing of what is sent arrives, and nobody is told."""
        self.between(a, b).set(half_open=1)

    def cut_one_way(self, a, b):
        """Nothing of what a sends to b arrives."""
        self.between(a, b).set("up" if a < b else "down", half_open=1)

    def heal(self):
        for link in self._links.values():
            link.heal()

    def all(self):
        return list(self._links.values())

    def _reroute(self, cell):
        settings = self.cells.mesh.directory / cell / "config" / "replicator.yaml"

        def by_proxy(match):
            peer, address = match.groups()
            if not linked(cell, peer) or peer < cell:
                return match[0]
            self._links[cell, peer] = self._proxy.link(address)
            return "%s=%s" % (peer, self._links[cell, peer].address)

        settings.write_text(ADDRESS.sub(by_proxy, settings.read_text()))
        processes = Processes(self.cells.mesh, cell)
        old = processes.first("replicator")
        send(old, signal.SIGKILL)
        eventually("another replicator of %s" % cell, lambda: processes.first("replicator") not in (None, old) and
                   processes.is_ready("replicator"))
