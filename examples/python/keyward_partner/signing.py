"""The metadata `keyward-signature-bin`: what a mutation is, signed by the key of the caller's
certificate, so that nothing between the caller and the HSM can invent or alter it.

Partners need it to join and to renew. Operators and stations need it for every mutation.
"""
import hashlib
import struct
import time
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from keyward_partner.errors import translated

LABEL = b"KEYWARD-SIG-v1"
VALIDITY_S = 60  # the server allows 5 minutes
METADATA_KEY = "keyward-signature-bin"


def message(path, request_id, not_after_ms, body):
    """What is signed (docs/formats.md, "Caller's signature")."""
    method = path.encode()
    return b"".join((LABEL, struct.pack(">H", len(method)), method, uuid.UUID(request_id).bytes,
                     struct.pack(">Q", not_after_ms), hashlib.sha256(body).digest()))


def digest_for(key):
    """SHA-256 with P-256, SHA-384 with P-384."""
    return hashes.SHA384() if key.curve.key_size == 384 else hashes.SHA256()


def sign(key, path, request_id, body, not_after_ms=None):
    """The value of the metadata."""
    if not_after_ms is None:
        not_after_ms = int((time.time() + VALIDITY_S) * 1000)
    signature = key.sign(message(path, request_id, not_after_ms, body), ec.ECDSA(digest_for(key)))
    return struct.pack(">QH", not_after_ms, len(signature)) + signature


def method_path(method):
    return "/%s/%s" % (method.containing_service.full_name, method.name)


def prepare(key, method, request):
    """Path, body and metadata of a signed call. The request is serialised once, and those bytes are
    both signed and sent: two serialisations of one message need not be equal."""
    path, body = method_path(method), request.SerializeToString()
    return path, body, ((METADATA_KEY, sign(key, path, request.request_id, body)),)


def parser(method):
    return method.output_type._concrete_class.FromString


def call(channel, key, method, request, timeout_s=20):
    """Makes a signed call; `method` is its descriptor, e.g.

        grant_service_pb2.DESCRIPTOR.services_by_name["GrantService"].methods_by_name["CreateGrant"]
    """
    path, body, metadata = prepare(key, method, request)
    with translated():
        return channel.unary_unary(path, None, parser(method))(body, timeout=timeout_s,
                                                               metadata=metadata)


def call_stream(channel, key, method, request, timeout_s=60):
    """The same for a method that answers with a stream: yields its messages."""
    path, body, metadata = prepare(key, method, request)
    with translated():
        yield from channel.unary_stream(path, None, parser(method))(body, timeout=timeout_s,
                                                                    metadata=metadata)
