#!/usr/bin/python3
"""The Fargate templates: nothing but the partners' port is open to the world, everything at rest is encrypted by our key, no permission is
a wildcard, the security groups are the arrows, and services are told settings that they have.
"""
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import arrows
import fargate
from settings import known, unfit

# What keeps data, and what must be said of it.
AT_REST = {
    "AWS::RDS::DBInstance": {"StorageEncrypted": True, "KmsKeyId": None, "PerformanceInsightsKMSKeyId": None},
    "AWS::RDS::DBCluster": {"StorageEncrypted": True, "KmsKeyId": None},
    "AWS::ElastiCache::ReplicationGroup": {"AtRestEncryptionEnabled": True, "KmsKeyId": None},
    "AWS::EFS::FileSystem": {"Encrypted": True, "KmsKeyId": None},
    "AWS::SecretsManager::Secret": {"KmsKeyId": None},
    "AWS::Logs::LogGroup": {"KmsKeyId": None},
    "AWS::SNS::Topic": {"KmsMasterKeyId": None},
    "AWS::CloudTrail::Trail": {"KMSKeyId": None},
    "AWS::Config::DeliveryChannel": {"S3KmsKeyArn": None},
    "AWS::S3::Bucket": {"BucketEncryption": None},
    "AWS::ECS::Cluster": {"Configuration": None},
    "AWS::EC2::LaunchTemplate": {"LaunchTemplateData": None},
}
# The HSM cluster is what it is; the others keep nothing, or write to what is above.
KEEPS_NOTHING = {"AWS::CloudHSM::Cluster", "AWS::ElastiCache::User", "AWS::ElastiCache::UserGroup", "AWS::CloudFormation::Stack", "AWS::AutoScaling::AutoScalingGroup", "AWS::EFS::AccessPoint", "AWS::EFS::MountTarget", "AWS::S3::BucketPolicy"}
QUIET = ("AWS::EC2::", "AWS::ElasticLoadBalancingV2::", "AWS::Route53::", "AWS::ServiceDiscovery::", "AWS::ApplicationAutoScaling::",
         "AWS::CloudWatch::", "AWS::IAM::", "AWS::KMS::", "AWS::Config::", "AWS::RDS::DBSubnetGroup", "AWS::ElastiCache::SubnetGroup",
         "AWS::ECS::Service", "AWS::ECS::TaskDefinition")
WORLD = ("0.0.0.0/0", "::/0")
RESOURCELESS = ("ecr:GetAuthorizationToken", "ecs:DiscoverPollEndpoint")  # actions that know no resources
SHARED = {"BalancerGroup": ("callers", "prober"), "MonitoringGroup": ("monitoring",), "LinkGroup": ("replicator",), "HsmGroup": ("hsm",),
          "PlatformGroup": ("platform",), "VolumeGroup": ("volume",), "AuroraGroup": ("sql",)}


