"""compose.yaml, run by an engine: as its first lines say, under a project name of its own where the engine is not ours."""
import json
import os
import pathlib
import socket
import sys
import threading
import time

import engine as engines

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests/interop"))

from metrics import rows

REGIONS, CELLS = ("r1", "r2"), ("a", "b", "c")
SERVICES = ("cryptocore", "orchestrator", "authz", "replicator", "gateway")
METRICS = "http://%s:9464/metrics"
READ = ("python3", "-c", "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=5).read())")
STATE = "/var/lib/keyward"
UP_S, READY_S = 300, 240
LINES = 25


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def eventually(what, condition, limit_s=READY_S):
    """The condition's value, once it is true."""
    end, nap = time.monotonic() + limit_s, threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise engines.Failed("not in %d s: %s" % (limit_s, what))
        nap.wait(0.2)
    return value


def health_of(container):
    return container["State"].get("Health", {}).get("Status") if container["State"]["Running"] else "not running"


class Compose:
    def __init__(self, engine, tag, stores):
        self.engine, self.words = engine, engine.compose_command()
        self.has_wait = self.words[-1] == "compose"
        # Docker's own command beside it, where compose has it build or read images.
        path = ":".join([*filter(None, [os.path.dirname(engines.client())]), os.environ["PATH"]])
        self.ports = {"%s-%s" % (region, cell): 8443 + 1000 * r + c for r, region in enumerate(REGIONS) for c, cell in enumerate(CELLS)}
        self.env = dict(engine.env, **stores, KEYWARD_TAG=tag, PATH=path)
        self.profiles, self.project = [], "keyward"
        if not engine.own:
            self.apart()

    def apart(self):
        """From a mesh of somebody's on the same engine."""
        self.project = "keyward-test-%d" % os.getpid()
        self.env.update(COMPOSE_PROJECT_NAME=self.project, KEYWARD_NET="10.214")
        for cell in self.ports:
            self.ports[cell] = free_port()
            self.env["KEYWARD_%s_PORT" % cell.upper().replace("-", "_")] = str(self.ports[cell])

    def compose(self, *arguments, timeout=UP_S):
        profiles = [word for profile in self.profiles for word in ("--profile", profile)]
        return engines.run([*self.words, *profiles, *arguments], timeout=timeout, env=self.env, cwd=TOP)

    # --- the life of it ---

    def up(self):
        """Returns when all are healthy."""
        if self.has_wait:
            self.compose("up", "--no-build", "--wait", "--wait-timeout", str(READY_S))
        else:
            self.compose("up", "--no-build", "--detach")
            engines.run(["docker/wait.sh", str(READY_S)], env=self.env, cwd=TOP, timeout=2 * READY_S)

    def down(self, *options):
        self.compose("down", *options)

    # --- containers ---

    def names(self, *cells):
        """All services of these cells."""
        return ["%s-%s" % (cell, part) for cell in cells for part in (*SERVICES, "redis", "sql")]

    def containers(self):
        """Service → what the engine knows of its container; without those of single commands."""
        ids = self.engine.docker("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=" + self.project,
                                 "--filter", "label=com.docker.compose.oneoff=False").split()
        found = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def await_healthy(self, *services):
        def healthy():
            there = self.containers()
            return all(service in there and health_of(there[service]) == "healthy" for service in services)
        eventually("healthy: " + " ".join(services), healthy)

    def ailing(self):
        """The last words of whoever is not as it should be."""
        said = []
        for service, one in self.containers().items():
            state = one["State"]
            if health_of(one) != "healthy" and (state["Status"], state["ExitCode"]) != ("exited", 0):
                checks = state.get("Health", {}).get("Log") or [{"Output": ""}]
                said.append("--- %s: %s, exit %d; health check: %s" % (service, state["Status"], state["ExitCode"], checks[-1]["Output"].strip()))
                said.append(self.engine.docker_words("logs", "--tail", str(LINES), one["Id"]))
        return "\n".join(said)

    # --- what is in it ---

    def keyward(self, *words):
        """One command of the officer's, as anybody would run it."""
        return self.compose("run", "--rm", "-T", "keyward", *words)

    def asked(self, *words):
        """The same, and the answer read."""
        return json.loads(self.keyward(*words, "-o", "json"))

    def fetch(self, path, target):
        """A directory out of the command's volume, whoever may read it there."""
        name = self.project + "-fetch"
        self.engine.docker("create", "--name", name, "--volume", self.project + "_officer:" + STATE, "keyward/keyward:" + self.env["KEYWARD_TAG"])
        try:
            self.engine.docker("cp", "%s:%s/%s" % (name, STATE, path), str(target))
        finally:
            self.engine.docker("rm", "--force", name)

    def metrics(self, service, containers=None, at="127.0.0.1"):
        """name{labels} → value. A container shows them to itself alone, and so is asked in there."""
        pid = (containers or self.containers())[service]["State"]["Pid"]
        return rows(self.engine.inside(pid, *READ, METRICS % at))
