"""The templates of deploy/fargate, read: intrinsic functions become maps, as in JSON."""
import functools
import json

import yaml

from chart import LOADER, TOP

FOLDER = TOP / "deploy/fargate"
FILES = ("region.yaml", "cell.yaml", "host.yaml")


class Loader(LOADER):
    """YAML with CloudFormation's short forms."""


def intrinsic(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else "Fn::" + tag
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    make = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {name: make(node, deep=True)}


Loader.add_multi_constructor("!", intrinsic)


@functools.cache
def template(name):
    return yaml.load((FOLDER / name).read_text(), Loader)


def resources(*types):
    """(file, name, type, properties) of all resources, or of these types."""
    for file in FILES:
        for name, resource in template(file)["Resources"].items():
            if not types or resource["Type"] in types:
                yield file, name, resource["Type"], resource.get("Properties", {})


def walk(value):
    """Every map in it."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def choices(value):
    """All that it may come to."""
    found = value.get("Fn::If", [None, value])[1:] if isinstance(value, dict) else [value]
    return [one for one in found if one != {"Ref": "AWS::NoValue"}]


def statements():
    """(where, statement) of every policy anywhere."""
    for _, name, kind, properties in resources():
        for place in walk(properties):
            for statement in place.get("Statement", []):
                for one in choices(statement):
                    yield "%s %s" % (kind, name), one


def listed(value):
    return value if isinstance(value, list) else [value]


def text(value):
    return value if isinstance(value, str) else json.dumps(value)
