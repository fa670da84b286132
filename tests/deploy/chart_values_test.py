#!/usr/bin/python3
"""The chart's values: all of them explained, unknown and ill-typed ones refused, and those that don't fit together."""
import json
import unittest

import chart

SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())


def objects(schema, path=""):
    """(path, schema) of every object in it."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from objects(value, path + "/" + key)


def followed(schema):
    return SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def places(schema, values, path=()):
    """(path, schema) of every map among the values, lists' first items too."""
    schema = followed(schema)
    if isinstance(values, dict) and "properties" in schema:
        yield path, schema
        for key, value in values.items():
            yield from places(schema["properties"][key], value, path + (key,))
    if isinstance(values, list) and values and isinstance(values[0], dict):
        yield from places(schema["items"], values[0], path + (0,))


def put(values, path, key, value):
    """A copy of the values with one more."""
    copied = json.loads(json.dumps(values))
    at = copied
    for step in path:
        at = at[step]
    at[key] = value
    return copied


def wrong(schema):
    """A value of another type."""
    schema = followed(schema)
    return 7 if schema.get("type") == "string" or "enum" in schema else "seven"


class Schema(unittest.TestCase):
    def setUp(self):
        self.values = chart.merged(chart.load(chart.CHART / "values.yaml"), chart.value_set("ha"))

    def refuses(self, values, what):
        with self.assertRaises(chart.Refused, msg=what):
            chart.check_schema(values)

    def test_every_map_is_closed_or_holds_texts(self):
        for path, schema in objects(SCHEMA):
            self.assertIn(schema.get("additionalProperties", "open"), (False, {"type": "string"}), path)

    def test_defaults_and_schema_name_the_same(self):
        def names(schema, values, path):
            schema = followed(schema)
            self.assertLessEqual(set(values), set(schema["properties"]), path)
            if path[-1:] not in (("settings",), ("requests",), ("limits",)):
                self.assertEqual(set(values), set(schema["properties"]), path)
            for key, value in values.items():
                if isinstance(value, dict) and "properties" in followed(schema["properties"][key]):
                    names(schema["properties"][key], value, path + (key,))
        names(SCHEMA, chart.load(chart.CHART / "values.yaml"), ())

    def test_the_sets_are_taken(self):
        for name in chart.SETS:
            chart.check_schema(chart.merged(chart.load(chart.CHART / "values.yaml"), chart.value_set(name)))

    def test_unknown_values_are_refused_everywhere(self):
        for path, _ in places(SCHEMA, self.values):
            self.refuses(put(self.values, path, "regoin", "r1"), path)

    def test_ill_typed_values_are_refused_everywhere(self):
        for path, schema in places(SCHEMA, self.values):
            for key, rule in schema["properties"].items():
                self.refuses(put(self.values, path, key, wrong(rule)), path + (key,))

    def test_a_password_in_a_url_is_refused(self):
        cell = ("cells", 0, "sql")
        self.refuses(put(self.values, cell, "authz", "postgresql://authz:secret@db/authz"), "password")
        self.refuses(put(self.values, cell, "authz", "postgresql://authz@db/authz?sslmode=disable"), "parameters")

    def test_what_must_be_said(self):
        for name in ("region", "trustDomain", "mesh"):
            self.refuses(dict(self.values, **{name: ""}), name)


class Together(unittest.TestCase):
    def refused(self, name, over, word):
        with self.assertRaisesRegex(chart.Refused, word):
            chart.rendered(chart.value_set(name, over))

    def test_cells_are_apart(self):
        self.refused("development", {"cells": [{"name": "a"}, {"name": "b"}]}, "has no zone")
        self.refused("cloudhsm", {"cells": [{"name": "a", "zone": "z"}, {"name": "b", "zone": "z"}]}, "two are in zone z")
        self.refused("cloudhsm", {"cells": [{"name": "a", "zone": "x"}, {"name": "a", "zone": "z"}]}, "a is there twice")
        chart.rendered(chart.value_set("development", {"cells": [{"name": "a"}, {"name": "b"}], "topology": {"shared": True}}))

    def test_several_instances_need_postgresql_and_a_shared_volume(self):
        self.refused("development", {"authz": {"instances": 2}}, "several need store.mode postgresql")
        self.refused("development", {"gateway": {"replicas": 2}}, "credentials.sharedStorageClass")

    def test_stores_are_reached(self):
        self.refused("ha", {"network": {"sql": []}}, "network.sql")
        self.refused("ha", {"network": {"redis": []}}, "network.redis")
        self.refused("ha", {"network": {"dns": []}}, "network.dns")
        self.refused("ha", {"cells": [{"name": "a"}]}, "has no sql.authz")
        self.refused("development", {"redis": {"mode": "external"}}, "has no redis")

    def test_a_login_is_whole_and_for_an_external_redis(self):
        self.refused("ha", {"redis": {"external": {"passwordSecret": {"name": ""}}}}, "a user needs a passwordSecret")
        self.refused("ha", {"redis": {"mode": "sidecar"}}, "for redis.mode external")
        self.refused("development", {"redis": {"external": {"passwordSecret": {"name": "one"}}}}, "for redis.mode external")
        self.refused("ha", {"redis": {"external": {"password": "secret"}}}, "password")

    def test_tls_with_redis_is_whole_and_for_an_external_one(self):
        self.refused("ha", {"redis": {"external": {"tls": False}}}, "a caConfigMap is for tls")
        self.refused("ha", {"redis": {"external": {"caConfigMap": ""}}}, "tls needs a caConfigMap")
        self.refused("ha", {"redis": {"external": {"tls": "yes"}}}, "tls")
        self.refused("development", {"redis": {"external": {"tls": True}}}, "TLS is for redis.mode external")
        self.refused("development", {"redis": {"external": {"caConfigMap": "one"}}}, "TLS is for redis.mode external")

    def test_cloudhsm_needs_an_image_and_addresses(self):
        self.refused("cloudhsm", {"cryptocore": {"image": ""}}, "cryptocore.image")
        self.refused("cloudhsm", {"network": {"hsm": []}}, "network.hsm")

    def test_cert_manager_needs_an_issuer_and_names(self):
        self.refused("cert-manager", {"pki": {"edge": {"issuer": {"name": ""}}}}, "issuer.name")
        self.refused("cert-manager", {"pki": {"edge": {"dnsNames": []}}}, "dnsNames")

    def test_a_region_is_no_peer_of_its_own(self):
        self.refused("three-regions", {"region": "r2"}, "none of its own")


class Words(unittest.TestCase):
    def test_each_value_is_explained(self):
        lines = (chart.CHART / "values.yaml").read_text().splitlines()
        heads = [number for number, line in enumerate(lines) if line and line[0].isalpha()]
        for number in heads:
            above = lines[number - 1] if number else ""
            inside = lines[number + 1] if number + 1 < len(lines) else ""
            block = inside.startswith("  #") or inside.startswith("  - #") or lines[number].endswith("{}")
            self.assertTrue(above.startswith("#") or block or lines[number].rstrip(":") in ("gateway", "authz", "orchestrator"), lines[number])

    def test_notes_end_with_the_next_command(self):
        notes = chart.rendered_here(chart.value_set("ha"))[1]
        self.assertIn("helm test keyward --namespace pens", notes)
        self.assertIn("delete pod -l app.kubernetes.io/instance=keyward,keyward-cell=c", notes)
        self.assertNotIn("WARNING: updateStrategy", notes)
        self.assertIn("SoftHSM keeps the keys in files", notes)


if __name__ == "__main__":
    unittest.main()
