#!/usr/bin/python3
"""What every pod of the chart must be like, whatever the values: what Pod Security "restricted" asks, and what linters of Kubernetes
objects look for, as assertions of our own; probes by what readiness means; how cells are apart.
"""
import unittest

import yaml

import arrows
import chart

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
OWNERS = ("authz", "orchestrator")


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


class Pods(unittest.TestCase):
    def each(self):
        """(value set, name, metadata, spec) of every pod."""
        for name in chart.SETS:
            for pod, metadata, spec in chart.pods(chart.rendered(chart.value_set(name))):
                with self.subTest("%s %s" % (name, pod)):
                    yield name, pod, metadata, spec

    def each_service(self):
        for name, pod, metadata, spec in self.each():
            service = metadata["labels"]["app.kubernetes.io/component"]
            if service in arrows.SERVICES:
                yield name, service, spec, next(one for one in spec["containers"] if one["name"] == service)

    def test_restricted(self):
        for _, _, _, spec in self.each():
            security = spec["securityContext"]
            self.assertTrue(security["runAsNonRoot"] and security["runAsUser"] > 0 and security["runAsGroup"] > 0)
            self.assertEqual(security["seccompProfile"], {"type": "RuntimeDefault"})
            for key in ("hostNetwork", "hostPID", "hostIPC", "hostAliases"):
                self.assertNotIn(key, spec)
            for one in containers(spec):
                given = {key: value for key, value in one["securityContext"].items() if key != "seccompProfile"}
                self.assertEqual(given, RESTRICTED, one["name"])
                self.assertIn(one["securityContext"].get("seccompProfile", {}).get("type"), (None, "Localhost"))
            self.assertFalse(any("hostPath" in volume for volume in spec["volumes"]))

    def test_a_volumes_mode_is_changed_once(self):
        for _, _, _, spec in self.each():
            self.assertEqual(spec["securityContext"]["fsGroupChangePolicy"], "OnRootMismatch")

    def test_no_token_and_no_service_links(self):
        for _, _, _, spec in self.each():
            self.assertIs(spec["automountServiceAccountToken"], False)
            self.assertIs(spec["enableServiceLinks"], False)

    def test_every_service_has_an_account_of_its_own(self):
        for name, service, spec, _ in self.each_service():
            accounts = {account["metadata"]["name"]: account for account in
                        chart.of_kind(chart.rendered(chart.value_set(name)), "ServiceAccount")}
            self.assertTrue(spec["serviceAccountName"].endswith(service))
            self.assertIs(accounts[spec["serviceAccountName"]]["automountServiceAccountToken"], False)

    def test_limits_and_images(self):
        for _, _, _, spec in self.each():
            for one in containers(spec):
                self.assertLessEqual({"memory", "ephemeral-storage"}, set(one["resources"]["limits"]))
                self.assertLessEqual({"cpu", "memory", "ephemeral-storage"}, set(one["resources"]["requests"]))
                self.assertRegex(one["image"], r":[^:/]+$|@sha256:")
                self.assertNotRegex(one["image"], r":latest$")

    def test_no_secret_in_env_or_arguments(self):
        for _, _, _, spec in self.each():
            for one in containers(spec):
                self.assertNotIn("envFrom", one)
                for entry in one.get("env", []):
                    self.assertNotIn("secretKeyRef", entry.get("valueFrom", {}))
                    self.assertIn(entry["name"], ("SOFTHSM2_CONF", "KEYWARD_WRITER"))

    def redis_logins(self, over):
        """Cell → what its gateway is told of logging in to Redis, and the Secrets that it is given beside the cache's key."""
        documents = chart.rendered(chart.value_set("ha", over))
        files = [yaml.safe_load(document["data"]["gateway.yaml"]) for document in chart.of_kind(documents, "ConfigMap")
                 if "gateway.yaml" in document["data"]]
        given = {metadata["labels"]["keyward-cell"]: next(volume["projected"]["sources"] for volume in spec["volumes"] if volume["name"] == "seed-private")
                 for _, metadata, spec in chart.pods(documents) if metadata["labels"]["app.kubernetes.io/component"] == "gateway"}
        return {told["cell"]: (told.get("redis_user"), told.get("redis_password_file"),
                               [one["secret"] for one in given[told["cell"]] if one["secret"]["name"] != "keyward-cache"]) for told in files}

    def test_a_gateway_logs_in_to_the_redis_of_its_cell(self):
        def login(user, secret, key):
            return (user, "/run/keyward/private/redis.password", [{"name": secret, "items": [{"key": key, "path": "redis.password"}]}])
        self.assertEqual(self.redis_logins({}), {cell: login("keyward", "keyward-redis-" + cell, "redis.password") for cell in "abc"})
        self.assertEqual(self.redis_logins({"redis": {"external": {"user": "", "passwordSecret": {"name": "one", "key": "pass"}}}}),
                         {cell: login(None, "one", "pass") for cell in "abc"})
        self.assertEqual(self.redis_logins({"redis": {"external": {"user": "", "passwordSecret": {"name": ""}}}}), {cell: (None, None, []) for cell in "abc"})

    def redis_tls(self, over):
        """(what gateways are told of TLS with Redis, ConfigMaps that they are given for it, where they see them), one for all cells."""
        documents = chart.rendered(chart.value_set("ha", over))
        files = [yaml.safe_load(document["data"]["gateway.yaml"]) for document in chart.of_kind(documents, "ConfigMap")
                 if "gateway.yaml" in document["data"]]
        found = []
        for told, (_, _, spec) in zip(files, [pod for pod in chart.pods(documents) if pod[1]["labels"]["app.kubernetes.io/component"] == "gateway"]):
            found.append(((told.get("redis_tls"), told.get("redis_ca_file")),
                          [volume["configMap"]["name"] for volume in spec["volumes"] if volume["name"] == "redis-ca"],
                          [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "redis-ca"]))
        self.assertEqual(found, found[:1] * 3)
        return found[0]

    def test_a_gateway_speaks_tls_with_redis(self):
        self.assertEqual(self.redis_tls({}), ((True, "/etc/keyward/redis/ca.pem"), ["keyward-redis-ca"], ["/etc/keyward/redis"]))
        self.assertEqual(self.redis_tls({"redis": {"external": {"tls": False, "caConfigMap": ""}}}), ((None, None), [], []))

    def test_nobody_makes_a_secret(self):
        for name in chart.SETS:
            self.assertEqual(chart.of_kind(chart.rendered(chart.value_set(name)), "Secret"), [])

    def test_probes_ask_what_they_mean(self):
        for _, _, _, one in self.each_service():
            for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
                self.assertEqual(one[probe]["httpGet"], {"path": path, "port": "metrics"})

    def test_not_ready_is_no_reason_to_be_cut_off_inside(self):
        for name in chart.SETS:
            for service in chart.of_kind(chart.rendered(chart.value_set(name)), "Service"):
                public = service["metadata"]["name"] == chart.RELEASE
                self.assertIs(service["spec"].get("publishNotReadyAddresses", False), not public)
                if public:
                    self.assertEqual([port["targetPort"] for port in service["spec"]["ports"]], ["edge"])

    def test_there_is_time_to_drain(self):
        for _, _, spec, _ in self.each_service():
            self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], 30 + 10)

    def test_what_is_mounted_is_there(self):
        for _, _, _, spec in self.each():
            volumes = {volume["name"] for volume in spec["volumes"]}
            mounted = {mount["name"] for one in containers(spec) for mount in one.get("volumeMounts", [])}
            self.assertEqual(volumes, mounted)

    def test_paths_in_settings_are_mounted(self):
        for name, service, _, one in self.each_service():
            mounts = [mount["mountPath"] for mount in one["volumeMounts"]] + ["/usr/local/bin", "/opt/cloudhsm"]
            text = next(document["data"][service + ".yaml"] for document in chart.of_kind(chart.rendered(chart.value_set(name)), "ConfigMap")
                        if service + ".yaml" in document["data"])
            for line in text.splitlines():
                value = line.partition(": ")[2].strip('"')
                if value.startswith("/"):
                    self.assertTrue(any(value.startswith(mount + "/") or value == mount for mount in mounts), line)


