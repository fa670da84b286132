"""The chart, rendered: by Helm where KEYWARD_HELM names it, else by gotemplate.py."""
import copy
import functools
import json
import os
import pathlib
import subprocess

import jsonschema
import yaml

from gotemplate import Templates

TOP = pathlib.Path(__file__).resolve().parents[2]
CHART = TOP / "charts/keyward"
VALUES = pathlib.Path(__file__).resolve().parent / "values"
SETS = sorted(path.stem for path in VALUES.glob("*.yaml"))
RELEASE, NAMESPACE = "keyward", "pens"


class Refused(Exception):
    """By the schema, or by the chart."""


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path):
    return yaml.load(path.read_text(), LOADER) or {}


def documents_of(text):
    return [document for document in yaml.load_all(text, LOADER) if document]


def merged(base, over):
    """As Helm does: maps key by key, everything else whole."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def value_set(name, over=None):
    return merged(load(VALUES / (name + ".yaml")), over or {})


def check_schema(values):
    schema = json.loads((CHART / "values.schema.json").read_text())
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(values))
    if errors:
        raise Refused("; ".join("%s: %s" % ("/".join(map(str, error.path)), error.message) for error in errors))


class Files:
    """What templates know as .Files."""
    @staticmethod
    def Get(name):
        return (CHART / name).read_text()


def root_of(values):
    chart = load(CHART / "Chart.yaml")
    return {"Values": values, "Files": Files,
            "Chart": {"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
            "Release": {"Name": RELEASE, "Namespace": NAMESPACE, "Service": "Helm", "IsUpgrade": True}}


@functools.cache
def templates():
    found = Templates()
    for path in sorted((CHART / "templates").rglob("*.*")):
        found.add(str(path.relative_to(CHART / "templates")), path.read_text())
    return found


def rendered_here(over):
    values = merged(load(CHART / "values.yaml"), over)
    check_schema(values)
    parsed = templates()
    try:
        texts = {name: parsed.render(name, root_of(values)) for name in parsed.files if not name.startswith("_")}
    except Exception as error:
        raise Refused("%s: %s" % (type(error).__name__, error)) from error
    notes = texts.pop("NOTES.txt")
    return [document for text in texts.values() for document in documents_of(text)], notes


def rendered_by_helm(helm, over):
    done = subprocess.run([helm, "template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", "1.30.0", "--is-upgrade",
                           "--values", "-"], input=yaml.safe_dump(over), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr)
    return documents_of(done.stdout)


@functools.cache
def rendered_once(text):
    helm = os.environ.get("KEYWARD_HELM")
    over = json.loads(text)
    return rendered_by_helm(helm, over) if helm else rendered_here(over)[0]


def rendered(over):
    """All objects of the release, as maps that nobody changes."""
    return rendered_once(json.dumps(over))


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def pods(documents):
    """(name, metadata, spec) of everything that makes pods."""
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            template = document["spec"]["template"]
            yield document["metadata"]["name"], template["metadata"], template["spec"]
        elif document["kind"] == "Pod":
            yield document["metadata"]["name"], document["metadata"], document["spec"]
