#!/usr/bin/python3
"""The steps to a region, done as they are written: `readme_test.py BUILD/bin/keyward-cryptocore`. The ceremony of docs/runbook.md with SoftHSM, then
charts/keyward/README.md with a kubectl that takes down what it is given; and every pod finds what it mounts. No cluster is there.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

import chart

CELLS = ("a", "b", "c")
BLOCK = re.compile(r"(?P<before>[^\n]*)\n```\n(?P<body>.*?)\n```", re.DOTALL)

# Takes down the keys of what it would make; what may be asked of a cluster besides is nothing.
KUBECTL = r'''#!/usr/bin/python3
import json, os, pathlib, sys
words = [word for word in sys.argv[1:] if not word.startswith("-") and word != "pens"]
given = [word.split("=", 1)[1] for word in sys.argv[1:] if word.startswith("--from-file=")]
assert words[0] == "create" and words[1] in ("namespace", "configmap", "secret"), words
keys = {}
for one in given:
    name, _, path = one.rpartition("=")
    path = pathlib.Path(path)
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir() and not file.is_file():
            continue
        keys[name or file.name] = len(file.read_bytes())
made = pathlib.Path(os.environ["MADE"])
target = made / ("%s %s.json" % (words[1], words[-1]))
assert not target.exists(), target
target.write_text(json.dumps(keys))
'''


def section(path, title):
    text = (chart.TOP / path).read_text()
    return text.partition("\n## %s\n" % title)[2].partition("\n## ")[0]


def blocks(text):
    """(the file that it is, or None for commands; what it says) of each block."""
    for found in BLOCK.finditer(text):
        name = re.search(r"`(\w+\.yaml)`:$", found["before"])
        yield name and name[1], found["body"]


class Steps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.place.cleanup)
        cls.folder = pathlib.Path(cls.place.name, "ceremony")
        for name in ("ceremony", "bin", "made"):
            pathlib.Path(cls.place.name, name).mkdir()
        cls.made = pathlib.Path(cls.place.name, "made")
        cls.program("kubectl", KUBECTL)
        cls.program("helm", "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$MADE/helm\"\n")
        cls.brought()
        cls.follow("docs/runbook.md", "The first region")
        (cls.folder / "REGION").symlink_to("north")
        cls.follow("charts/keyward/README.md", "A region, step by step")

    @classmethod
    def program(cls, name, text):
        path = pathlib.Path(cls.place.name, "bin", name)
        path.write_text(text)
        path.chmod(0o755)

    @classmethod
    def brought(cls):
        """What the reader has from elsewhere: passwords of stores, and who certifies them."""
        for name in ("redis.password", "passfile", "ca.pem"):
            (cls.folder / name).write_text("brought along\n")

    @classmethod
    def follow(cls, path, title):
        """All of it in one shell, as somebody types it."""
        script = ["set -euo pipefail"]
        for name, body in blocks(section(path, title)):
            if name:
                (cls.folder / name).write_text(body.replace("/ceremony", str(cls.folder)) + "\n")
            else:
                script.append(body.replace("/ceremony", str(cls.folder)))
        search = os.pathsep.join((str(pathlib.Path(cls.place.name, "bin")), os.path.dirname(CORE), os.environ["PATH"]))
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=cls.folder, env={"PATH": search, "MADE": str(cls.made), "SOFTHSM2_CONF": str(cls.folder / "softhsm2.conf")},
                              text=True, capture_output=True, check=False)
        if done.returncode != 0 or len(script) < 3:
            raise AssertionError("%s, %s: %s" % (path, title, done.stdout + done.stderr))

    def there(self):
        return {tuple(path.stem.split(" ")): set(json.loads(path.read_text())) for path in self.made.glob("*.json")}

    def wanted(self, over):
        """((kind, name), keys or nothing in particular) of all that pods mount and the chart does not make."""
        documents = chart.rendered(chart.merged(yaml.safe_load((self.folder / "region.yaml").read_text()), over))
        own = {document["metadata"]["name"] for document in chart.of_kind(documents, "ConfigMap")}
        for _, _, spec in chart.pods(documents):
            for volume in spec["volumes"]:
                for source in volume.get("projected", {}).get("sources", [volume]):
                    if "configMap" in source and source["configMap"]["name"] not in own:
                        yield ("configmap", source["configMap"]["name"]), set()
                    if "secret" in source:
                        name = source["secret"].get("secretName") or source["secret"]["name"]
                        yield ("secret", name), {item["key"] for item in source["secret"].get("items", [])}

    def test_every_pod_finds_what_it_mounts(self):
        there = self.there()
        for over in ({}, {"redis": {"mode": "sidecar"}}):
            for what, keys in self.wanted(over):
                self.assertIn(what, there)
                self.assertLessEqual(keys, there[what], what)

    def test_every_service_of_every_cell_has_its_own_key(self):
        there = self.there()
        for cell in CELLS:
            for service in ("gateway", "authz", "orchestrator", "cryptocore", "replicator"):
                self.assertEqual(there["secret", "keyward-%s-%s" % (cell, service)], {"key.pem", "cert.pem", "ca.pem"})

    def test_what_settings_name_of_pki_is_there(self):
        self.assertLessEqual({"client-ca.pem", "root.pem", "ca-operators.pem", "services.list.pem"}, self.there()["configmap", "keyward-pki"])
        officer, = self.there()["configmap", "keyward-officers"]
        self.assertRegex(officer, r"^opr_.*\.pem$")

    def test_helm_is_told_of_the_file(self):
        self.assertEqual((self.made / "helm").read_text().splitlines()[0], "install keyward charts/keyward -n pens -f region.yaml")

    def test_private_files_are_nobody_else_s(self):
        for name in ("officer/key.pem", "recovery/key.pem", "pin", "so-pin", "north/credentials/a/authz/key.pem"):
            self.assertEqual((self.folder / name).stat().st_mode & 0o077, 0, name)


CORE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else ""
if __name__ == "__main__":
    unittest.main()
