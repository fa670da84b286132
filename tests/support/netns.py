"""Hosts in network namespaces of our own, and a router between them that loses, cuts and narrows.

    netns.enter()                          # the program begins anew where it may do all that, or ends with SKIPPED
    with netns.Network(["west", "east"]) as network:
        subprocess.Popen([*network.argv("east"), program, "--listen=%s:0" % network.address("east")])
        network.set("west", "east", loss=0.02)     # one way, at once, connections that stand too
        network.set("east", "west", cut=True)
        network.heal()

Nothing outside is touched, and nothing is left, however the program ends: mounts and names are in a mount namespace that
ends with it. Root makes them as it is; who is not makes a user namespace first.
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

SKIPPED = 77
ENTERED = "KW_NETNS"
TIMEOUT_S = 30
HOSTS_MAX = 200
LOSS_STEPS = 10000
NEEDED = ("unshare", "nsenter", "ip", "nft", "tc")
PROBE = """mount -t tmpfs none /run && ip link set lo up && ip netns add probe &&
ip link add kwprobe type veth peer name eth0 netns probe && echo 1 >/proc/sys/net/ipv4/ip_forward &&
nft 'add table ip kw; add chain ip kw ways { type filter hook forward priority 0; };
     add rule ip kw ways numgen random mod 10000 < 1 counter drop'"""


def _unshare():
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rights, "--net", "--mount"]


def _environment():
    """Where Debian keeps what only root used to call."""
    return {**os.environ, "PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"}


def refusal():
    """Why there are no namespaces here; empty: there are."""
    if os.environ.get(ENTERED):
        return ""
    path = _environment()["PATH"].split(":")
    missing = [name for name in NEEDED if not any(os.access(os.path.join(part, name), os.X_OK) for part in path)]
    if missing:
        return "not installed: " + ", ".join(missing)
    probe = subprocess.run([*_unshare(), "sh", "-c", PROBE], env=_environment(), text=True, capture_output=True,
                           timeout=TIMEOUT_S)
    return "" if probe.returncode == 0 else "not permitted: " + (probe.stderr.strip() or "no word").splitlines()[0]


def enter():
    """Begins the program anew in namespaces of its own; there it returns. Ends it with SKIPPED where that is not permitted."""
    if os.environ.get(ENTERED):
        _run("mount", "-t", "tmpfs", "none", "/run")
        _run("ip", "link", "set", "lo", "up")
        return
    why = refusal()
    if why:
        print("skipped: network namespaces: " + why, file=sys.stderr)
        sys.exit(SKIPPED)
    sys.stdout.flush()
    os.execvpe("unshare", [*_unshare(), sys.executable, *sys.argv], {**_environment(), ENTERED: "1"})


def _run(*argv, text=None):
    ended = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=TIMEOUT_S)
    if ended.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(argv), ended.stderr.strip()))
    return ended.stdout


@dataclasses.dataclass(frozen=True)
class Fault:
    """Of one way between two hosts: `loss` is the share of its packets that vanish."""
    loss: float = 0
    cut: bool = False

    def rules(self, source, target, way):
        match = 'add rule ip kw ways ip saddr %s ip daddr %s' % (source, target)
        if self.cut or self.loss >= 1:
            return ['%s counter drop comment "%s"' % (match, way)]
        if self.loss > 0:
            return ['%s numgen random mod %d < %d counter drop comment "%s"' % (
                match, LOSS_STEPS, round(self.loss * LOSS_STEPS), way)]
        return []


class Network:
    """After `enter`. Any two hosts reach one another by way of the router, which is where the program itself is."""

    def __init__(self, names):
        if len(names) > HOSTS_MAX:
            raise ValueError("%d hosts, at most %d" % (len(names), HOSTS_MAX))
        self._numbers = {name: i + 1 for i, name in enumerate(names)}
        self._faults = {}
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for name in names:
            self._make(name)
        self._nft("add table ip kw", "add chain ip kw ways { type filter hook forward priority 0; }")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """What runs in the hosts is its starter's to end; a namespace stays until it has."""
        self._nft("delete table ip kw")
        for name in self._numbers:
            _run("ip", "link", "delete", self._outside(name))
            _run("ip", "netns", "delete", self._namespace(name))

    def address(self, name):
        return "10.77.%d.1" % self._numbers[name]

    def argv(self, name):
        """What comes before a command so that it runs there."""
        return ["nsenter", "--net=/run/netns/" + self._namespace(name), "--"]

    def set(self, source, target, **fault):
        """The fault of one way, in place of the one before; none without words."""
        self._faults[(source, target)] = Fault(**fault)
        self._write()

    def set_all(self, sources, targets, **fault):
        """The same of each way from one of these to another of those, at one instant."""
        self._faults.update({(source, target): Fault(**fault)
                             for source in sources for target in targets if source != target})
        self._write()

    def narrow(self, target, kbit):
        """What reaches a host is at most so much a second, from now on; 0: as much as there is."""
        device = self._outside(target)
        if kbit:
            _run("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", "%dkbit" % kbit, "burst", "16kb",
                 "latency", "400ms")
        else:
            subprocess.run(["tc", "qdisc", "delete", "dev", device, "root"], capture_output=True, timeout=TIMEOUT_S)

    def heal(self):
        self._faults.clear()
        self._write()
        for name in self._numbers:
            self.narrow(name, 0)

    def dropped(self, source, target):
        """Packets of this way that vanished since a fault was set or healed last."""
        listed = json.loads(_run("nft", "--json", "list", "chain", "ip", "kw", "ways"))["nftables"]
        rules = [entry["rule"] for entry in listed if "rule" in entry]
        return sum(part["counter"]["packets"] for rule in rules if rule.get("comment") == self._way(source, target)
                   for part in rule["expr"] if "counter" in part)

    @staticmethod
    def _way(source, target):
        return "%s > %s" % (source, target)

    def _namespace(self, name):
        return "host%d" % self._numbers[name]

    def _outside(self, name):
        return "host%d" % self._numbers[name]

    def _make(self, name):
        """One packet is one packet: the kernel would hand 64 KiB through veth as one, and lose them as one."""
        space, device, router = self._namespace(name), self._outside(name), "10.77.%d.254" % self._numbers[name]
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", device, "gso_max_segs", "1", "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "-n", space, "link", "set", "eth0", "gso_max_segs", "1", "up")
        _run("ip", "-n", space, "link", "set", "lo", "up")
        _run("ip", "-n", space, "address", "add", self.address(name) + "/24", "dev", "eth0")
        _run("ip", "address", "add", router + "/24", "dev", device)
        _run("ip", "link", "set", device, "up")
        _run("ip", "-n", space, "route", "add", "default", "via", router)

    def _write(self):
        rules = [rule for (source, target), fault in self._faults.items()
                 for rule in fault.rules(self.address(source), self.address(target), self._way(source, target))]
        self._nft("flush chain ip kw ways", *rules)

    @staticmethod
    def _nft(*lines):
        """One transaction."""
        _run("nft", "-f", "-", text="\n".join(lines) + "\n")
