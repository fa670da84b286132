"""Who else there is when a partner works: an officer who decides, a station that makes pens."""
import datetime
import os
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from google.protobuf import timestamp_pb2
from keyward.v1 import (common_pb2, grant_service_pb2, key_service_pb2, partner_service_pb2,
                        provisioning_service_pb2, station_service_pb2)

from keyward_partner import signing
from keyward_partner.channel import open_channel
from keyward_partner.errors import translated
from keyward_partner.join import join, make_csr
from keyward_partner.member import chain_to_pem, key_to_pem, load_key, write_file
from keyward_partner.names import new_request_id, resource_name
from pen_sim import Pen

PURPOSE = "therapy"
WHY = "interoperability test"
GRANT_DAYS = 30
TIMEOUT_S = 20


def to_bytes(message):  # the base class has no serialiser of its own to pass on
    return message.SerializeToString()


def method(file, service, name):
    return file.DESCRIPTOR.services_by_name[service].methods_by_name[name]


class Signer:
    """Somebody with a certificate whose mutations are signed."""

    def __init__(self, target, root, key_file, certificate_file):
        self.key = load_key(key_file)
        self.channel = open_channel(target, root, key_file.read_bytes(),
                                    certificate_file.read_bytes())

    def close(self):
        self.channel.close()

    def read(self, descriptor, request):
        """An unsigned call."""
        call = self.channel.unary_unary(signing.method_path(descriptor), to_bytes,
                                        signing.parser(descriptor))
        with translated():
            return call(request, timeout=TIMEOUT_S)

    def call(self, descriptor, request):
        """With a request_id, if the request has none."""
        request.request_id = request.request_id or new_request_id()
        return signing.call(self.channel, self.key, descriptor, request)


class Officer(Signer):
    """The first officer of the mesh."""

    def __init__(self, mesh):
        self.root = mesh.root_file.read_bytes()
        officer = mesh.directory / "officer"
        super().__init__(mesh.target, self.root, officer / "key.pem", officer / "cert.pem")

    def partner_call(self, name, /, **fields):
        request = getattr(partner_service_pb2, name + "Request")(**fields)
        return self.call(method(partner_service_pb2, "PartnerService", name), request)

    def station_call(self, name, /, **fields):
        request = getattr(station_service_pb2, name + "Request")(**fields)
        return self.call(method(station_service_pb2, "StationService", name), request)

    def grant_call(self, name, /, **fields):
        request = getattr(grant_service_pb2, name + "Request")(**fields)
        return self.call(method(grant_service_pb2, "GrantService", name), request)

    def key_call(self, name, /, **fields):
        request = getattr(key_service_pb2, name + "Request")(**fields)
        return self.call(method(key_service_pb2, "KeyService", name), request)

    def create_partner(self, display_name):
        partner = partner_service_pb2.Partner(display_name=display_name, contact="keys@example.org")
        return self.partner_call("CreatePartner", partner=partner).partner.name

    def create_station(self, product):
        station = station_service_pb2.Station(display_name="line 1", products=[product])
        return self.station_call("CreateStation", station=station).station.name

    def invite(self, member, directory):
        """Writes an invitation for a partner or a station into the directory, which is made."""
        key = ec.generate_private_key(ec.SECP256R1())
        fields = {"parent": member, "csr": make_csr(key)}
        if member.startswith("partners/"):
            answer = self.partner_call("CreatePartnerInvitation", **fields)
        else:
            answer = self.station_call("CreateStationInvitation", **fields)
        directory.mkdir(mode=0o700)
        write_file(directory / "key.pem", key_to_pem(key))
        write_file(directory / "cert.pem",
                   chain_to_pem(answer.invitation.certificate.chain))
        write_file(directory / "ca.pem", self.root)
        return directory

    def grant(self, partner, operations=(common_pb2.KEY_OPERATION_RELEASE_KEY,), **fields):
        """Gives a partner what `fields` say: batch=…, product=…, devices=…, quota=…."""
        end = timestamp_pb2.Timestamp()
        end.FromDatetime(datetime.datetime.utcnow() + datetime.timedelta(days=GRANT_DAYS))
        grant = grant_service_pb2.Grant(operations=operations, purpose=PURPOSE, end_time=end,
                                        **fields)
        return self.grant_call("CreateGrant", parent=partner, grant=grant,
                               justification=WHY).grant.name

    def revoke(self, grant):
        return self.grant_call("RevokeGrant", name=grant, justification=WHY).grant


class Station(Signer):
    """A machine on the manufacturing line, joined as partners join."""

    def __init__(self, mesh, officer, directory):
        self.product = resource_name("products", "prd", secrets.token_bytes(16))
        self.name = officer.create_station(self.product)
        invitation = officer.invite(self.name, directory / "station-invitation")
        self.member = join(mesh.target, invitation, directory / "station")
        super().__init__(mesh.target, self.member.root, self.member.directory / "tls-key.pem",
                         self.member.directory / "tls-cert.pem")

    def provisioning_call(self, name, /, **fields):
        request = getattr(provisioning_service_pb2, name + "Request")(**fields)
        return self.call(method(provisioning_service_pb2, "ProvisioningService", name), request)

    def create_batch(self, count, lot="LOT-1", request_id=None, start_index=0):
        """The messages of the stream."""
        request = provisioning_service_pb2.CreateBatchRequest(
            request_id=request_id or new_request_id(), product=self.product, lot=lot, count=count,
            start_index=start_index)
        create = method(provisioning_service_pb2, "ProvisioningService", "CreateBatch")
        return list(signing.call_stream(self.channel, self.key, create, request))

    def unwrap(self, item):
        """The device key, as the station's secure element would see it."""
        return aes_key_unwrap_with_padding(self.member.transport_key, item.wrapped_key)

    def make_pen(self, item):
        return Pen(item.device_id, self.unwrap(item))

    def confirm(self, item, pen, serial):
        challenge = os.urandom(16)
        return self.provisioning_call("ConfirmDevice", device=item.device, challenge=challenge,
                                      tag=pen.prove_possession(challenge), serial_number=serial)
