"""The load: workers that each do one thing after the other, mixed at random.

A worker owns some pens, grants and partners: nobody else changes their state. Everybody uses all of
them. An operation is a method of Worker with a row in MIX; what its calls are about it says by the
arguments and results that checker.py lists.
"""
import random
import sys
import threading

from cryptography.hazmat.primitives.asymmetric import ec
from keyward.v1 import (common_pb2, enrollment_service_pb2 as enrollment_pb2, grant_service_pb2 as grant_pb2,
                        key_service_pb2 as key_pb2, partner_service_pb2 as partner_pb2,
                        provisioning_service_pb2 as provisioning_pb2, receipt_service_pb2 as receipt_pb2)

import actors
import observe
import pen_sim
from calls import Caller, Refused, Tries, outcome_of
from google.protobuf import timestamp_pb2
from keyward_partner.errors import KeywardError
from keyward_partner.join import make_csr, open_transport_key, transport_key_proof
from keyward_partner.names import id_bytes
from keyward_partner.member import chain_to_pem, key_to_pem, load_or_make_key, write_file
from world import Grant, Partner

SUSPENSIONS_MAX = 60  # of one key; the 64th is for good
BATCH_PENS, STREAM_PENS, STREAM_TIMEOUT_S = 3, 6, 5
PARTNERS_MAX = 24

MIX = {"access": 30, "access_many": 8, "grant": 10, "revoke": 8, "suspend": 8, "lift": 8, "look_at_key": 6,
       "look_at_grant": 4, "look_at_receipts": 6, "provision": 4, "new_partner": 1, "pause_partner": 4,
       "end_key": 2, "repeat": 5}


def grant_end():
    end = timestamp_pb2.Timestamp()
    end.GetCurrentTime()
    end.seconds += 86400
    return end


