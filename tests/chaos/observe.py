"""What can be seen of the mesh: facts in answers, and the whole state at the end, as checker.py wants it."""
import collections
import concurrent.futures
import json
import os
import subprocess

from keyward.v1 import (common_pb2, device_pb2, device_service_pb2 as device_service, grant_service_pb2 as grant_pb2,
                        key_service_pb2 as key_pb2, partner_service_pb2 as partner_pb2,
                        provisioning_service_pb2 as provisioning_pb2, receipt_service_pb2 as receipt_pb2)

import actors

PAGE, READERS, COMMAND_S = 1000, 8, 120
FACT_EFFECTS = {key_pb2.KEY_FACT_TYPE_SUSPENDED: "suspension", key_pb2.KEY_FACT_TYPE_LIFTED: "lift",
                key_pb2.KEY_FACT_TYPE_DEACTIVATED: "DeactivateKey",
                key_pb2.KEY_FACT_TYPE_COMPROMISED: "ReportKeyCompromise",
                key_pb2.KEY_FACT_TYPE_DESTROYED: "DestroyKey"}


def key_facts(key):
    """Facts, and what they add up to as far as that can only grow."""
    facts = {"%s %s" % (key_pb2.KeyFactType.Name(fact.type), fact.suspension) for fact in key.facts}
    facts |= {"phase %d" % phase for phase in range(1, key.phase + 1)}
    facts |= {name for name in ("is_protected", "compromised", "destroyed") if getattr(key, name)}
    return sorted(facts)


def grant_facts(grant):
    return ["created"] + ["revoked"] * (grant.state == grant_pb2.GRANT_STATE_REVOKED)


class Final:
    """Reads everything, as an officer, when the mesh is at rest."""

    def __init__(self, mesh, keyward, officer):
        self._mesh, self._keyward, self._officer = mesh, keyward, officer
        self._effects, self._seen = [], {}

    def collect(self):
        receipts = self.receipts()
        return {**self.rows(), "receipts": receipts, "evidence": self._verify(),
                "seen": {**self._seen, **{name: ["stored"] for name in receipts}}}

    def rows(self):
        """What is the same in every cell."""
        self._effects, self._seen = [], {}
        self._devices(self._keys())
        self._grants()
        self._partners()
        return {"effects": self._effects, "seen": self._seen}

    def receipts(self):
        """The names of those that this cell made."""
        return [receipt.name for receipt in self._all(receipt_pb2, "ReceiptService", "ListReceipts", "receipts")]

    def _all(self, file, service, name, field, **fields):
        """All pages of a list."""
        request = getattr(file, name + "Request")(page_size=PAGE, **fields)
        while True:
            page = self._officer.read(actors.method(file, service, name), request)
            yield from getattr(page, field)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    def _effect(self, effect, name, parts=()):
        self._effects.append({"effect": effect, "name": name, "parts": list(parts)})

    def _keys(self):
        """Name → key with its facts."""
        names = [key.name for key in self._all(key_pb2, "KeyService", "ListKeys", "keys", parent="devices/-")]
        get = actors.method(key_pb2, "KeyService", "GetKey")
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            keys = list(pool.map(lambda name: self._officer.read(get, key_pb2.GetKeyRequest(name=name)).key, names))
        for key in keys:
            self._seen[key.name] = key_facts(key)
            self._key_effects(key)
        return {key.name: key for key in keys}

    def _key_effects(self, key):
        lifts = collections.defaultdict(list)
        for fact in key.facts:
            if fact.type == key_pb2.KEY_FACT_TYPE_LIFTED:
                lifts[fact.justification].append(fact.suspension)
            elif fact.type in FACT_EFFECTS:
                self._effect("%s %s" % (FACT_EFFECTS[fact.type], fact.justification), fact.suspension or key.name)
        for justification, suspensions in lifts.items():
            self._effect("lift " + justification, key.name, suspensions)

    def _devices(self, keys):
        batches = collections.defaultdict(list)
        for device in self._all(device_service, "DeviceService", "ListDevices", "devices"):
            self._seen[device.name] = ["confirmed as " + device.serial_number] * bool(device.serial_number)
            if device.serial_number:
                self._effect("confirmed " + device.serial_number, device.name)
            batches[device.batch].append(device)
        for name, devices in batches.items():
            self._batch(name, devices, keys)

    def _batch(self, name, devices, keys):
        get = actors.method(provisioning_pb2, "ProvisioningService", "GetBatch")
        batch = self._officer.read(get, provisioning_pb2.GetBatchRequest(name=name)).batch
        delivered = list(self._all(receipt_pb2, "ReceiptService", "ListReceipts", "receipts", device=devices[0].name))
        self._effect("batch " + batch.lot, name, ["%d pens" % len(devices)] +
                     ["a receipt"] * any(receipt.method.endswith("CreateBatch") for receipt in delivered))
        released = [device for device in devices if device.state == device_pb2.DEVICE_STATE_RELEASED]
        active = [device for device in devices if keys[device.key].phase >= key_pb2.KEY_PHASE_ACTIVE]
        if batch.HasField("release_time") or released or active:
            self._effect("released " + name, name, ["%d pens" % len(set(map(str, released)) & set(map(str, active)))])

    def _grants(self):
        for grant in self._all(grant_pb2, "GrantService", "ListGrants", "grants", parent="partners/-"):
            self._seen[grant.name] = grant_facts(grant)
            self._effect("grant " + grant.purpose, grant.name)
            if grant.state == grant_pb2.GRANT_STATE_REVOKED:
                self._effect("revoked " + grant.revoke_justification, grant.name)

    def _partners(self):
        joined = (common_pb2.MEMBER_STATE_ACTIVE, common_pb2.MEMBER_STATE_SUSPENDED)
        for partner in self._all(partner_pb2, "PartnerService", "ListPartners", "partners"):
            enrolled = partner.transport_key_version > 0 or partner.state in joined
            self._seen[partner.name] = ["created"] + ["enrolled"] * enrolled
            self._effect("partner " + partner.display_name, partner.name)
            if enrolled:
                self._effect("enrolled " + partner.name, partner.name)
            if partner.state in joined:
                self._effect("active " + partner.name, partner.name)

    def _verify(self):
        """The findings of the offline verifier."""
        evidence = self._mesh.temporary / "evidence.jsonl"
        evidence.unlink(missing_ok=True)
        self._command("receipt", "export", str(evidence))
        told = self._command("verify", str(evidence), "-o", "json")
        verified = json.loads(told.stdout)
        return verified["findings"] if verified["verified"] else verified["findings"] or ["not verified"]

    def _command(self, *words):
        return subprocess.run([self._keyward, *words], timeout=COMMAND_S, text=True, stdout=subprocess.PIPE,
                              env={**os.environ, "KEYWARD_CONFIG": str(self._mesh.directory / "cli.yaml")})
