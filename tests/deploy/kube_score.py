"""What kube-score finds in the chart's objects, and which of it is meant: score-ignored.yaml, each with its reason."""
import fnmatch
import json
import pathlib
import subprocess

import yaml

import chart

IGNORED = pathlib.Path(__file__).resolve().parent / "score-ignored.yaml"
FURTHER = ("container-seccomp-profile", "container-ports-check")  # checks that are off unless asked for
PERFECT = 10


def findings(program, name, documents):
    """(check, words, where) of everything short of perfect; where is `SET Kind/name` and, if it is about one, the container."""
    further = [word for check in FURTHER for word in ("--enable-optional-test", check)]
    done = subprocess.run([program, "score", "--kubernetes-version", "v1.30", "--output-format", "json", *further, "-"],
                          input=yaml.safe_dump_all(documents), text=True, capture_output=True, check=False)
    if done.returncode not in (0, 1):  # 1: something critical was found
        raise RuntimeError(done.stderr)
    for found in json.loads(done.stdout):
        what = "%s %s/%s" % (name, found["type_meta"]["kind"], found["object_meta"]["name"])
        for check in found["checks"]:
            if not check["skipped"] and check["grade"] < PERFECT:
                for comment in check["comments"] or [{"path": "", "summary": ""}]:
                    yield check["check"]["id"], comment["summary"], (what + " " + comment["path"]).strip()


def ignored():
    return yaml.load(IGNORED.read_text(), chart.LOADER)


def matches(entry, found):
    return (entry["check"], entry["finding"]) == found[:2] and fnmatch.fnmatchcase(found[2], entry["where"])


def unexplained(found, entries):
    """What no entry explains, and entries that explain nothing."""
    open_ones = [one for one in found if not any(matches(entry, one) for entry in entries)]
    idle = [entry for entry in entries if not any(matches(entry, one) for one in found)]
    return open_ones, idle