class Cells(unittest.TestCase):
    def test_one_process_to_a_sqlite_file(self):
        for name in chart.SETS:
            documents = chart.rendered(chart.value_set(name))
            several = {document["metadata"]["name"] for document in chart.of_kind(documents, "StatefulSet", "Deployment")
                       if document["spec"].get("replicas", 2) > 1}
            for claim in chart.of_kind(documents, "PersistentVolumeClaim"):
                modes = ["ReadWriteMany"] if claim["metadata"]["name"] in several else ["ReadWriteOnce"]
                self.assertEqual(claim["spec"]["accessModes"], modes, claim["metadata"]["name"])
                self.assertEqual(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")

    def test_instances_have_writers_of_their_own(self):
        for name, several in (("ha", True), ("development", False)):
            for pod, metadata, spec in chart.pods(chart.rendered(chart.value_set(name))):
                if metadata["labels"]["app.kubernetes.io/component"] in OWNERS:
                    self.assertEqual("KEYWARD_WRITER" in [entry["name"] for entry in spec["containers"][0].get("env", [])], several, pod)

    def test_each_cell_stays_in_its_zone(self):
        values = chart.value_set("ha")
        zones = {cell["name"]: cell["zone"] for cell in values["cells"]}
        for _, metadata, spec in chart.pods(chart.rendered(values)):
            if "keyward-cell" in metadata["labels"]:
                terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
                self.assertEqual(terms[0]["matchExpressions"][0]["values"], [zones[metadata["labels"]["keyward-cell"]]])

    def test_a_drain_takes_one_of_a_service_at_a_time(self):
        documents = chart.rendered(chart.value_set("ha"))
        budgets = {budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]: budget["spec"]
                   for budget in chart.of_kind(documents, "PodDisruptionBudget")}
        self.assertEqual(set(budgets), set(arrows.SERVICES))
        for budget in budgets.values():
            self.assertEqual((budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]), (1, "AlwaysAllow"))
            self.assertNotIn("keyward-cell", budget["selector"]["matchLabels"])

    def test_a_cells_tag_is_its_own(self):
        for pod, metadata, spec in chart.pods(chart.rendered(chart.value_set("ha"))):
            cell = metadata["labels"].get("keyward-cell")
            if cell:
                tag = next(one["image"] for one in spec["containers"] if one["name"] in arrows.SERVICES).rpartition(":")[2]
                self.assertEqual(tag, "0.1.1" if cell == "c" else "0.1.0", pod)

    def test_changed_settings_change_the_pod(self):
        def marks(over):
            return {name: metadata["annotations"].get("keyward-settings") for name, metadata, _ in
                    chart.pods(chart.rendered(chart.value_set("development", over)))}
        before, after = marks({}), marks({"authz": {"settings": {"log_level": "debug"}}})
        self.assertEqual({name for name in before if before[name] != after[name]}, {"keyward-a-authz"})

    def test_scaling_and_monitoring(self):
        documents = chart.rendered(chart.value_set("ha"))
        scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in chart.of_kind(documents, "HorizontalPodAutoscaler")}
        self.assertEqual(scaled, {"keyward-a-gateway", "keyward-b-gateway", "keyward-c-gateway"})
        monitor, = chart.of_kind(documents, "ServiceMonitor")
        for service in chart.of_kind(documents, "Service"):
            wanted = monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
            self.assertEqual(wanted, "metrics" in [port["name"] for port in service["spec"]["ports"]], service["metadata"]["name"])

    def test_cert_manager_certifies_what_partners_see(self):
        documents = chart.rendered(chart.value_set("cert-manager"))
        certificate, = chart.of_kind(documents, "Certificate")
        self.assertEqual(certificate["spec"]["uris"], ["spiffe://keyward.example.org/region/r1/cell/a/svc/gateway"])
        spec = next(spec for name, _, spec in chart.pods(documents) if name == "keyward-a-gateway")
        volume = next(volume for volume in spec["volumes"] if volume["name"] == "edge")
        self.assertEqual(volume["secret"]["secretName"], certificate["spec"]["secretName"])


if __name__ == "__main__":
    unittest.main()
