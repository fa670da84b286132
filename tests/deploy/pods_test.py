#!/usr/bin/python3
"""A cell by the chart, run: `pods_test.py BUILD/bin/keyward`. The settings files, volumes, users and scripts that the chart gives its pods, with the real
programs in network namespaces and what a ceremony made; then what helm test asks, and the mesh's own status. Needs root.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import chart
import netns
import pods

START_S, STOP_S = 90, 60
BESIDE = ("/seed", "/settle", "/var/lib/keyward", "/run/keyward", "/etc/keyward")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def ceremony(folder):
    """What `keyward up` made before it started anything."""
    mesh = subprocess.Popen([BINARY, "up", "--dir=%s" % folder, "--regions=1", "--cells=1"], stdout=subprocess.PIPE, text=True)
    with mesh.stdout:
        for line in mesh.stdout:
            if line.startswith("READY"):
                mesh.send_signal(signal.SIGTERM)
    if mesh.wait(STOP_S) != 0:
        raise AssertionError("no ceremony")


def secrets(mesh, token):
    region = mesh / "r1"
    subprocess.run(["tar", "-C", str(region / "tokens"), "-cf", str(token), "."], check=True)
    made = {"keyward-a-" + path.name: files(path) for path in (region / "credentials/a").iterdir() if path.is_symlink()}
    return {**made, "keyward-page-token": {"page-token.key": (mesh / "secret/page-token.key").read_bytes()},
            "keyward-cache": {"cache.key": b"0123456789abcdef" * 4}, "keyward-hsm": {"pin": (region / "secret/pin").read_bytes()}, "keyward-token": {"token.tar": token.read_bytes()}}


class Cell:
    """All pods of a release with one cell."""

    def __init__(self, folder):
        self.mesh = folder / "mesh"
        ceremony(self.mesh)
        documents = chart.rendered(chart.value_set("development", {"hsm": {"token": "keyward-dev"}}))
        maps = {document["metadata"]["name"]: document["data"] for document in chart.of_kind(documents, "ConfigMap")}
        maps.update({"keyward-pki": files(self.mesh / "r1/pki"), "keyward-officers": files(self.mesh / "r1/officers")})
        found = list(chart.pods(documents))
        self.pods = [pods.Pod(name, spec, folder / name) for name, _, spec in found if "keyward-cell" in _["labels"]]
        self.tester = next(spec for name, _, spec in found if name == "keyward-ready")
        for pod in self.pods:
            pod.volumes_make(maps, secrets(self.mesh, folder / "token.tar"))
        self.network = netns.Network([pod.name for pod in self.pods])
        self.mounts = [(self.hosts(folder), "/etc/hosts"), (self.nowhere(folder), "/dev/null"), (os.path.dirname(BINARY), "/usr/local/bin")]

    def hosts(self, folder):
        names = ["%s %s" % (self.network.address(pod.name), pods.DOMAIN % pod.name) for pod in self.pods]
        (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
        return folder / "hosts"

    @staticmethod
    def nowhere(folder):
        """For everybody; some machines keep theirs to root."""
        subprocess.run(["mknod", "--mode=666", str(folder / "null"), "c", "1", "3"], check=True)
        return folder / "null"

    def start(self):
        pods.mount_points(self.pods)
        for pod in self.pods:
            pod.settle(self.network, self.mounts)
            pod.run(self.network, self.mounts)

    def stop(self):
        """The exit status of each container of each pod."""
        return {pod.name: pod.stop(STOP_S) for pod in self.pods}

    def as_tester(self, *command):
        script = "mount --bind %s /etc/hosts && exec \"$@\"" % self.mounts[0][0]
        return subprocess.run(["unshare", "--mount", "/bin/bash", "-c", script, "tester", *command], text=True, capture_output=True, check=False)

    def ready(self):
        """What helm test does, until all are."""
        command = [part.replace("/scripts", str(chart.CHART / "files")) for part in self.tester["containers"][0]["command"]]
        until = time.monotonic() + START_S
        done = self.as_tester(*command)
        while done.returncode != 0 and time.monotonic() < until:
            done = self.as_tester(*command)
        return done

    def status(self):
        region = self.mesh / "r1"
        return self.as_tester(BINARY, "status", "--target=%s:8443" % (pods.DOMAIN % "keyward-a-gateway"), "--ca-file=%s" % (region / "pki/root.pem"),
                              "--peer=spiffe://keyward.test/region/r1/cell/a/svc/gateway", "--cert-file=%s" % (self.mesh / "officer/cert.pem"),
                              "--key-file=%s" % (self.mesh / "officer/key.pem"))


class Pods(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)

    def test_a_cell_starts_serves_and_ends_and_does_so_again(self):
        cell = Cell(self.folder)
        for _ in range(2):  # the second time on the volumes of the first
            cell.start()
            ready, status = cell.ready(), cell.status()
            ended = cell.stop()
            said = ready.stdout + "".join(pod.log()[-500:] for pod in cell.pods)
            self.assertEqual(ready.returncode, 0, said)
            self.assertEqual((status.returncode, status.stdout.count("serving")), (0, 4), status.stdout + status.stderr)
            self.assertEqual({status for each in ended.values() for status in each}, {0}, said)
            self.assertIn("ready to accept connections at /run/redis/redis.sock", next(pod.log("redis") for pod in cell.pods if pod.name == "keyward-a-gateway"))


def beside(place):
    """A folder to mount in, seen by nobody else; true where it had to be made."""
    new = not os.path.isdir(place)
    os.makedirs(place, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "none", place], check=True)
    return new


def main():
    if os.geteuid() != 0:
        print("skipped: pods have users of their own, which only root can give them", file=sys.stderr)
        sys.exit(netns.SKIPPED)
    netns.enter()
    new = [place for place in BESIDE if beside(place)]
    try:
        unittest.main(argv=sys.argv[:1])
    finally:
        for place in new:
            subprocess.run(["umount", place], check=True)
            os.rmdir(place)


BINARY = os.path.abspath(sys.argv[1])
if __name__ == "__main__":
    main()
