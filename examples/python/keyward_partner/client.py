"""The calls of a partner: keys for pens, opened and checked before they are returned."""
import dataclasses

import grpc
from keyward.v1 import device_access_service_pb2 as pb
from keyward.v1 import device_access_service_pb2_grpc as pb_grpc

from keyward_partner import envelope as env
from keyward_partner.channel import open_channel
from keyward_partner.errors import KeywardError, translated
from keyward_partner.names import id_bytes

TIMEOUT_S = 10
BATCH_TIMEOUT_S = 60
CHUNK_ITEMS = 256
BATCH_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A key and where the proof of its delivery is."""
    key: object = dataclasses.field(repr=False)  # 32 bytes, or SessionKeys
    envelope: env.Envelope
    receipt: str  # resource name


class Client:
    """Calls as a Member. One per process; any thread may use it."""

    def __init__(self, target, member):
        self.member = member
        self.channel = open_channel(target, member.root, member.tls_key, member.tls_certificate)
        self._access = pb_grpc.DeviceAccessServiceStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.channel.close()

    def get_device_access(self, device, epoch, purpose, grant=""):
        """The partner key of one pen."""
        request = pb.GetDeviceAccessRequest(device=device, epoch=epoch, purpose=purpose,
                                            grant=grant)
        with translated():
            response = self._access.GetDeviceAccess(request, timeout=TIMEOUT_S)
        return self._open(request, response.envelope)

    def derive_session(self, device, epoch, purpose, handshake, m2, grant=""):
        """The keys of one connection, for partners that are not given the partner key."""
        nonce_pen, counter = handshake.read_m2(m2)
        request = pb.DeriveSessionRequest(
            device=device, epoch=epoch, purpose=purpose, grant=grant,
            nonce_app=handshake.nonce_app, nonce_pen=nonce_pen, session_counter=counter)
        with translated():
            response = self._access.DeriveSession(request, timeout=TIMEOUT_S)
        return self._open(request, response.envelope)

    def batch_get_device_access(self, devices, epoch, purpose, grant=""):
        """The partner keys of many pens: {device: Delivery or KeywardError}.

        A pen that is refused does not fail the others. When the stream breaks, only what was not
        answered is asked again.
        """
        results, wanted = {}, list(dict.fromkeys(devices))
        for attempt in range(1, BATCH_ATTEMPTS + 1):
            left = [pb.GetDeviceAccessRequest(device=device, epoch=epoch, purpose=purpose,
                                              grant=grant)
                    for device in wanted if device not in results]
            try:
                with translated():
                    for request, answer in self._batch(left):
                        results[request.device] = answer
                return results
            except KeywardError as error:
                if error.code != grpc.StatusCode.UNAVAILABLE or attempt == BATCH_ATTEMPTS:
                    raise

    def _batch(self, requests):
        """Asks in chunks, yields (request, answer) in whatever order the answers come."""
        chunks = (pb.BatchGetDeviceAccessRequest(items=[
            pb.BatchAccessItem(item_id=first + i, get=request)
            for i, request in enumerate(requests[first:first + CHUNK_ITEMS])])
            for first in range(0, len(requests), CHUNK_ITEMS))
        for message in self._access.BatchGetDeviceAccess(chunks, timeout=BATCH_TIMEOUT_S):
            for result in message.results:
                request = requests[result.item_id]
                yield request, self._result(request, result)

    def _result(self, request, result):
        if result.WhichOneof("result") == "error":
            return KeywardError(result.error)
        return self._open(request, result.envelope)

    def _open(self, request, envelope):
        """Only what was asked for is accepted, whoever answered."""
        derived = isinstance(request, pb.DeriveSessionRequest)
        expected = env.Expected(
            partner=self.member.id, device=id_bytes(request.device), epoch=request.epoch,
            operation=env.SESSION_DERIVED if derived else env.KEY_RELEASED,
            transport_key_version=self.member.transport_key_version,
            session=((request.nonce_app, request.nonce_pen, request.session_counter)
                     if derived else env.NO_SESSION))
        key = env.open_envelope(envelope.sealed, self.member.transport_key, expected)
        return Delivery(key, env.parse(envelope.sealed), envelope.receipt)
