#!/usr/bin/python3
"""The chart's NetworkPolicies allow each arrow of deploy/arrows.yaml, and no other: who may connect to whom is worked out from the
rendered policies and pods, as Kubernetes does it, and compared, for every value set.
"""
import json
import unittest

import arrows
import chart


# --- what the policies allow ---

def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def one(peer):
    return json.dumps(peer, sort_keys=True)


class Pod:
    def __init__(self, metadata, spec):
        self.labels = metadata["labels"]
        self.service = self.labels["app.kubernetes.io/component"]
        self.cell = self.labels.get("keyward-cell")
        self.ports = {port["name"]: port["containerPort"] for container in spec["containers"] for port in container.get("ports", [])}


class Cluster:
    """Pods of a release, and its policies."""

    def __init__(self, documents):
        self.pods = [Pod(metadata, spec) for _, metadata, spec in chart.pods(documents)]
        self.policies = [document["spec"] for document in chart.of_kind(documents, "NetworkPolicy")]

    def rules(self, pod, way):
        """What is allowed of a pod in one direction; None when everything is."""
        policies = [policy for policy in self.policies
                    if way.capitalize() in policy["policyTypes"] and selects(policy["podSelector"], pod.labels)]
        return [rule for policy in policies for rule in policy.get(way, [])] if policies else None

    @staticmethod
    def lets(rules, way, pod, port):
        """Do rules let a pod of this release through, on a port by name?"""
        return rules is None or any(
            any(entry["port"] == port for entry in rule.get("ports", [{"port": port}])) and
            any("podSelector" in peer and "namespaceSelector" not in peer and selects(peer["podSelector"], pod.labels)
                for peer in rule.get(way, [{"podSelector": {}}]))
            for rule in rules)

    def inside(self):
        """Between pods of the release: (from, cell, to, cell, port's name)."""
        for source in self.pods:
            for target in self.pods:
                for port in target.ports:
                    if source is not target and self.lets(self.rules(source, "egress"), "to", target, port) and \
                            self.lets(self.rules(target, "ingress"), "from", source, port):
                        yield source.service, source.cell, target.service, target.cell, port

    def one_side(self, way):
        """What the rules of one side alone let through, on pods that have such a port; but for what is open to everybody."""
        for source in self.pods:
            for target in self.pods:
                pod, other, end = (source, target, "to") if way == "egress" else (target, source, "from")
                rules = [rule for rule in self.rules(pod, way) if end in rule]
                for port in target.ports:
                    if source is not target and self.lets(rules, end, other, port):
                        yield source.service, source.cell, target.service, target.cell, port

    def across(self, way):
        """Between a pod and who is outside: (service, cell, the peer, port, last port, protocol)."""
        end = {"egress": "to", "ingress": "from"}[way]
        for pod in self.pods:
            for rule in self.rules(pod, way) or []:
                for peer in rule.get(end, ["anybody"]):
                    if peer == "anybody" or "podSelector" not in peer or "namespaceSelector" in peer:
                        for port in rule["ports"]:
                            yield pod.service, pod.cell, one(peer), port["port"], port.get("endPort"), port["protocol"]


# --- what the arrows allow ---