class Worker(threading.Thread):
    """Runs until `stop` is set, or until it has begun so many operations."""

    def __init__(self, world, name, seed, pens, stop, operations=sys.maxsize):
        super().__init__(name=name, daemon=True)
        self.world, self.pens, self.stopped, self.left = world, list(pens), stop, operations
        self.random = random.Random("%s/%s" % (seed, name))
        self.tries = Tries(world.recorder, name, self.random, stop)
        self.grants, self.partners, self.revoked, self.receipts = [], [], [], []
        self.suspended_times = {}
        self.failure = None

    def run(self):
        names, weights = zip(*MIX.items())
        try:
            while not self.stopped.is_set() and self.left > 0:
                self.left -= 1
                try:
                    getattr(self, self.random.choices(names, weights)[0])()
                except (Refused, KeywardError):
                    continue
        except BaseException as error:  # the run must not pass without this worker
            self.failure = error
            raise

    # keys for partners

    def access(self, grant=None):
        grant = grant or self.random.choice(self.world.grants + self.revoked)
        pens = [pen for pen in self.world.pens + self.pens if grant.covers(pen)]
        if pens:
            self._fetch(self.random.choice(pens), grant)

    def _fetch(self, pen, grant):
        result = self.tries.read("GetDeviceAccess", lambda: grant.partner.fetch(pen, grant),
                                 **self._access_arguments(pen, grant))
        self.receipts = [*self.receipts[-20:], (result["receipt"], grant.partner)]

    def _try(self, pen):
        """With a grant that covers it, if there is one."""
        grants = [grant for grant in self.world.grants[:6] + self.grants if grant.covers(pen)]
        if grants:
            self._fetch(pen, self.random.choice(grants))

    @staticmethod
    def _access_arguments(pen, grant):
        return {"receipt": True, "uses": [grant.name, pen.key_name, grant.partner.name],
                "under": [grant.name, pen.key_name, grant.partner.name]}

    def access_many(self):
        """Each item is a call of its own in the history."""
        grant = self.random.choice(self.world.grants[:6])
        pens = self.random.sample(self.world.pens, min(STREAM_PENS, len(self.world.pens)))
        recorder, left = self.world.recorder, {}
        for i, pen in enumerate(pens):
            left[i] = recorder.start(self.name, "BatchGetDeviceAccess", **self._access_arguments(pen, grant))
        try:
            for i, answer in grant.partner.fetch_all(pens, grant, STREAM_TIMEOUT_S):
                self._end_item(left.pop(i), pens[i], grant, answer)
        finally:
            for serial in left.values():
                recorder.end(serial, "unknown")

    def _end_item(self, serial, pen, grant, answer):
        if answer.WhichOneof("result") == "error":
            error = KeywardError(answer.error)
            self.world.recorder.end(serial, outcome_of(error), error.reason)
        else:
            self.world.recorder.end(serial, "ok", **grant.partner.result(pen, answer.envelope))

    # grants

    def grant(self):
        partner = self.random.choice(self.partners + self.world.partners[:6])
        pens = self.random.sample(self.world.pens, 2)

        def create(request_id):
            grant = grant_pb2.Grant(operations=[common_pb2.KEY_OPERATION_RELEASE_KEY], purpose=request_id,
                                    end_time=end, devices=grant_pb2.DeviceList(devices=[p.device for p in pens]))
            name = self._grant_call("CreateGrant", request_id=request_id, parent=partner.name, grant=grant,
                                    justification="chaos")[0].grant.name
            return {"name": name, "makes": [name], "_purpose": request_id}

        end = grant_end()
        result = self.mutate("CreateGrant", create, effect="grant {}", uses=[partner.name])
        grant = Grant(result["name"], partner, result["_purpose"], frozenset(pen.device for pen in pens))
        self.grants.append(grant)
        self.world.add_grant(grant)

    def revoke(self):
        if not self.grants:
            return
        grant = self.grants.pop(self.random.randrange(len(self.grants)))

        def revoke(request_id):
            self._grant_call("RevokeGrant", request_id=request_id, name=grant.name, justification=request_id)
            return {"name": grant.name, "seen": {grant.name: ["created", "revoked"]}}

        self.revoked = [*self.revoked[-5:], grant]
        self.mutate("RevokeGrant", revoke, effect="revoked {}", uses=[grant.name], stops=grant.name)
        self.access(grant)

    def look_at_grant(self):
        grant = self.random.choice(self.world.grants + self.revoked)
        self.tries.read("GetGrant", lambda: self._grant_seen(grant), uses=[grant.name])

    def _grant_seen(self, grant):
        response, _ = self._grant_call("GetGrant", name=grant.name)
        return {"seen": {grant.name: observe.grant_facts(response.grant)}}

    def _grant_call(self, name, /, **fields):
        request = getattr(grant_pb2, name + "Request")(**fields)
        return self.world.officer.unary(actors.method(grant_pb2, "GrantService", name), request)

    # keys and their facts

    def suspend(self):
        pen = self.random.choice(self.pens)
        times = self.suspended_times.get(pen.key_name, 0)
        if times >= SUSPENSIONS_MAX:
            return

        def suspend(request_id):
            response, _ = self._key_call("SuspendKey", request_id=request_id, name=pen.key_name,
                                         justification=request_id)
            return {"name": response.suspension, "stop": response.suspension, "makes": [response.suspension]}

        self.suspended_times[pen.key_name] = times + 1
        result = self.mutate("SuspendKey", suspend, effect="suspension {}", uses=[pen.key_name], stops=pen.key_name)
        pen.suspensions.add(result["stop"])
        if self.random.random() < 0.5:
            self._try(pen)

    def lift(self):
        suspended = [pen for pen in self.pens if pen.suspensions]
        if not suspended:
            return
        pen = self.random.choice(suspended)
        lifted, pen.suspensions = sorted(pen.suspensions), set()

        def lift(request_id):
            _, receipt = self._key_call("LiftKeySuspensions", request_id=request_id, name=pen.key_name,
                                        justification=request_id, suspensions=lifted)
            return {"name": pen.key_name, "receipt": receipt}

        self.mutate("LiftKeySuspensions", lift, abandon=0.02, effect="lift {}", receipt=True, parts=lifted,
                    uses=[pen.key_name, *lifted], lifts=pen.key_name, lifted=lifted)
        self._try(pen)

    def look_at_key(self):
        pen = self.random.choice(self.world.pens + self.pens)
        self.tries.read("GetKey", lambda: self._key_seen(pen), uses=[pen.key_name])

    def _key_seen(self, pen):
        response, _ = self._key_call("GetKey", name=pen.key_name)
        return {"seen": {pen.key_name: observe.key_facts(response.key)}}

    def end_key(self):
        """Deactivated, compromised or destroyed: for good. Only pens made under load."""
        own = [pen for pen in self.pens if pen not in self.world.pens]
        if not own:
            return
        pen = self.random.choice(own)
        self.pens.remove(pen)
        for name in self.random.choice([["DeactivateKey", "DestroyKey"], ["ReportKeyCompromise"],
                                        ["ReportKeyCompromise", "DeactivateKey", "DestroyKey"]]):
            self._end_key(name, pen)

    def _end_key(self, name, pen):
        def end(request_id):
            self._key_call(name, request_id=request_id, name=pen.key_name, justification=request_id)
            return {"name": pen.key_name}

        stops = {} if name == "DeactivateKey" else {"stops": pen.key_name}
        self.mutate(name, end, effect=name + " {}", uses=[pen.key_name], **stops)
        if stops:
            self._try(pen)

    def _key_call(self, name, /, **fields):
        request = getattr(key_pb2, name + "Request")(**fields)
        return self.world.officer.unary(actors.method(key_pb2, "KeyService", name), request)

    # receipts

    def look_at_receipts(self):
        if not self.receipts:
            return
        name, partner = self.random.choice(self.receipts)
        get = actors.method(receipt_pb2, "ReceiptService", "GetReceipt")
        list_ = actors.method(receipt_pb2, "ReceiptService", "ListReceipts")
        self.tries.read("GetReceipt", lambda: {"right": partner.caller.unary(
            get, receipt_pb2.GetReceiptRequest(name=name))[0].receipt.name == name}, uses=[name])
        self.tries.read("ListReceipts", lambda: {"seen": {receipt.name: ["stored"] for receipt in partner.caller.unary(
            list_, receipt_pb2.ListReceiptsRequest(page_size=10))[0].receipts}})

    # pens

    def provision(self):
        def create(request_id):
            request = provisioning_pb2.CreateBatchRequest(request_id=request_id, product=self.world.product,
                                                          lot=request_id, count=BATCH_PENS)
            messages = self.world.station.stream(self._provisioning("CreateBatch"), request)
            items = [item for message in messages for item in message.chunk.items]
            return {"name": messages[0].batch.name, "_items": items, "right": len(items) == BATCH_PENS,
                    "makes": [messages[0].batch.name, *(item.device for item in items), *(i.key for i in items)]}

        result = self.mutate("CreateBatch", create, effect="batch {}",
                             parts=["%d pens" % BATCH_PENS, "a receipt"])
        pens = [self.world.pen_of(item) for item in result["_items"]]
        for pen in pens:
            self._confirm(pen)
        self._release(result["name"])
        self._grant_batch(result["name"], pens)
        self.pens += pens

    def _confirm(self, pen):
        challenge = self.random.randbytes(16)
        tag = pen_sim.Pen(id_bytes(pen.device), pen.key).prove_possession(challenge)

        def confirm(request_id):
            request = provisioning_pb2.ConfirmDeviceRequest(request_id=request_id, device=pen.device, tag=tag,
                                                            challenge=challenge, serial_number=request_id)
            _, receipt = self.world.station.unary(self._provisioning("ConfirmDevice"), request)
            return {"name": pen.device, "receipt": receipt, "seen": {pen.device: ["confirmed as " + request_id]}}

        self.mutate("ConfirmDevice", confirm, effect="confirmed {}", receipt=True, uses=[pen.device])

    def _release(self, batch):
        def release(request_id):
            request = provisioning_pb2.ReleaseBatchRequest(request_id=request_id, name=batch)
            response, receipt = self.world.station.unary(self._provisioning("ReleaseBatch"), request)
            return {"name": batch, "receipt": receipt, "right": response.activated_count == BATCH_PENS}

        self.mutate("ReleaseBatch", release, effect="released " + batch, receipt=True, uses=[batch],
                    parts=["%d pens" % BATCH_PENS])

    def _grant_batch(self, batch, pens):
        partner = self.random.choice(self.world.partners[:6])
        end = grant_end()

        def create(request_id):
            grant = grant_pb2.Grant(operations=[common_pb2.KEY_OPERATION_RELEASE_KEY], purpose=actors.PURPOSE,
                                    end_time=end, batch=batch)
            name = self._grant_call("CreateGrant", request_id=request_id, parent=partner.name, grant=grant,
                                    justification="chaos")[0].grant.name
            return {"name": name, "makes": [name]}

        result = self.mutate("CreateGrant", create, uses=[partner.name, batch])
        self.grants.append(Grant(result["name"], partner, actors.PURPOSE, frozenset(pen.device for pen in pens)))

    @staticmethod
    def _provisioning(name):
        return actors.method(provisioning_pb2, "ProvisioningService", name)

    # partners

    def new_partner(self):
        """From CreatePartner to the first key."""
        if len(self.world.partners) >= PARTNERS_MAX:
            return
        name = self._create_partner()
        directory = self.world.new_directory()
        guest, invitation = self._invite(name, directory)
        enrolled = self._enroll(guest, invitation, name, directory)
        member = self.world.member_of(directory, enrolled, open_transport_key(enrolled.transport_key, directory))
        partner = Partner(self.world.mesh.target, member)
        self._confirm_transport_key(partner, enrolled.confirmation_nonce)
        self.world.add_partner(partner)
        self.partners.append(partner)

    def _create_partner(self):
        def create(request_id):
            partner = partner_pb2.Partner(display_name=request_id, contact="keys@example.org")
            name = self._partner_call("CreatePartner", request_id=request_id, partner=partner)[0].partner.name
            return {"name": name, "makes": [name]}

        return self.mutate("CreatePartner", create, effect="partner {}")["name"]

    def _invite(self, partner, directory):
        key = ec.generate_private_key(ec.SECP256R1())
        csr = make_csr(key)

        def invite(request_id):
            response, receipt = self._partner_call("CreatePartnerInvitation", request_id=request_id, parent=partner,
                                                   csr=csr)
            return {"name": response.invitation.name, "makes": [response.invitation.name], "receipt": receipt,
                    "_chain": list(response.invitation.certificate.chain)}

        result = self.mutate("CreatePartnerInvitation", invite, receipt=True, uses=[partner])
        write_file(directory / "ca.pem", self.world.root, 0o644)
        return Caller(self.world.mesh.target, self.world.root, key_to_pem(key), chain_to_pem(result["_chain"]),
                      key), result["name"]

    def _enroll(self, guest, invitation, partner, directory):
        tls = make_csr(load_or_make_key(directory / "tls-key.pem", ec.SECP256R1()))
        transport = make_csr(load_or_make_key(directory / "transport-key.pem", ec.SECP384R1()))

        def enroll(request_id):
            request = enrollment_pb2.EnrollRequest(request_id=request_id, tls_csr=tls, transport_csr=transport)
            response, receipt = guest.unary(self._enrollment("Enroll"), request)
            return {"name": response.member, "receipt": receipt, "_enrolled": response,
                    "right": response.member == partner, "seen": {partner: ["created", "enrolled"]}}

        try:
            enrolled = self.mutate("Enroll", enroll, abandon=0.02, effect="enrolled " + partner, receipt=True,
                                   uses=[invitation])["_enrolled"]
        finally:
            self.tries.repeatable = []  # the invitation's channel ends here
            guest.close()
        write_file(directory / "tls-cert.pem", chain_to_pem(enrolled.tls_certificate.chain), 0o644)
        write_file(directory / "transport-cert.pem", chain_to_pem(enrolled.transport_certificate.chain), 0o644)
        return enrolled

    def _confirm_transport_key(self, partner, nonce):
        proof = transport_key_proof(partner.member.transport_key, nonce)

        def confirm(request_id):
            request = enrollment_pb2.ConfirmTransportKeyRequest(
                request_id=request_id, proof=proof, transport_key_version=partner.member.transport_key_version)
            _, receipt = partner.caller.unary(self._enrollment("ConfirmTransportKey"), request)
            return {"name": partner.name, "receipt": receipt, "makes": ["transport key of " + partner.name]}

        self.mutate("ConfirmTransportKey", confirm, effect="active " + partner.name, receipt=True,
                    uses=[partner.name])

    def pause_partner(self):
        """Suspended, tried, reinstated, tried."""
        if not self.partners:
            return
        partner = self.random.choice(self.partners)
        grants = [grant for grant in self.grants if grant.partner is partner]
        for name, effect in (("SuspendPartner", {"stops": partner.name}),
                             ("ReinstatePartner", {"lifts": partner.name})):
            self.mutate(name, lambda request_id, name=name: self._pause(name, request_id, partner), abandon=0,
                        uses=[partner.name], **effect)
            for grant in grants[:1]:
                try:
                    self.access(grant)
                except (Refused, KeywardError):
                    continue

    def _pause(self, name, request_id, partner):
        self._partner_call(name, request_id=request_id, name=partner.name, justification=request_id)
        return {"name": partner.name}

    def _partner_call(self, name, /, **fields):
        request = getattr(partner_pb2, name + "Request")(**fields)
        return self.world.officer.unary(actors.method(partner_pb2, "PartnerService", name), request)

    @staticmethod
    def _enrollment(name):
        return actors.method(enrollment_pb2, "EnrollmentService", name)

    # all

    def repeat(self):
        self.tries.repeat()

    def mutate(self, *args, **arguments):
        return self.tries.mutate(*args, **arguments)
