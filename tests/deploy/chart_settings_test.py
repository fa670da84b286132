#!/usr/bin/python3
"""Each settings file that the chart makes holds settings of that service, as docs/settings-*.md has them from the services' own
tables: known, of their type and range, none missing that is required. What values may set is no wider than that.
"""
import json
import unittest

import yaml

import chart
from settings import SPAN, known, unfit

SERVICES = ("gateway", "authz", "orchestrator", "cryptocore", "replicator")


def files(documents):
    """(service, settings) of each file."""
    for document in chart.of_kind(documents, "ConfigMap"):
        for name, text in document["data"].items():
            if name.endswith(".yaml"):
                yield name.removesuffix(".yaml"), yaml.safe_load(text)


class Settings(unittest.TestCase):
    def hold(self, service, settings):
        table = known(service)
        self.assertLessEqual(set(settings), set(table), service)
        for name, value in settings.items():
            self.assertIsNone(unfit(table[name][0], value), "%s: %s" % (service, name))
        missing = {name for name, (_, required) in table.items() if required} - set(settings)
        self.assertEqual(missing, set(), service)

    def test_known_fitting_and_complete(self):
        for name in chart.SETS:
            with self.subTest(name):
                for service, settings in files(chart.rendered(chart.value_set(name))):
                    self.hold(service, settings)

    def test_every_service_of_every_cell_has_a_file(self):
        values = chart.value_set("ha")
        found = [(settings["cell"], service) for service, settings in files(chart.rendered(values))]
        self.assertEqual(sorted(found), sorted((cell["name"], service) for cell in values["cells"] for service in SERVICES))

    def test_what_values_may_set_is_no_wider_than_the_tables(self):
        schema = json.loads((chart.CHART / "values.schema.json").read_text())
        for service in SERVICES:
            table = known(service)
            for name, rule in schema["properties"][service]["properties"]["settings"]["properties"].items():
                kind = table[name][0]
                span = SPAN.match(kind)
                if rule.get("type") == "integer":
                    self.assertTrue(int(span.group(2)) <= rule["minimum"] <= rule["maximum"] <= int(span.group(3)), name)
                else:
                    self.assertEqual(kind, "string", name)

    def test_nothing_is_both_the_charts_and_the_values(self):
        schema = json.loads((chart.CHART / "values.schema.json").read_text())
        for name in chart.SETS:
            values = chart.value_set(name)
            for service in SERVICES:
                values.setdefault(service, {})["settings"] = {}
            for service, settings in files(chart.rendered(values)):
                free = schema["properties"][service]["properties"]["settings"]["properties"]
                self.assertEqual(set(free) & set(settings), set(), service)

    def test_large_numbers_stay_whole(self):
        found = dict(files(chart.rendered(chart.value_set("ha"))))
        self.assertEqual(found["authz"]["feed_keep_max"], 4000000000)
        self.assertEqual(found["gateway"]["caller_rate_max"], 1000000)

    def test_neighbours_find_one_another(self):
        documents = chart.rendered(chart.value_set("three-regions"))
        hosts = {"%s.%s.svc.cluster.local" % (service["metadata"]["name"], chart.NAMESPACE): {port["port"] for port in service["spec"]["ports"]}
                 for service in chart.of_kind(documents, "Service")}
        for _, settings in files(documents):
            named = settings.get("targets", []) + [settings[key] for key in ("authz", "orchestrator") if key in settings]
            named += [entry.split("=")[1] for entry in settings.get("cells", []) if entry.startswith("r1/")]
            for address in named:
                host, port = address.rsplit(":", 1)
                self.assertIn(int(port), hosts[host])


if __name__ == "__main__":
    unittest.main()