class World(unittest.TestCase):
    def test_only_the_balancers_443_is_open(self):
        found = [(name, rule["FromPort"], rule["ToPort"]) for _, name, _, properties in fargate.resources()
                 for rule in fargate.walk(properties) if rule.get("CidrIp") in WORLD or rule.get("CidrIpv6") in WORLD]
        self.assertEqual(found, [("BalancerGroup", 443, 443)])

    def test_one_way_in(self):
        balancer, = fargate.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
        self.assertEqual((balancer[3]["Type"], balancer[3]["Scheme"]), ("network", "internet-facing"))
        listener, = fargate.resources("AWS::ElasticLoadBalancingV2::Listener")
        self.assertEqual((listener[3]["Port"], listener[3]["Protocol"]), (443, "TCP"))
        target, = fargate.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
        self.assertEqual((target[3]["Port"], target[3]["Protocol"]), (arrows.PORTS["edge"]["number"], "TCP"))

    def test_nothing_has_a_public_address(self):
        for _, name, _, properties in fargate.resources("AWS::RDS::DBInstance"):
            self.assertIs(properties["PubliclyAccessible"], False, name)
        for _, name, _, properties in fargate.resources("AWS::EC2::Subnet"):
            self.assertIs(properties["MapPublicIpOnLaunch"], False, name)
        for _, name, _, properties in fargate.resources("AWS::ECS::Service"):
            network = properties["NetworkConfiguration"]["AwsvpcConfiguration"]
            self.assertEqual((network["AssignPublicIp"], network["Subnets"]), ("DISABLED", [{"Ref": "Subnet"}]), name)

    def test_private_subnets_have_no_way_out(self):
        routes = [properties["RouteTableId"]["Ref"] for _, _, _, properties in fargate.resources("AWS::EC2::Route")]
        self.assertEqual(routes, ["PublicRoutes"])
        self.assertEqual(list(fargate.resources("AWS::EC2::NatGateway")), [])

    def test_buckets_are_private_and_locked(self):
        for _, name, _, properties in fargate.resources("AWS::S3::Bucket"):
            self.assertEqual(set(properties["PublicAccessBlockConfiguration"].values()), {True}, name)
            self.assertEqual(properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"], "COMPLIANCE", name)


class AtRest(unittest.TestCase):
    def test_every_type_is_known_to_keep_something_or_nothing(self):
        for _, name, kind, _ in fargate.resources():
            self.assertTrue(kind in AT_REST or kind in KEEPS_NOTHING or kind.startswith(QUIET), "%s %s" % (kind, name))

    def test_encrypted_by_our_key(self):
        for file, name, kind, properties in fargate.resources(*AT_REST):
            if properties.get("Engine") == "aurora-postgresql" and kind.endswith("DBInstance"):
                continue  # its cluster's storage
            for key, value in AT_REST[kind].items():
                self.assertIn(key, properties, name)
                if value is not None:
                    self.assertEqual(properties[key], value, name)
                else:
                    self.assertRegex(fargate.text(properties[key]), r'"(Ref": "Key"|Fn::GetAtt": \["Key", "Arn"\])', name)

    def test_a_machines_disk_is_encrypted(self):
        (_, _, _, template), = fargate.resources("AWS::EC2::LaunchTemplate")
        for disk in template["LaunchTemplateData"]["BlockDeviceMappings"]:
            self.assertEqual((disk["Ebs"]["Encrypted"], disk["Ebs"]["KmsKeyId"]), (True, {"Ref": "Key"}))

    def test_what_can_be_lost_with_a_stack_is_kept(self):
        for file in fargate.FILES:
            for name, resource in fargate.template(file)["Resources"].items():
                if resource["Type"] in ("AWS::S3::Bucket", "AWS::EFS::FileSystem", "AWS::KMS::Key", "AWS::Logs::LogGroup",
                                        "AWS::SecretsManager::Secret", "AWS::CloudHSM::Cluster"):
                    self.assertEqual((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("Retain", "Retain"), name)


class Redis(unittest.TestCase):
    def test_by_tls_and_for_those_who_log_in(self):
        cache, = fargate.resources("AWS::ElastiCache::ReplicationGroup")
        self.assertEqual((cache[3]["TransitEncryptionEnabled"], cache[3]["TransitEncryptionMode"]), (True, "required"))
        self.assertEqual(cache[3]["UserGroupIds"], [{"Ref": "CacheUsers"}])
        group, = fargate.resources("AWS::ElastiCache::UserGroup")
        users = {name: properties for _, name, _, properties in fargate.resources("AWS::ElastiCache::User")}
        self.assertEqual({user["Ref"] for user in group[3]["UserIds"]}, set(users))
        self.assertEqual({user["UserName"]: user["AccessString"] for user in users.values()},
                         {"gateway": "on ~* -@all +get +setex", "default": "off ~* -@all"})
        for name, user in users.items():
            self.assertNotIn("NoPasswordRequired", user, name)
            self.assertEqual(user["Passwords"], [{"Fn::Sub": "{{resolve:secretsmanager:${CacheUserSecret}}}"}], name)

    def test_the_gateway_is_told_the_same(self):
        task = fargate.template("cell.yaml")["Resources"]["GatewayTask"]["Properties"]
        gateway = next(one for one in task["ContainerDefinitions"] if one["Name"] == "gateway")
        given = {entry["Name"]: entry["Value"] for entry in gateway["Environment"]}
        self.assertEqual((given["KEYWARD_REDIS_TLS"], given["KEYWARD_REDIS_USER"]), ("true", "gateway"))
        self.assertIn("PrimaryEndPoint.Address", fargate.text(given["KEYWARD_REDIS"]))


class Permissions(unittest.TestCase):
    def test_no_action_is_a_wildcard(self):
        for where, statement in fargate.statements():
            self.assertNotIn("NotAction", statement, where)
            for action in fargate.listed(statement["Action"]):
                self.assertNotIn("*", action, where)

    def test_no_resource_is_everything(self):
        for where, statement in fargate.statements():
            if statement["Effect"] == "Allow" and statement.get("Resource") == "*":
                key = where.startswith("AWS::KMS::Key")  # there it means the key itself
                self.assertTrue(key or statement["Action"] in RESOURCELESS, "%s: %s" % (where, statement))

    def test_nobody_is_everybody(self):
        for where, statement in fargate.statements():
            if statement["Effect"] == "Allow" and not where.startswith("AWS::EC2::VPCEndpoint"):
                self.assertNotEqual(statement.get("Principal"), "*", where)
                self.assertNotIn('"AWS": "*"', fargate.text(statement.get("Principal")), where)

    def test_grants_are_for_what_services_of_aws_keep(self):
        """Whoever makes one for himself uses the key. Alone, as no other call that is allowed here knows these conditions."""
        found = [(where, statement) for where, statement in fargate.statements()
                 if statement["Effect"] == "Allow" and "kms:CreateGrant" in fargate.listed(statement["Action"])]
        self.assertEqual({where for where, _ in found}, {"AWS::KMS::Key Key"})
        for where, statement in found:
            with self.subTest(statement["Sid"]):
                self.assertEqual(statement["Action"], "kms:CreateGrant")
                if "Service" in statement["Principal"]:
                    self.assertEqual(statement["Condition"]["ForAllValues:StringEquals"], {"kms:GrantOperations": ["Decrypt"]})
                else:
                    self.assertEqual(statement["Condition"], {"Bool": {"kms:GrantIsForAWSResource": "true"}})

    def test_no_ready_made_policies(self):
        for _, name, _, properties in fargate.resources("AWS::IAM::Role"):
            self.assertNotIn("ManagedPolicyArns", properties, name)

    def test_each_service_fetches_its_own_secrets(self):
        for _, name, _, task in fargate.resources("AWS::ECS::TaskDefinition"):
            role = fargate.template("cell.yaml")["Resources"][name.removesuffix("Task") + "Execution"]["Properties"]
            given = {match for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
                     if statement["Action"] == "secretsmanager:GetSecretValue" for match in re.findall(r"\w+Secret\b", fargate.text(statement["Resource"]))}
            used = {match for container in task["ContainerDefinitions"] for secret in container.get("Secrets", [])
                    for match in re.findall(r"\w+Secret\b", fargate.text(secret["ValueFrom"]))}
            self.assertEqual(given, used, name)


class Groups(unittest.TestCase):
    """Security groups are the arrows, on either side."""

    def parties(self, group):
        name = group.get("Ref")
        if "Fn::If" in group:
            return {party for choice in group["Fn::If"][1:] for party in self.parties(choice)}
        if name in SHARED:
            return set(SHARED[name])
        resources = fargate.template("cell.yaml")["Resources"] | fargate.template("host.yaml")["Resources"]
        tags = resources[name]["Properties"]["Tags"]
        return {next(tag["Value"] for tag in tags if tag["Key"] == "keyward-party")}

    def rules(self, kind, other):
        """(from, to, first port, last port) of each rule of a cell."""
        for _, name, _, rule in fargate.resources("AWS::EC2::SecurityGroup" + kind):
            if other in rule:
                for near in self.parties(rule["GroupId"]):
                    for far in self.parties(rule[other]):
                        ends = (far, near) if kind == "Ingress" else (near, far)
                        yield (*ends, rule["FromPort"], rule["ToPort"])

    def wanted(self):
        for arrow in arrows.of("fargate"):
            port = arrows.PORTS[arrow["port"]]
            if "peers" not in (arrow["from"], arrow["to"]):
                yield arrow["from"], arrow["to"], port["number"], port.get("last", port["number"])

    @staticmethod
    def told_apart(rules):
        """The load balancer's group is both callers and prober: of its rules the one of the port that is meant."""
        return {rule for rule in rules if (rule[0] == "callers") <= (rule[2] != 9464) and (rule[0] == "prober") <= (rule[2] == 9464)}

    def test_ingress(self):
        self.assertEqual(self.told_apart(self.rules("Ingress", "SourceSecurityGroupId")), set(self.wanted()))

    def test_egress(self):
        self.assertEqual(self.told_apart(self.rules("Egress", "DestinationSecurityGroupId")), set(self.wanted()))

    def test_peers_are_reached_by_their_networks_on_the_link_alone(self):
        for kind in ("Ingress", "Egress"):
            found = [(name, rule["GroupId"], rule["FromPort"], rule["ToPort"]) for _, name, _, rule in
                     fargate.resources("AWS::EC2::SecurityGroup" + kind) if "CidrIp" in rule]
            self.assertEqual(len(found), 2)
            for name, group, first, last in found:
                self.assertEqual((group, first, last), ({"Ref": "LinkGroup"}, 8446, 8446), name)
                self.assertIn("Peer", name)

    def test_no_group_lets_everything_out(self):
        for _, name, _, properties in fargate.resources("AWS::EC2::SecurityGroup"):
            self.assertTrue(properties["SecurityGroupEgress"], name)  # none means all
            for rule in properties["SecurityGroupEgress"]:
                nowhere = rule.get("CidrIp") == "127.0.0.1/32"
                layers = rule.get("DestinationPrefixListId") == {"Ref": "ObjectsPrefixList"} and rule["FromPort"] == rule["ToPort"] == 443
                self.assertTrue(nowhere or layers, name)

    def test_every_service_has_its_own_group(self):
        for _, name, _, properties in fargate.resources("AWS::ECS::Service"):
            groups = properties["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"]
            own = {"Ref": name.removesuffix("Service") + "Group"}
            self.assertEqual(groups, [own, {"Ref": "LinkGroup"}] if name == "ReplicatorService" else [own])


class Tasks(unittest.TestCase):
    def services(self):
        for _, name, _, task in fargate.resources("AWS::ECS::TaskDefinition"):
            service = name.removesuffix("Task").lower()
            yield service, task, next(one for one in task["ContainerDefinitions"] if one["Name"] == service)

    def test_settings_are_known_fitting_and_complete(self):
        for service, _, container in self.services():
            table = known(service)
            given = {entry["Name"].removeprefix("KEYWARD_").lower(): entry["Value"] for entry in container["Environment"]}
            self.assertLessEqual(set(given), set(table), service)
            self.assertEqual({name for name, (_, required) in table.items() if required} - set(given), set(), service)
            for name, value in given.items():
                if isinstance(value, str) and not table[name][0].startswith("list"):
                    self.assertIsNone(unfit(table[name][0], value), name)

    def test_ports_are_those_of_the_table(self):
        for service, _, container in self.services():
            wanted = {arrows.PORTS[arrow["port"]]["number"] for arrow in arrows.of("fargate") if arrow["to"] == service}
            self.assertEqual({mapping["ContainerPort"] for mapping in container["PortMappings"]}, wanted, service)

    def test_services_are_nobody_and_can_write_nothing(self):
        for service, task, container in self.services():
            self.assertEqual((container["User"], container["ReadonlyRootFilesystem"]), ("65532:65532", True), service)
            self.assertEqual(container["LinuxParameters"]["Capabilities"], {"Drop": ["ALL"]}, service)
            for one in task["ContainerDefinitions"]:
                self.assertNotIn("Privileged", one)
                self.assertTrue(one["ReadonlyRootFilesystem"])
                self.assertNotRegex(fargate.text(one["Image"]), ":latest")

    def test_services_get_secrets_as_files_alone(self):
        for service, task, container in self.services():
            self.assertNotIn("Secrets", container, service)
            for one in task["ContainerDefinitions"]:
                self.assertTrue("Secrets" not in one or not one["Essential"], service)

    def test_settle_writes_secrets_for_the_service_alone(self):
        for service, task, container in self.services():
            settle = next(one for one in task["ContainerDefinitions"] if one["Name"] == "settle")
            with tempfile.TemporaryDirectory() as place:
                script = settle["Command"][2].replace("/run/keyward", place).replace("chown -R 65532:65532 %s /tmp" % place, "echo theirs")
                done = subprocess.run(["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin", "SECRET": "a secret", "SQL": "word", "PASSWORD": "another"},
                                      text=True, capture_output=True, check=True)
                made = {path.name: path for path in pathlib.Path(place, "private").iterdir()}
                self.assertEqual({path.stat().st_mode & 0o777 for path in made.values()} - {0o600}, set())
                self.assertEqual(made["redis.password"].read_text() if "redis.password" in made else "another", "another")
                self.assertIn(made["passfile"].read_text() if "passfile" in made else "", ("", "*:*:*:keyward_%s:word\n" % service))
            wanted = {pathlib.PurePath(found).name for found in re.findall(r"/run/keyward/private/[\w.-]+", fargate.text(container["Environment"]))}
            self.assertEqual((set(made), done.stdout), (wanted, "theirs\n"), service)

    def test_a_service_that_hangs_is_replaced_and_no_other(self):
        for service, _, container in self.services():
            check = container["HealthCheck"]
            self.assertEqual(check["Command"], ["CMD", "/usr/local/bin/keyward-" + service, "health", "--live"])
            self.assertEqual((check["Interval"], check["Retries"]), (15, 3), service)

    def test_files_are_mounted_encrypted_and_by_identity(self):
        for service, task, _ in self.services():
            for volume in task["Volumes"]:
                if "EFSVolumeConfiguration" in volume:
                    mount = volume["EFSVolumeConfiguration"]
                    self.assertEqual((mount["TransitEncryption"], mount["AuthorizationConfig"]["IAM"]), ("ENABLED", "ENABLED"), service)

    def test_only_gateways_are_several(self):
        for _, name, _, properties in fargate.resources("AWS::ECS::Service"):
            if name != "GatewayService":
                self.assertEqual((properties["DesiredCount"], properties["DeploymentConfiguration"]["MaximumPercent"]), (1, 100), name)


class Host(unittest.TestCase):
    """The machine of a crypto core: what Fargate can't give a task."""

    def setUp(self):
        self.task = fargate.template("cell.yaml")["Resources"]["CryptocoreTask"]["Properties"]
        self.core = next(one for one in self.task["ContainerDefinitions"] if one["Name"] == "cryptocore")
        self.data = fargate.template("host.yaml")["Resources"]["HostTemplate"]["Properties"]["LaunchTemplateData"]
        self.script = self.data["UserData"]["Fn::Base64"]["Fn::Sub"][0]
        self.profile = json.loads(re.search(r"<<'PROFILE'\n(.*?)\nPROFILE\n", self.script, re.DOTALL)[1])

    def allowed(self, *capabilities):
        """Calls that a container with these may make, whatever their arguments."""
        rows = [row for row in self.profile["syscalls"] if row["action"] == "SCMP_ACT_ALLOW"]
        return {name for row in rows if set(row.get("includes", {}).get("caps", [])) <= set(capabilities) for name in row["names"] if "args" not in row}

    def test_it_is_asked_for_by_its_image(self):
        self.assertEqual(fargate.template("cell.yaml")["Conditions"]["OnHost"], {"Fn::Not": [{"Fn::Equals": [{"Ref": "HostImage"}, ""]}]})
        service = fargate.template("cell.yaml")["Resources"]["CryptocoreService"]["Properties"]
        self.assertEqual(service["LaunchType"], {"Fn::If": ["OnHost", "EC2", "FARGATE"]})
        self.assertEqual(self.task["RequiresCompatibilities"], [{"Fn::If": ["OnHost", "EC2", "FARGATE"]}])
        self.assertIn("ECS_INSTANCE_ATTRIBUTES={\"keyward-cell\":\"${Cell}\"}", self.script)
        self.assertEqual(service["PlacementConstraints"]["Fn::If"][1][0]["Expression"], {"Fn::Sub": "attribute:keyward-cell == ${Cell}"})

    def test_memory_may_be_locked(self):
        given = [one for limit in self.core["Ulimits"] for one in fargate.choices(limit) if one["Name"] == "memlock"]
        self.assertEqual([(one["SoftLimit"], one["HardLimit"]) for one in given], [(67108864, 67108864)])

    def test_all_that_the_core_s_profile_allows_and_nothing_that_looks_into_others(self):
        ours = json.loads((fargate.TOP / "docker/seccomp-cryptocore.json").read_text())
        for row in ours["syscalls"]:
            if "args" in row:
                self.assertIn({key: row[key] for key in ("names", "action", "args")}, self.profile["syscalls"])
            elif row["action"] == "SCMP_ACT_ALLOW":
                self.assertLessEqual(set(row["names"]), self.allowed())
        self.assertEqual(self.profile["defaultAction"], "SCMP_ACT_ERRNO")
        self.assertEqual(self.allowed() & {"ptrace", "process_vm_readv", "process_vm_writev", "keyctl", "mount", "unshare", "setns", "bpf", "perf_event_open",
                                           "userfaultfd", "io_uring_setup", "clone", "clone3", "socket", "personality", "init_module", "kexec_load"}, set())

    def test_a_container_may_have_what_the_agent_has_by_no_capability(self):
        for container in self.task["ContainerDefinitions"]:
            self.assertNotIn("Add", container.get("LinuxParameters", {}).get("Capabilities", {}))
        self.assertIn("setns", self.allowed("CAP_SYS_ADMIN"))

    def test_containers_do_not_come_to_its_role(self):
        self.assertEqual((self.data["MetadataOptions"]["HttpTokens"], self.data["MetadataOptions"]["HttpPutResponseHopLimit"]), ("required", 1))
        self.assertIn("ECS_AWSVPC_BLOCK_IMDS=true", self.script)

    def test_it_has_no_public_address_and_nobody_calls_it(self):
        self.assertEqual([one["AssociatePublicIpAddress"] for one in self.data["NetworkInterfaces"]], [False])
        called = [name for _, name, _, rule in fargate.resources("AWS::EC2::SecurityGroupIngress") if rule["GroupId"] == {"Ref": "HostGroup"}]
        self.assertEqual(called, [])


class Region(unittest.TestCase):
    def test_three_cells_in_three_zones_with_all_that_a_cell_asks_for(self):
        cells = [found for found in fargate.resources("AWS::CloudFormation::Stack") if found[0] == "region.yaml"]
        asked = fargate.template("cell.yaml")["Parameters"]
        self.assertEqual([cell[3]["Parameters"]["Cell"] for cell in cells], ["a", "b", "c"])
        self.assertEqual([cell[3]["Parameters"]["Zone"]["Fn::Select"][0] for cell in cells], [0, 1, 2])
        for _, name, _, properties in cells:
            self.assertEqual(set(properties["Parameters"]), set(asked), name)

    def test_a_database_is_in_the_zone_of_its_cell(self):
        own, = [properties for file, _, _, properties in fargate.resources("AWS::RDS::DBInstance") if file == "cell.yaml"]
        self.assertEqual((own["MultiAZ"], own["AvailabilityZone"]), (False, {"Ref": "Zone"}))

    def test_every_parameter_is_explained_and_used(self):
        for file in fargate.FILES:
            source = (fargate.FOLDER / file).read_text()
            for name, parameter in fargate.template(file)["Parameters"].items():
                self.assertTrue(parameter["Description"])
                self.assertGreater(len(re.findall(r"\b%s\b" % name, source)), 1, name)

    def test_environments_give_what_is_asked_and_nothing_else(self):
        asked = fargate.template("region.yaml")["Parameters"]
        for path in sorted((fargate.FOLDER / "parameters").glob("*.json")):
            given = json.loads(path.read_text())
            self.assertLessEqual(set(given), set(asked), path.name)
            self.assertEqual({name for name, parameter in asked.items() if "Default" not in parameter} - set(given), set(), path.name)
            for name, value in given.items():
                self.assertRegex(value, asked[name].get("AllowedPattern", "^"), "%s: %s" % (path.name, name))
                self.assertIn(value, [str(one) for one in asked[name].get("AllowedValues", [value])], name)

    def test_the_readme_says_what_this_is(self):
        self.assertIn("linted, not deployed", (fargate.FOLDER / "README.md").read_text())


if __name__ == "__main__":
    unittest.main()
