"""The pods of a rendered chart as processes of this machine: each in a network namespace of its own, as the user that it names, with the
volumes it mounts and nothing else that it could write. What the cluster would have is given by name: ConfigMaps, Secrets.
"""
import os
import pathlib
import shlex
import subprocess

UID = 65532
DOMAIN = "%s.pens.svc.cluster.local"
SETTLE_S = 60


def write(folder, files, mode):
    """As Kubernetes does it: root's, and the group's of the pod."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.chown(path, 0, UID)
        path.chmod(mode)
    return folder


def own(folder):
    """An empty volume of the pod's group."""
    folder.mkdir(parents=True)
    os.chown(folder, 0, UID)
    folder.chmod(0o2770)
    return folder


class Pod:
    def __init__(self, name, spec, folder):
        self.name, self.spec, self.folder = name, spec, folder
        self.volumes = {}
        self.processes = []

    def volumes_make(self, maps, secrets):
        for volume in self.spec["volumes"]:
            place = self.folder / ("volume-" + volume["name"])
            if "configMap" in volume:
                made = write(place, maps[volume["configMap"]["name"]], 0o644)
            elif "secret" in volume:
                made = write(place, secrets[volume["secret"]["secretName"]], 0o440)
            elif "projected" in volume:
                made = write(place, {item["path"]: secrets[source["secret"]["name"]][item["key"]]
                                     for source in volume["projected"]["sources"] for item in source["secret"]["items"]}, 0o440)
            else:
                made = own(place)
            self.volumes[volume["name"]] = made

    def script(self, container, mounts, command):
        """A root of its own kind: its volumes where it wants them, the rest read-only."""
        lines = ["set -e", "mount --make-rprivate /"]
        lines += ["mount --bind %s %s" % pair for pair in mounts]
        # /tmp last: what is mounted may come from there.
        for mount in sorted(container["volumeMounts"], key=lambda mount: mount["mountPath"] == "/tmp"):
            lines.append("mount --bind %s %s" % (self.volumes[mount["name"]], mount["mountPath"]))
            if mount.get("readOnly"):
                lines.append("mount -o remount,bind,ro %s" % mount["mountPath"])
        lines.append("mount -o remount,bind,ro /")
        env = " ".join("%s=%s" % (entry["name"], entry["value"]) for entry in container.get("env", []))
        lines.append("exec env -i PATH=/usr/bin:/bin %s setpriv --reuid %d --regid %d --clear-groups --no-new-privs --bounding-set=-all %s"
                     % (env, UID, UID, shlex.join(command)))
        return "\n".join(lines)

    def start(self, network, container, mounts, program=None):
        command = [*container.get("command", [program]), *container.get("args", [])]
        with open(self.folder / (container["name"] + ".log"), "wb") as log:
            return subprocess.Popen([*network.argv(self.name), "unshare", "--mount", "/bin/bash", "-c", self.script(container, mounts, command)],
                                    stdout=log, stderr=log)

    def settle(self, network, mounts):
        for container in self.spec["initContainers"]:
            ended = self.start(network, container, mounts).wait(SETTLE_S)
            if ended != 0:
                raise AssertionError("%s of %s: %s" % (container["name"], self.name, self.log(container["name"])))

    def run(self, network, mounts):
        self.processes = [self.start(network, container, mounts, "/usr/local/bin/keyward-" + container["name"])
                          for container in self.spec["containers"]]

    def stop(self, limit_s):
        """The exit status of each container."""
        for process in self.processes:
            process.terminate()
        return [process.wait(limit_s) for process in self.processes]

    def log(self, name=None):
        return (self.folder / ((name or self.spec["containers"][0]["name"]) + ".log")).read_text()


def mount_points(pods):
    """Folders that must be there to mount on: in a root that is ours alone for as long as the program runs."""
    for pod in pods:
        for container in pod.spec.get("initContainers", []) + pod.spec["containers"]:
            for mount in container["volumeMounts"]:
                pathlib.Path(mount["mountPath"]).mkdir(parents=True, exist_ok=True)
