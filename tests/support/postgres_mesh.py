"""A mesh of `keyward up` whose owners have their databases in PostgreSQL: a server for each cell, in a temporary directory, reached by a socket
there; with more instances of authz on the first cell's database, each behind a gateway of its own.

`keyward up` starts what lies beside its program: here that is a copy of it, and scripts that start an owner with `store_url`.
"""
import glob
import os
import pathlib
import pwd
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

OWNERS = ("authz", "orchestrator")
PATIENCE_S = 60
# initdb needs /dev/null, which may be root's alone: it gets one of its own, and another user, since PostgreSQL refuses to be root.
AS_USER = """null=$1 user=$2; shift 2
mknod -m 666 "$null" c 1 3 2>/dev/null; mount --bind "$null" /dev/null
exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
"""


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return pathlib.Path(found[-1]) if found else None


class Server:
    """Made, started, killed, and replaced by a copy of itself."""

    def __init__(self, directory):
        self.directory, self._process = pathlib.Path(directory), None
        self.directory.mkdir(mode=0o755)
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.directory, self._user)
        self._data = "data"
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "keyward", "--locale=C", "-E", "UTF8",
                  "--data-checksums", "--no-sync")
        self.start()
        for name in OWNERS:
            self.sql("CREATE DATABASE " + name)

    @property
    def data(self):
        return self.directory / self._data

    def url(self, name):
        return "postgresql://keyward@/%s?host=%s" % (name, self.directory)

    def start(self):
        log = open(self.directory / "log", "ab")
        self._process = subprocess.Popen(self._words("postgres", "-D", self.data, "-k", self.directory, "-c", "listen_addresses=",
                                                     "-c", "max_connections=60"), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        end = time.monotonic() + PATIENCE_S
        while subprocess.run([programs() / "pg_isready", "-q", "-h", self.directory]).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < end, (self.directory / "log").read_text()
            os.sched_yield()

    def kill(self):
        """All of its processes, at once and without a warning. None is left: one that still ends holds the memory that they share."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)  # it starts no more
        children = pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()
        ends = [os.pidfd_open(child) for child in [*map(int, children), pid]]
        for end in ends:
            signal.pidfd_send_signal(end, signal.SIGKILL)
        for end in ends:
            assert select.select([end], [], [], PATIENCE_S)[0], "a process of the server does not end"
            os.close(end)
        self._process.wait(PATIENCE_S)

    def copy(self):
        """As a standby has it that hears nothing from now on."""
        self._run("pg_basebackup", "-h", self.directory, "-U", "keyward", "-D", self.directory / "standby", "-X", "stream", "-c", "fast", "--no-sync")

    def promote(self):
        """That standby takes the place of the server, which is gone, on a timeline of its own."""
        self._data = "standby"
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._run("/usr/bin/touch", self.data / "standby.signal")
        self.start()
        self.sql("SELECT pg_promote(true, %d)" % PATIENCE_S)

    def sql(self, statement, database="postgres"):
        return subprocess.run([programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement],
                              check=True, text=True, capture_output=True, timeout=PATIENCE_S).stdout.strip()

    def close(self):
        if self._process.poll() is None:
            self.kill()

    def _run(self, program, *words):
        subprocess.run(self._words(program, *words), check=True, capture_output=True, timeout=PATIENCE_S)

    def _words(self, program, *words):
        line = [str(programs() / program), *map(str, words)]  # an absolute program stays
        if not self._user:
            return line
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", AS_USER, "as-user", str(self.directory / "null"), self._user, *line]


def is_possible():
    """PostgreSQL is here, and may be started."""
    return programs() is not None and (os.geteuid() != 0 or "postgres" in {one.pw_name for one in pwd.getpwall()})


SCRIPT = """#!/bin/sh
cell=$(echo "$*" | sed -n 's,.*--config=.*/\\([^/]*/[^/]*\\)/config/.*,\\1,p' | tr / -)
exec {program} "$@" --database= "--store_url=postgresql://keyward@/{name}?host={servers}/$cell"
"""


class Folder:
    """Servers of the cells, and a folder of programs in which owners use them. `keyward` is for Mesh."""

    def __init__(self, binary, cells):
        self._temporary = tempfile.TemporaryDirectory(prefix="keyward-pg-")
        root = pathlib.Path(self._temporary.name)
        root.chmod(0o755)
        self.servers = {cell: Server(root / cell.replace("/", "-")) for cell in cells}
        self._bin = root / "bin"
        self._bin.mkdir()
        self.real = pathlib.Path(binary).resolve().parent
        for program in self.real.glob("keyward-*"):
            (self._bin / program.name).symlink_to(program)
        for name in OWNERS:
            script = self._bin / ("keyward-" + name)
            script.unlink()
            script.write_text(SCRIPT.format(program=self.real / script.name, name=name, servers=root))
            script.chmod(0o755)
        shutil.copy(binary, self._bin / "keyward")
        self.keyward = str(self._bin / "keyward")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.close()
        self._temporary.cleanup()


class Instance:
    """One more authz on the database of a cell, as writer `number`, and a gateway before it: `target`."""

    def __init__(self, folder, mesh, cell, number):
        config = mesh.directory / cell / "config"
        self._mesh, self._number, self._processes = mesh, number, {}
        self._words = [str(pathlib.Path(folder.keyward).with_name("keyward-authz")), "--config=%s" % (config / "authz.yaml"),
                       "--writer=%d" % number, "--feed_listen=127.0.0.1:0"]
        self._port = self._start("authz", self._words, 0)
        gateway = [str(folder.real / "keyward-gateway"), "--config=%s" % (config / "gateway.yaml"), "--targets=127.0.0.1:%d" % self._port]
        self.target = "127.0.0.1:%d" % self._start("gateway", gateway, 0)

    def begin_again(self):
        """It ended, and begins again where it was, as its supervisor has it."""
        code = self._processes["authz"].wait(PATIENCE_S)
        assert code != 0, "it ended by itself, as if it had been told to"
        self._processes["authz"].stdout.close()
        self._start("authz", self._words, self._port)

    def _start(self, name, words, port):
        log = open(self._mesh.temporary / ("%s-%d.log" % (name, self._number)), "ab")
        process = subprocess.Popen([*words, "--listen=127.0.0.1:%d" % port, "--metrics_listen=127.0.0.1:0"],
                                   stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        self._processes[name] = process
        for line in process.stdout:
            if ready := re.match(r"READY .*?port=(\d+)", line):
                return int(ready[1])
        raise AssertionError("%s did not become ready: %s" % (name, pathlib.Path(log.name).read_text()[-3000:]))

    def close(self):
        for process in reversed(self._processes.values()):
            process.terminate()
            process.wait(PATIENCE_S)
            process.stdout.close()