class Wanted:
    def __init__(self, values):
        self.values = values
        self.cells = [cell["name"] for cell in values["cells"]]
        self.cell = {cell["name"]: cell for cell in values["cells"]}

    def inside(self):
        for arrow in arrows.of("chart"):
            for source, at, target, to in arrows.ends(arrow, self.cells):
                if arrows.PARTIES[source]["kind"] == arrows.PARTIES[target]["kind"] == "service":
                    yield source, at, target, to, arrow["port"]

    def outside(self, party):
        """The peers that stand for a party, from the values."""
        network = self.values["network"]
        if party == "callers":
            return [one(peer) for peer in network["callers"]] or [one("anybody")]
        if party == "resolver":
            return [one(peer) for peer in network["dns"]]
        there = {"sql": self.values["store"]["mode"] == "postgresql", "redis": self.values["redis"]["mode"] == "external",
                 "hsm": self.values["hsm"]["mode"] == "cloudhsm", "monitoring": True}
        return [one(peer) for peer in network[party]] if there[party] else []

    def port(self, service, cell, name):
        """Number, last number and protocol; of a store as its URL says."""
        port = arrows.PORTS[name]
        number = port["number"]
        if name == "sql":
            host = self.cell[cell]["sql"][service].split("@")[1].split("/")[0]
            number = int(host.partition(":")[2] or number)
        if name == "redis":
            number = int(self.cell[cell]["redis"].rpartition(":")[2])
        return number, port.get("last"), port["protocol"]

    def namesakes(self, cell):
        """(peer, port) of the replicators in other regions that a cell is linked with."""
        for region in self.values["peers"]:
            for other in region["cells"]:
                for cidr in region["cidrs"] if other["name"] == cell else []:
                    yield one({"ipBlock": {"cidr": cidr}}), int(other["address"].rpartition(":")[2])

    def egress(self):
        for arrow in arrows.of("chart"):
            if arrows.PARTIES[arrow["to"]]["kind"] == "service":
                continue
            for source, at, target, _ in arrows.ends(arrow, self.cells):
                if target == "peers":
                    yield from ((source, at, peer, port, None, "TCP") for peer, port in self.namesakes(at))
                else:
                    yield from ((source, at, peer, *self.port(source, at, arrow["port"])) for peer in self.outside(target))

    def ingress(self):
        for arrow in arrows.of("chart"):
            if arrows.PARTIES[arrow["from"]]["kind"] == "service":
                continue
            for source, _, target, to in arrows.ends(arrow, self.cells):
                found = dict(self.namesakes(to)) if source == "peers" else self.outside(source)
                yield from ((target, to, peer, arrow["port"], None, "TCP") for peer in found)


class Network(unittest.TestCase):
    def compare(self, values):
        full = chart.merged(chart.load(chart.CHART / "values.yaml"), values)
        cluster, wanted = Cluster(chart.rendered(values)), Wanted(full)
        self.assertEqual(sorted(set(cluster.inside()), key=str), sorted(set(wanted.inside()), key=str))
        for way in ("egress", "ingress"):
            self.assertEqual(sorted(set(cluster.across(way)), key=str), sorted(set(getattr(wanted, way)()), key=str))

    def test_each_arrow_and_no_other(self):
        for name in chart.SETS:
            with self.subTest(name):
                self.compare(chart.value_set(name))

    def test_each_side_says_so_by_itself(self):
        for name in chart.SETS:
            values = chart.value_set(name)
            cluster = Cluster(chart.rendered(values))
            wanted = set(Wanted(chart.merged(chart.load(chart.CHART / "values.yaml"), values)).inside())
            with self.subTest(name):
                self.assertEqual(sorted(set(cluster.one_side("egress")), key=str), sorted(wanted, key=str))
                self.assertEqual({arrow for arrow in cluster.one_side("ingress") if arrow[4] != "edge"},
                                 {arrow for arrow in wanted if arrow[4] != "edge"})

    def test_the_sets_have_every_arrow_between_them(self):
        seen = set()
        for name in chart.SETS:
            wanted = Wanted(chart.merged(chart.load(chart.CHART / "values.yaml"), chart.value_set(name)))
            seen |= {(source, port) for source, _, _, _, port in wanted.inside()}
            seen |= {(service, port) for way in (wanted.egress(), wanted.ingress()) for service, _, _, port, _, _ in way}
        for service, port in (("authz", 5432), ("orchestrator", 5433), ("gateway", 6379), ("cryptocore", 2223), ("replicator", 9446),
                              ("replicator", "link"), ("gateway", "metrics"), ("tester", "edge")):
            self.assertIn((service, port), seen)

    def test_no_pod_is_without_a_policy(self):
        for name in chart.SETS:
            cluster = Cluster(chart.rendered(chart.value_set(name)))
            for pod in cluster.pods:
                self.assertIsNotNone(cluster.rules(pod, "ingress"))
                self.assertIsNotNone(cluster.rules(pod, "egress"))

    def test_a_pod_of_the_release_that_is_not_named_talks_to_nobody(self):
        cluster = Cluster(chart.rendered(chart.value_set("development")))
        labels = {"app.kubernetes.io/name": "keyward", "app.kubernetes.io/instance": chart.RELEASE, "app.kubernetes.io/component": "new"}
        stranger = Pod({"labels": labels}, {"containers": []})
        self.assertEqual((cluster.rules(stranger, "ingress"), cluster.rules(stranger, "egress")), ([], []))

    def test_ports_are_those_of_the_table(self):
        for name in chart.SETS:
            for pod in Cluster(chart.rendered(chart.value_set(name))).pods:
                for port, number in pod.ports.items():
                    self.assertEqual(number, arrows.PORTS[port]["number"], port)


if __name__ == "__main__":
    unittest.main()
