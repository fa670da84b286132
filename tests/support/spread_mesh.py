"""A mesh of `keyward up` whose cells are on hosts of their own (netns.py), or whose replicators take another way to one another.

    with SpreadMesh(binary, network, {"r1/a": "west", "r2/a": "east"}) as mesh:
        mesh.target_of("r2/a")                             # its gateway
        mesh.route("r1/a", "r2/a", "10.77.1.254:4711")     # from now on r1/a calls r2/a there: a fault proxy's address

`up` starts services by the path of its own program. Beside a copy of that program lie scripts under the services' names, which put
the addresses right in the settings, from a copy of what `up` wrote, and go on as the service, in the namespace of its host.
A cell without a host stays where `up` is."""
import os
import pathlib
import re
import shlex
import shutil
import signal
import tempfile

from mesh import Mesh, eventually
from processes import Processes

HERE = "127.0.0.1"
SCRIPT = """#!/bin/sh
config=${{1#--config=}}
case "$1" in
init | complete) echo "edge_hosts: [ {edge_hosts} ]" >>"${{2#--config=}}" ;;
esac
case "$config" in
{cells}
*) exec {program} "$@" ;;
esac
[ -e "$config.up" ] || cp -p "$config" "$config.up"
sed -f "{directory}/all.sed" -f "{directory}/$cell.sed" "$config.up" >"$config.new" && mv "$config.new" "$config" || exit 1
exec $enter {program} "$@"
"""


class SpreadMesh(Mesh):
    """`hosts`: cell to host of the network; both may be absent. The rest is Mesh's."""

    def __init__(self, binary, network=None, hosts=None, words=(), **environment):
        self._network, self._hosts = network, hosts or {}
        self._programs = tempfile.TemporaryDirectory(prefix="keyward-spread-")
        directory = pathlib.Path(self._programs.name)
        regions, cells = (int(word.partition("=")[2]) for word in words[:2])
        self.cells = ["r%d/%s" % (i + 1, "abc"[j]) for i in range(regions) for j in range(cells)]
        self._routes = {cell: {} for cell in self.cells}
        (directory / "all.sed").write_text("".join("s#%s=%s:#%s=%s:#g\n" % (cell, HERE, cell, self.address(cell))
                                                   for cell in self.cells))
        for cell in self.cells:
            self._write_routes(cell)
        self._copy(pathlib.Path(binary).resolve().parent, directory)
        super().__init__(directory / "keyward", words=words, **environment)
        self.target = self.target_of(self.cells[0])
        for settings in self.directory.glob("cli*.yaml"):
            self._correct(settings)

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self._programs.cleanup()

    def address(self, cell):
        return self._network.address(self._hosts[cell]) if cell in self._hosts else HERE

    def target_of(self, cell):
        ready = (self.directory / cell / "run" / "gateway.ready").read_text()
        return "%s:%s" % (self.address(cell), re.search(r"port=(\d+)", ready)[1])

    def metrics_url(self, service, cell="r1/a"):
        return super().metrics_url(service, cell).replace(HERE, self.address(cell))

    def replicator_address(self, cell):
        """Where it listens, whatever others are told."""
        settings = (self.directory / cell / "config" / "replicator.yaml").read_text()
        return re.search(r"^listen: (\S+)", settings, re.M)[1]

    def route(self, caller, called, address):
        """Where one replicator calls another; None: at its own address. It is started anew to take that, and this returns when
        it is there."""
        self._routes[caller].pop(called, None)
        if address:
            self._routes[caller][called] = address
        self._write_routes(caller)
        processes = Processes(self, caller)
        before = processes.first("replicator")
        os.kill(before, signal.SIGTERM)
        eventually("another replicator in " + caller,
                   lambda: processes.first("replicator") not in (None, before) and processes.is_ready("replicator"))

    def _correct(self, settings):
        """Those of the command: which gateway it calls."""
        text = settings.read_text()
        cell = "/".join(re.search(r"/region/(\w+)/cell/(\w+)/", text).groups())
        settings.write_text(text.replace("target: " + HERE, "target: " + self.address(cell)))

    def _write_routes(self, cell):
        """All that is this machine's to `up` is the host's; what is told of others has their addresses by then."""
        name = cell.replace("/", "-")
        lines = ["s#%s=[0-9.:]*#%s=%s#" % (called, called, address) for called, address in self._routes[cell].items()]
        lines.append("/^cells:/!s#%s:#%s:#g" % (re.escape(HERE), self.address(cell)))
        (pathlib.Path(self._programs.name) / (name + ".sed")).write_text("\n".join(lines) + "\n")

    def _copy(self, source, directory):
        shutil.copy(source / "keyward", directory)
        for program in source.glob("keyward-*"):
            if program.name == "keyward-hsm-worker":
                (directory / program.name).symlink_to(program)
            else:
                self._write_script(directory, program)

    def _write_script(self, directory, program):
        cells = "\n".join("*/%s/config/*) cell=%s enter=%s ;;" % (cell, cell.replace("/", "-"), shlex.quote(self._enter(cell)))
                          for cell in self.cells)
        script = directory / program.name
        script.write_text(SCRIPT.format(cells=cells, directory=directory, program=shlex.quote(str(program)),
                                        edge_hosts=", ".join(self._edge_hosts())))
        script.chmod(0o755)

    def _edge_hosts(self):
        """What gateways' certificates are for."""
        return ["localhost", *sorted({HERE, *(self.address(cell) for cell in self.cells)})]

    def _enter(self, cell):
        return " ".join(self._network.argv(self._hosts[cell])) if cell in self._hosts else ""
