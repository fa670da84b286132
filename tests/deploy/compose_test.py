#!/usr/bin/python3
"""compose.yaml: who shares a network with whom is who has an arrow, both ways; nothing is open but the gateways' ports on loopback; every container
of ours is confined and has limits; and docker/wait.sh says what it waits for.
"""
import ipaddress
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import yaml

import arrows
from chart import LOADER, TOP

sys.path.append(str(TOP / "tests/containers"))

import engine as engines
import images

TEXT = (TOP / "compose.yaml").read_text()
PAGE = yaml.load(re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", TEXT), LOADER)
SERVICES = PAGE["services"]
DOCKERFILE = (TOP / "docker/Dockerfile").read_text()
REGIONS, CELLS = ("r1", "r2"), ("a", "b", "c")
STORES = ("redis", "sql")
PARTS = (*arrows.SERVICES, *STORES)
STATE = "/var/lib/keyward"
CALLERS = "keyward"
# Who is no container: names are the engine's to know, SoftHSM is a directory; peers are replicators.
NOT_HERE = {"resolver", "hsm", "peers"}
# What would let a container out, or others in.
NEVER = ("privileged", "cap_add", "pid", "ipc", "uts", "userns_mode", "devices", "device_cgroup_rules", "cgroup_parent", "extra_hosts", "links",
         "external_links", "volumes_from", "group_add", "sysctls", "expose", "env_file", "secrets", "configs", "dns", "container_name")


def place(name):
    """(part, region, cell); the command stands for callers."""
    if name == CALLERS:
        return "callers", None, None
    region, cell, part = name.split("-")
    return part, region, cell


def running():
    """All but the one that makes the mesh."""
    return {name: service for name, service in SERVICES.items() if name != "init"}


def long_runners():
    return {name: service for name, service in running().items() if name != CALLERS}


def reaches(arrow, source, target):
    """Is this arrow one between these two places? Each cell has stores of its own."""
    (_, region, cell), (_, to_region, to_cell) = source, target
    if "callers" in (arrow["from"], arrow["to"]):
        return True
    if arrow["to"] in STORES or arrow["reach"] == "cell":
        return (region, cell) == (to_region, to_cell)
    return {"region": region == to_region and cell != to_cell, "namesake": region != to_region and cell == to_cell}[arrow["reach"]]


def wanted():
    """Pairs of containers that the arrows connect. A replicator's peers are those of other regions."""
    pairs = set()
    for arrow in arrows.of("compose"):
        source, target = (arrow[end].replace("peers", "replicator") for end in ("from", "to"))
        for one, other in itertools.permutations(running(), 2):
            at, to = place(one), place(other)
            if (at[0], to[0]) == (source, target) and reaches(arrow, at, to):
                pairs.add(frozenset((one, other)))
    return pairs


def shared():
    """Pairs of containers that share a network."""
    return {frozenset(pair) for name in PAGE["networks"]
            for pair in itertools.combinations([one for one, service in SERVICES.items() if name in service.get("networks", [])], 2)}


class Network(unittest.TestCase):
    def names(self, pairs):
        return sorted(" and ".join(sorted(pair)) for pair in pairs)

    def test_each_arrow_and_no_other(self):
        self.assertEqual(self.names(shared() - wanted()), [], "they share a network, and no arrow is between them")
        self.assertEqual(self.names(wanted() - shared()), [], "an arrow is between them, and no network")

    def test_every_party_of_ours_is_there(self):
        self.assertEqual(set(running()), {CALLERS, *("-".join(names) for names in itertools.product(REGIONS, CELLS, PARTS))})

    def test_who_is_no_container_is_named(self):
        parties = {arrow[end] for arrow in arrows.of("compose") for end in ("from", "to")}
        self.assertEqual(parties - {place(name)[0] for name in running()}, NOT_HERE)

    def test_nobody_is_outside_of_these_networks(self):
        for name, service in running().items():
            self.assertTrue(service["networks"], name)
            self.assertNotIn("network_mode", service, name)
        self.assertEqual(SERVICES["init"]["network_mode"], "none")

    def test_only_gateways_are_published_and_on_loopback(self):
        for name, service in SERVICES.items():
            ports = service.get("ports", [])
            if name.endswith("-gateway"):
                self.assertEqual([(port.split(":")[0], port.split(":")[2]) for port in ports], [("127.0.0.1", str(arrows.PORTS["edge"]["number"]))], name)
            else:
                self.assertEqual(ports, [], name)
        taken = [port for service in SERVICES.values() for port in service.get("ports", [])]
        self.assertEqual(len(taken), len(set(taken)))

    def test_no_network_routes_out(self):
        """By addresses: names and the host's own ports are another matter (compose.yaml, x-closed)."""
        for name, network in PAGE["networks"].items():
            if name.endswith("-edge"):
                self.assertEqual(network["driver_opts"], {"com.docker.network.bridge.enable_ip_masquerade": "false"}, name)
            else:
                self.assertIs(network["internal"], True, name)

    def test_subnets_are_apart_and_large_enough(self):
        subnets = {name: ipaddress.ip_network(network["ipam"]["config"][0]["subnet"]) for name, network in PAGE["networks"].items()}
        for (one, this), (other, that) in itertools.combinations(subnets.items(), 2):
            self.assertFalse(this.overlaps(that), "%s and %s" % (one, other))
        for name, subnet in subnets.items():
            inside = [one for one, service in SERVICES.items() if name in service.get("networks", [])]
            self.assertLessEqual(len(inside) + 3, subnet.num_addresses, name)


class Confined(unittest.TestCase):
    def test_nothing_lets_anybody_out(self):
        for name, service in SERVICES.items():
            self.assertEqual([word for word in NEVER if word in service], [], name)
        self.assertNotIn("docker.sock", TEXT)

    def test_all_are_confined(self):
        for name, service in SERVICES.items():
            with self.subTest(name):
                self.assertEqual((service["user"], service["read_only"], service["cap_drop"]), ("65532:65532", True, ["ALL"]))
                self.assertIn("no-new-privileges:true", service["security_opt"])
                self.assertTrue(all("size=" in mount for mount in service["tmpfs"]))
                self.assertEqual(service["ulimits"]["core"], 0)

    def test_a_profile_of_system_calls_is_loosened_by_none(self):
        for name, service in SERVICES.items():
            more = [option for option in service["security_opt"] if option != "no-new-privileges:true"]
            self.assertEqual(more, ["seccomp:docker/seccomp-cryptocore.json"] if name.endswith("-cryptocore") else [], name)
        json.loads((TOP / "docker/seccomp-cryptocore.json").read_text())

    def test_all_have_limits(self):
        for name, service in SERVICES.items():
            with self.subTest(name):
                self.assertEqual(service["mem_limit"], "1g" if name == CALLERS else "128m" if name.endswith("-redis") else "256m")
                self.assertEqual(service["cpus"], 1.0)
                self.assertEqual(service["pids_limit"], 128)
                self.assertEqual(service["ulimits"]["nofile"], {"soft": 4096, "hard": 4096})
                self.assertEqual(set(service["logging"]["options"]), {"max-size", "max-file"})

    def test_no_secret_is_in_the_environment(self):
        for name, service in SERVICES.items():
            for variable in service.get("environment", {}):
                self.assertFalse(re.search("PASSWORD$|SECRET|TOKEN|PIN|KEY$", variable), "%s: %s" % (name, variable))

    def test_volumes_are_one_of_each_and_nobody_elses(self):
        for name, service in long_runners().items():
            part = place(name)[0]
            more = [name + ":/docker-entrypoint-initdb.d:ro"] if part == "sql" else []
            self.assertEqual(service["volumes"], ["%s:%s" % (name, STATE), *more])
        self.assertEqual(SERVICES[CALLERS]["volumes"], ["officer:" + STATE])
        self.assertEqual(sorted(SERVICES["init"]["volumes"]), sorted(
            ["officer:/mesh/officer", "recovery:/mesh/recovery", *("%s:/mesh/%s" % (name, name.replace("-", "/")) for name in long_runners())]))
        self.assertEqual(set(PAGE["volumes"]), {"officer", "recovery", *long_runners()})

    def test_what_opens_the_kek_is_mounted_where_the_mesh_is_made_and_there_without_a_network(self):
        self.assertEqual([name for name, service in SERVICES.items() if any(volume.startswith("recovery:") for volume in service["volumes"])], ["init"])
        self.assertEqual(SERVICES["init"]["network_mode"], "none")
        self.assertRegex(DOCKERFILE, r"install -d -m 0700 -o 65532 -g 65532 /roots/init/mesh/officer /roots/init/mesh/recovery\n")


class Life(unittest.TestCase):
    def test_long_runners_come_back(self):
        self.assertEqual({service["restart"] for service in long_runners().values()}, {"unless-stopped"})
        self.assertEqual(SERVICES["init"]["restart"], "no")

    def test_long_runners_have_a_health_check(self):
        for name, service in long_runners().items():
            part = place(name)[0]
            if part in STORES:
                self.assertEqual(service["healthcheck"]["test"][0][:3], "CMD", name)
                self.assertNotIn("disable", service["healthcheck"])
            else:
                # In the image, as everybody has it.
                self.assertNotIn("healthcheck", service)
                target = DOCKERFILE.split("FROM image AS %s\n" % part)[1].split("\nFROM ")[0]
                self.assertRegex(target, r'HEALTHCHECK [^\n]*\\\n +CMD \["/usr/local/bin/keyward-%s", "health"' % part)

    def test_each_waits_for_its_inner_neighbours(self):
        inner = {"sql": (), "redis": (), "cryptocore": (), "orchestrator": ("sql", "cryptocore"), "authz": ("sql", "orchestrator"),
                 "replicator": (), "gateway": ("redis", "authz")}
        for name, service in long_runners().items():
            part, region, cell = place(name)
            expected = {"%s-%s-%s" % (region, cell, one): {"condition": "service_healthy"} for one in inner[part]}
            self.assertEqual(service["depends_on"], {"init": {"condition": "service_completed_successfully"}, **expected}, name)

    def test_the_command_waits_for_the_mesh_to_be_made_and_starts_nobody(self):
        """Or a command to the one cell that runs would start another again."""
        self.assertEqual(SERVICES[CALLERS]["depends_on"], {"init": {"condition": "service_completed_successfully"}})

    def test_cells_a_start_by_themselves_and_others_by_a_profile(self):
        for name, service in long_runners().items():
            self.assertEqual(service.get("profiles"), None if place(name)[2] == "a" else ["ha"], name)
        self.assertEqual((SERVICES[CALLERS]["profiles"], SERVICES["init"].get("profiles")), (["tools"], None))

    def test_images_are_those_of_the_dockerfile(self):
        for name, service in SERVICES.items():
            part = name if name in ("init", CALLERS) else place(name)[0]
            if part in STORES:
                self.assertEqual(service["image"], {"redis": "redis:7-bookworm", "sql": "postgres:15-bookworm"}[part])
            else:
                self.assertEqual(service["image"], "keyward/%s:dev" % part)
                self.assertEqual(service["build"], {"context": ".", "dockerfile": "docker/Dockerfile", "target": part})
                self.assertIn("FROM image AS %s\n" % part, DOCKERFILE)

    def test_init_makes_as_many_cells_as_there_are(self):
        command = SERVICES["init"]["command"]
        self.assertIn("--regions=%d" % len(REGIONS), command)
        self.assertIn("--cells=%d" % len(CELLS), command)
        self.assertIn("--state-dir=" + STATE, command)

    def test_compose_takes_it(self):
        tools = [words for words in (["docker", "compose"], ["docker-compose"]) if shutil.which(words[0]) and
                 subprocess.run([*words, "version"], capture_output=True, check=False).returncode == 0]
        if not tools:
            self.skipTest("no Compose is there; ./run containers has one")
        for words in tools:
            done = subprocess.run([*words, "config", "-q"], cwd=TOP, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)


class Unpulled:
    """An engine that can pull nothing, and keeps what it is told to do."""
    build_options = ()

    def __init__(self, own):
        self.own, self.told, self.env = own, [], {}

    def docker(self, verb, *words, **_):
        if verb == "pull":
            raise engines.Failed("there is no way to it")
        self.told.append((verb, *words))

    def given(self, option):
        return [after for words in self.told for word, after in itertools.pairwise(words) if word == option]


class Made(unittest.TestCase):
    """What `./run containers` makes of the images that it cannot pull."""

    def made(self, own):
        """The engine, and what it has under which name: (base, {variable: store})."""
        engine = Unpulled(own)
        with tempfile.TemporaryDirectory() as place, unittest.mock.patch.object(images, "there", return_value=False):
            (pathlib.Path(place) / "debian-bookworm-slim.tar").touch()
            base, _ = images.base(engine, pathlib.Path(place))
            stores = {asked: images.store(engine, name, base)[0] for asked, name in images.STORES.items()}
        self.assertEqual((engine.given("-"), engine.given("--tag")), ([base], [*stores.values()]))
        self.assertEqual(engine.given("--build-arg"), ["BASE=" + base] * len(stores))
        return base, stores

    def test_an_engine_of_ours_has_them_under_the_official_names(self):
        self.assertEqual(self.made(own=True), (images.BASE, images.STORES))

    def test_somebodys_engine_has_nothing_that_others_take_for_official(self):
        base, stores = self.made(own=False)
        for name, official in ((base, images.BASE), *((stores[asked], official) for asked, official in images.STORES.items())):
            self.assertEqual(name, "keyward-containers-test/" + official)

    def test_compose_and_images_may_be_told_these_names(self):
        asked = dict(re.findall(r"image: \$\{(\w+):-([^}]*)\}", TEXT))
        self.assertEqual(asked, images.STORES)
        for path in (TOP / "docker/Dockerfile", *sorted((TOP / "tests/containers/stand-ins").glob("*.Dockerfile"))):
            self.assertIn("\nARG BASE=%s\n" % images.BASE, path.read_text(), path.name)
            self.assertIn("\nFROM ${BASE}", path.read_text(), path.name)


class Waiting(unittest.TestCase):
    """docker/wait.sh, with a docker that says what a file says."""

    def wait(self, *states):
        with tempfile.TemporaryDirectory() as folder:
            stand_in = pathlib.Path(folder) / "docker"
            stand_in.write_text('#!/bin/sh\ncase "$1" in ps) [ -s "$0.states" ] && echo 1 || : ;; inspect) cat "$0.states" ;; esac\n')
            stand_in.chmod(0o755)
            (pathlib.Path(folder) / "docker.states").write_text("".join(state + "\n" for state in states))
            done = subprocess.run([TOP / "docker/wait.sh", "0"], cwd=TOP, capture_output=True, text=True, check=False,
                                  env=dict(os.environ, PATH="%s:%s" % (folder, os.environ["PATH"])))
            return done.returncode, done.stderr

    def test_all_are_well(self):
        self.assertEqual(self.wait("r1-a-authz running healthy 0", "init exited none 0"), (0, ""))

    def test_who_is_not_is_named(self):
        for state in ("x running starting 0", "x running unhealthy 0", "x exited none 1", "x restarting unhealthy 0", "x created starting 0"):
            code, said = self.wait("r1-a-authz running healthy 0", state)
            self.assertEqual(code, 1, state)
            self.assertIn(state, said)
            self.assertNotIn("r1-a-authz", said)

    def test_nobody_is_no_mesh(self):
        code, said = self.wait()
        self.assertEqual(code, 1)
        self.assertIn("no container of project keyward", said)


if __name__ == "__main__":
    unittest.main()
