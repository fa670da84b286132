"""A Docker engine to test with: the one that runs on this machine, else one of our own, of which nothing is left.

Ours has namespaces of its own: processes, so that whatever it started ends with the one process that we end; mounts; and the network, so that
its bridges, its firewall rules and the ports it publishes touch nothing outside. Nothing is reached from in there either, so images are built
by an engine that shares the machine's network and has no bridge.
"""
import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
PROBE = "keyward-probe"
# What compose.yaml asks of an engine: one in a sandbox may not be allowed to give it.
CONFINED = ("--cap-drop=ALL", "--read-only", "--security-opt=no-new-privileges:true", "--user=65532:65532", "--memory=512m", "--pids-limit=100",
            "--cpus=1", "--ulimit=core=0", "--ulimit=nofile=4096:4096", "--ulimit=memlock=8388608:8388608")
START_S, STOP_S, COMMAND_S = 60, 60, 900

# The first process of the namespaces: it sees to the daemon's end, and takes in what loses its parent.
FIRST = """
network=$1; shift
[ "$network" = own ] && ip link set lo up
trap 'kill -TERM $daemon' TERM
dockerd "$@" &
daemon=$!
while kill -0 $daemon 2>/dev/null; do wait $daemon; done
"""
TABLES = {"own": ["--bridge=none"], "host": ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]}


class NoEngine(Exception):
    """None runs, and none of ours would start; why."""


class Failed(Exception):
    """A command ended badly; what it said."""


def run(command, timeout=COMMAND_S, **options):
    """What a command wrote to stdout. Fails: Failed, with all it wrote."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False, **options)
    except subprocess.TimeoutExpired as late:
        raise Failed("%s: not done in %d s" % (" ".join(map(str, command)), timeout)) from late
    if done.returncode != 0:
        raise Failed("%s: exit %d\n%s%s" % (" ".join(map(str, command)), done.returncode, done.stdout[-4000:], done.stderr[-4000:]))
    return done.stdout


def answers(command, **options):
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False, **options).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def client():
    """Debian's first: another one may lack the builder that its engine needs."""
    return "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else "docker"


def groups_remove(name):
    """The control groups that an engine leaves behind, of either version; they are busy until the last process has gone."""
    top = pathlib.Path("/sys/fs/cgroup")
    for group in [top / name, *top.glob("*/" + name)]:
        deadline, nap = time.monotonic() + STOP_S, threading.Event()
        for folder in [*sorted(group.glob("**/"), reverse=True)] if group.is_dir() else []:
            while folder.is_dir():
                try:
                    folder.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    nap.wait(0.05)


class Engine:
    """Either: `docker` runs its commands, in `env`."""
    own = False
    build_options = ()
    storage = None

    def __init__(self):
        self.env = dict(os.environ, DOCKER_BUILDKIT="1")

    def docker(self, *arguments, **options):
        return run([client(), *arguments], env=self.env, **options)

    def docker_words(self, *arguments):
        """What a command says on both streams, however it ends."""
        done = subprocess.run([client(), *arguments], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_S, check=False)
        return done.stdout

    def must_run(self, image, *words, network="host", confined=()):
        """A container. Fails: NoEngine, for one that runs none is none, whatever it answers."""
        try:
            self.docker("run", "--rm", "--network=" + network, *confined, image, *words)
        except Failed as why:
            raise NoEngine("an engine answers, but it does not run %s: %s" % (words[0], str(why).strip().splitlines()[-1])) from why

    def must_network(self, image):
        """One as ours are, in a network of the engine's own. Fails: the same."""
        try:
            self.docker("network", "create", PROBE)
        except Failed as why:
            raise NoEngine("an engine answers, but it makes no network: " + str(why).strip().splitlines()[-1]) from why
        self.must_run(image, "true", network=PROBE, confined=CONFINED)
        self.docker("network", "rm", PROBE)

    def compose_command(self):
        if answers([client(), "compose", "version"], env=self.env):
            return [client(), "compose"]
        return ["docker-compose"]

    def start(self, network):
        """With a network of its own, or the machine's, which is where this one is."""

    def enter(self):
        """From now on this process is where the ports are that containers publish."""

    def by_number(self):
        """Before a command to which a process of a container is told, by the number that the engine knows it by."""
        return ["sudo", "-n"] if os.geteuid() != 0 else []

    def kill(self, pid):
        run([*self.by_number(), "kill", "-KILL", str(pid)])

    def inside(self, pid, *command):
        """What it says in the network of the container of this process."""
        return run([*self.by_number(), "nsenter", "--target=%d" % pid, "--net", *command])

    def remove(self):
        """It is not ours to end."""


class OwnEngine(Engine):
    own = True
    build_options = ("--network=host",)

    def __init__(self, place):
        super().__init__()
        self.process = None
        keep = os.environ.get("KEYWARD_ENGINE_DIR")
        self.kept = keep is not None
        place.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(keep or tempfile.mkdtemp(prefix="engine-", dir=place)).resolve()
        # Short: sockets have their paths there.
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="kw-engine-"))
        self.parent = "/" + self.run_dir.name
        self.env["DOCKER_HOST"] = "unix://%s/docker.sock" % self.run_dir

    def start(self, network):
        self.stop()
        namespaces = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"] + (["--net"] if network == "own" else [])
        daemon = ["--data-root=%s" % self.data, "--exec-root=%s/exec" % self.run_dir, "--pidfile=%s/pid" % self.run_dir,
                  "--host=" + self.env["DOCKER_HOST"], "--cgroup-parent=" + self.parent, "--shutdown-timeout=20", *TABLES[network]]
        with open(self.run_dir / "log", "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "bash", "-c", FIRST, "first", network, *daemon],
                                            stdout=log, stderr=log, start_new_session=True)
        self.wait_ready()
        self.storage = self.docker("info", "--format", "{{.Driver}}").strip()

    def wait_ready(self):
        deadline, nap = time.monotonic() + START_S, threading.Event()
        while not answers([client(), "version"], env=self.env):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NoEngine("dockerd does not start: " + self.last_words())
            nap.wait(0.1)

    def last_words(self):
        lines = (self.run_dir / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def first(self):
        """The first process of its namespaces, as seen from here."""
        return int(pathlib.Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)).read_text().split()[0])

    def stop(self):
        """With everything that it runs: the kernel ends what is in the namespace of a process that ends."""
        if self.process is None:
            return
        try:
            if self.process.poll() is None:
                os.kill(self.first(), 15)
            self.process.wait(STOP_S)
        except (subprocess.TimeoutExpired, OSError, IndexError):
            self.process.kill()
            self.process.wait()
        self.process = None

    def enter(self):
        with open("/proc/%d/ns/net" % self.first(), "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def by_number(self):
        return ["nsenter", "--target=%d" % self.first(), "--pid", "--mount"]

    def remove(self):
        self.stop()
        groups_remove(self.run_dir.name)
        shutil.rmtree(self.run_dir)
        if not self.kept:
            shutil.rmtree(self.data)


def find(place):
    """An engine, not yet started. Fails: NoEngine."""
    if not shutil.which("docker-compose") and not answers([client(), "compose", "version"]):
        raise NoEngine("there is no Compose")
    if answers([client(), "info"]):
        return Engine()
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root may start one")
    for program in ("dockerd", "unshare", "iptables"):
        if not shutil.which(program):
            raise NoEngine("no Docker engine answers, and there is no %s" % program)
    return OwnEngine(place)
