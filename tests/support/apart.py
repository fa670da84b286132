"""A mesh of `keyward mesh make`, run as containers would run it: each service in a network namespace of its own, as the user of the images, with its
own directory at /var/lib/keyward and nothing else that it could write; names by /etc/hosts. After netns.enter(), as root.

    with ApartMesh(binary, folder, cells=3, running=("r1/a", "r2/a")) as mesh:
        mesh.keyward("status")                  # what `docker compose run keyward status` does
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "deploy"))

import netns
import pods
import postgres_mesh

STATE = "/var/lib/keyward"
SERVICES = ("redis", "sql", "cryptocore", "orchestrator", "authz", "replicator", "gateway")
POSTGRES_BIN = postgres_mesh.programs()
INIT_SQL = "/docker-entrypoint-initdb.d"
POINTS = (STATE, INIT_SQL, "/var/run/postgresql", "/usr/local/bin")
# What the official image does with an empty PGDATA, and then.
SQL_ENTRY = HERE.parent / "containers/stand-ins/postgres.sh"
SQL_ENV = {"POSTGRES_USER": "keyward", "POSTGRES_PASSWORD_FILE": STATE + "/postgres.password", "POSTGRES_INITDB_ARGS": "--data-checksums", "PGDATA": STATE + "/data"}
POSTGRES = ("-cssl=on", "-cssl_cert_file=%s/cert.pem" % STATE, "-cssl_key_file=%s/key.pem" % STATE, "-chba_file=%s/pg_hba.conf" % STATE)
MAKE_S, START_S, STOP_S, CALL_S = 200, 120, 60, 300


def mount(name, path):
    return {"name": name, "mountPath": path}


def container(service):
    """As compose.yaml has it."""
    made = {"name": service, "volumeMounts": [mount("state", STATE), mount("tmp", "/tmp")], "env": [], "args": ["--config=%s/settings.yaml" % STATE]}
    if service == "redis":
        made.update(command=["/usr/bin/redis-server"], args=["%s/redis.conf" % STATE])
    if service == "cryptocore":
        made["env"] = [{"name": "SOFTHSM2_CONF", "value": STATE + "/softhsm2.conf"}]
    if service == "sql":
        made.update(command=["/bin/bash", str(SQL_ENTRY), "postgres"], args=[*POSTGRES])
        made["volumeMounts"] += [mount("state", INIT_SQL), mount("run", "/var/run/postgresql")]
        made["env"] = [{"name": name, "value": value} for name, value in {"PATH": "/usr/bin:/bin:%s" % POSTGRES_BIN, **SQL_ENV}.items()]
    return made


@contextlib.contextmanager
def points():
    """Places to mount at, which are there while the program runs and hold nothing that is seen outside."""
    new = []
    for point in POINTS:
        part = pathlib.Path(point)
        while not part.exists():
            new, part = [part, *new], part.parent
    for part in new:
        part.mkdir(exist_ok=True)
    try:
        yield
    finally:
        for part in reversed(new):
            part.rmdir()


class ApartMesh:
    """All cells are made, and those `running` run."""

    def __init__(self, binary, folder, cells=1, running=("r1/a", "r2/a")):
        self.folder, self.directory = folder, folder / "mesh"
        self._binary = os.path.abspath(binary)
        self._running = running
        self._make(cells)
        names = [cell.replace("/", "-") + "-" + service for cell in running for service in SERVICES]
        self.pods = {name: self._pod(name) for name in [*names, "officer"]}
        self.network = netns.Network(list(self.pods))
        self._mounts = [(self._write("hosts", self._hosts()), "/etc/hosts"), (self._write("passwd", "keyward:x:%d:%d::/:/bin/false\n" % (pods.UID, pods.UID)), "/etc/passwd"),
                        (self._write("resolv.conf", "nameserver 127.0.0.1\n"), "/etc/resolv.conf"), (self._null(), "/dev/null"), (os.path.dirname(self._binary), "/usr/local/bin")]

    def _make(self, cells):
        """As the image does, as its user."""
        self.folder.chmod(0o755)
        self.directory.mkdir(exist_ok=True)
        os.chown(self.directory, pods.UID, pods.UID)
        subprocess.run(["setpriv", "--reuid", str(pods.UID), "--regid", str(pods.UID), "--clear-groups", self._binary, "mesh", "make",
                        "--dir=%s" % self.directory, "--cells=%d" % cells], check=True, text=True, capture_output=True, timeout=MAKE_S)

    def start(self):
        """Stores first, as they are healthy before who needs them."""
        for service in SERVICES:
            for cell in self._running:
                name = cell.replace("/", "-") + "-" + service
                self.pods[name].run(self.network, self._mounts)
                if service == "sql":
                    self._await_sql(name)

    def _await_sql(self, name):
        words = [str(POSTGRES_BIN / "pg_isready"), "-q", "-h", self.network.address(name)]
        end = time.monotonic() + START_S
        while subprocess.run(words, check=False).returncode != 0:
            assert self.pods[name].processes[0].poll() is None and time.monotonic() < end, self.pods[name].log()
            os.sched_yield()

    def stop(self):
        """From outside in; the exit status of each."""
        names = [cell.replace("/", "-") + "-" + service for service in reversed(SERVICES) for cell in self._running]
        return {name: self.pods[name].stop(STOP_S)[0] for name in names if self.pods[name].processes}

    def logs(self):
        """The ends of all, for whoever reads a failure."""
        return "".join("---- %s\n%s" % (name, pod.log()[-1500:]) for name, pod in self.pods.items() if pod.processes)

    def keyward(self, *words):
        """The command in its container: no shell and no other program, nothing it could write but /tmp and its volume."""
        made = {"name": "keyward", "volumeMounts": [mount("state", STATE), mount("tmp", "/tmp")],
                "command": ["/usr/bin/env", "PATH=/nowhere", "KEYWARD_CONFIG=%s/cli.yaml" % STATE, "/usr/local/bin/keyward", *words]}
        pod = self.pods["officer"]
        code = pod.start(self.network, made, self._mounts).wait(CALL_S)
        return code, pod.log("keyward")

    def _pod(self, name):
        parts = name.split("-")
        own = "officer" if name == "officer" else "/".join(parts)
        pod = pods.Pod(name, {"containers": [container(parts[-1])]} if name != "officer" else {}, self.folder / name)
        pod.folder.mkdir()
        pod.volumes = {"state": self.directory / own, "tmp": pods.own(pod.folder / "tmp"), "run": pods.own(pod.folder / "run")}
        return pod

    def _hosts(self):
        return "\n".join(["127.0.0.1 localhost", *("%s %s" % (self.network.address(name), name) for name in self.pods)]) + "\n"

    def _write(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    def _null(self):
        path = self.folder / "null"
        subprocess.run(["mknod", "--mode=666", str(path), "c", "1", "3"], check=True)
        return path
