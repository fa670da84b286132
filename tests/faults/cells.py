"""The cells of a mesh from outside: commands, gateways, metrics; ended and started."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time
import types

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ("interop", "chaos")]

import stubs  # isort: first, makes the others importable

import actors
from mesh import eventually
from metrics import Metrics

OWNERS = ("authz", "orchestrator")
COMMAND_S = 180
CUT_OFF_MS = 2000  # a promise as old as this is of somebody who was not heard


class Cells:
    """All of them, by their names: REGION/CELL."""

    def __init__(self, mesh, binary):
        self.mesh, self._binary = mesh, binary
        self.names = sorted(str(path.parent.relative_to(mesh.directory)) for path in mesh.directory.glob("*/*/config"))

    def command(self, cell, *words):
        """A command as the officer, by that cell's gateway."""
        return subprocess.run([self._binary, *words], timeout=COMMAND_S, text=True, capture_output=True,
                              env={**os.environ, "KEYWARD_CONFIG": str(self._settings(cell))})

    def turn(self, verb, *cells):
        """`cell stop`, `kill` or `start`, of all of them at once. When the last was done (time.monotonic)."""
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            for ended in pool.map(lambda cell: self.command(cell, "cell", verb, cell), cells):
                assert ended.returncode == 0, ended.stderr
        return time.monotonic()

    def at(self, cell):
        """As much of a mesh as a client needs that speaks with this cell."""
        settings = dict(line.split(": ", 1) for line in self._settings(cell).read_text().splitlines())
        return types.SimpleNamespace(target=settings["target"], root_file=pathlib.Path(settings["ca_file"]),
                                     directory=self.mesh.directory)

    def officer(self, cell):
        return actors.Officer(self.at(cell))

    def metrics(self, service, cell):
        return Metrics.at(self.mesh.metrics_url(service, cell)).read()

    def total(self, name, services=OWNERS, cells=None):
        """Of one metric, in all of these cells."""
        return sum(self.metrics(service, cell).get(name, 0) for service in services for cell in cells or self.names)

    def ages(self, cell, service="authz"):
        """Cell → ms since its newest promise that is held here."""
        head = 'keyward_feed_promise_age_milliseconds{origin="'
        return {name[len(head):-2]: value for name, value in self.metrics(service, cell).items() if name.startswith(head)}

    def hear_one_another(self, cells=None):
        """Each has a promise of each other one, by both owners, that is not old."""
        cells = cells or self.names
        return all(self.ages(cell, service).get(other, CUT_OFF_MS) < CUT_OFF_MS
                   for cell in cells for service in OWNERS for other in cells if other != cell)

    def await_whole(self, cells=None):
        eventually("all cells hear one another", lambda: self.hear_one_another(cells))

    def repaired(self):
        """Rows that had to be mended though all lanes were equal, in all cells."""
        return self.total('keyward_feed_repaired_total{lanes="equal"}')

    def _settings(self, cell):
        return self.mesh.directory / ("cli-%s.yaml" % cell.replace("/", "-"))
