#!/usr/bin/python3
"""The chart's objects by programs that know Kubernetes: against the schemas of two of its versions, by kubeconform, and against what
kube-score thinks good. Debian has neither: they are looked for in $PATH and build/tools, schemas in the Python package
kubernetes_validate. What is missing is named, and skipped.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

import chart
import kube_score
import tools

SKIPPED = 77
KUBERNETES = ("v1.30.0", "v1.34.0")
NOT_THERE = ("ServiceMonitor", "Certificate")  # kinds of other projects


def must(condition, text):
    if not condition:
        sys.exit("objects_test: " + text)


# --- kubeconform ---


def named(schema):
    """The definitions that a schema refers to."""
    return set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))


def with_definitions(schema, definitions):
    """The schema, and what it needs of the definitions, and what these need."""
    needed, looked_at = named(schema), set()
    while needed - looked_at:
        name = (needed - looked_at).pop()
        looked_at.add(name)
        needed |= named(definitions[name])
    return dict(schema, **{"$defs": {name: definitions[name] for name in needed}})


def schemas_write(version, kinds, folder):
    """Of each kind a schema that stands for itself."""
    source = tools.schema_folder() / (version + "-local-strict")
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    for kind in kinds:
        text = (source / (kind + ".json")).read_text().replace("/api/_definitions.json#", "#")
        (folder / (kind + ".json")).write_text(json.dumps(with_definitions(json.loads(text), definitions)))


def kind_name(document):
    group, _, version = document["apiVersion"].rpartition("/")
    return "-".join(filter(None, (document["kind"].lower(), group.split(".")[0], version)))


def conform(kubeconform, folder, documents):
    return subprocess.run([kubeconform, "-strict", "-summary", "-skip", ",".join(NOT_THERE),
                           "-schema-location", str(folder) + "/{{.ResourceKind}}{{.KindSuffix}}.json"],
                          input=yaml.safe_dump_all(documents), text=True, capture_output=True, check=False)


def every_object_is_valid(kubeconform, version):
    sets = {name: chart.rendered_here(chart.value_set(name))[0] for name in chart.SETS}
    kinds = {kind_name(document) for documents in sets.values() for document in documents if document["kind"] not in NOT_THERE}
    with tempfile.TemporaryDirectory() as place:
        schemas_write(version, kinds, pathlib.Path(place))
        for name, documents in sets.items():
            done = conform(kubeconform, place, documents)
            must(done.returncode == 0 and "Invalid: 0, Errors: 0" in done.stdout, "%s, %s: %s" % (name, version, done.stdout + done.stderr))
        a_wrong_object_is_found(kubeconform, place, sets["development"])


def a_wrong_object_is_found(kubeconform, place, documents):
    wrong = json.loads(json.dumps(next(document for document in documents if document["kind"] == "StatefulSet")))
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    must(conform(kubeconform, place, [wrong]).returncode != 0, "kubeconform takes what is wrong")


# --- kube-score ---

def nothing_else_is_found(program):
    entries = kube_score.ignored()
    must(all(entry["why"] for entry in entries), "score-ignored.yaml: a line without a reason")
    found = [one for name in chart.SETS for one in kube_score.findings(program, name, chart.rendered_here(chart.value_set(name))[0])]
    unexplained, idle = kube_score.unexplained(found, entries)
    must(not unexplained, "kube-score finds: %s" % "; ".join(sorted(" ".join(one) for one in unexplained)))
    must(not idle, "score-ignored.yaml: nothing is found any more by %s" % idle)


def an_open_object_is_found(program):
    documents = json.loads(json.dumps(chart.rendered_here(chart.value_set("development"))[0]))
    for document in documents:
        if document["kind"] == "StatefulSet":
            del document["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    reachable = [document for document in documents if document["kind"] != "NetworkPolicy"]
    found = {one[0] for one in kube_score.findings(program, "development", reachable)}
    must({"container-security-context-readonlyrootfilesystem", "pod-networkpolicy"} <= found, "kube-score takes what is open: %s" % found)


def main():
    found = {name: tools.program(name) for name in ("kubeconform", "kube-score")}
    found["kubernetes_validate"] = tools.schema_folder()
    if found["kubeconform"] and found["kubernetes_validate"]:
        for version in KUBERNETES:
            every_object_is_valid(found["kubeconform"], version)
    if found["kube-score"]:
        nothing_else_is_found(found["kube-score"])
        an_open_object_is_found(found["kube-score"])
    missing = [name for name, there in found.items() if not there]
    if missing:
        print("skipped: no %s here" % ", ".join(missing))
        sys.exit(SKIPPED)
    print("ok: %d value sets by kube-score, and by kubeconform against %s" % (len(chart.SETS), ", ".join(KUBERNETES)))


if __name__ == "__main__":
    main()
