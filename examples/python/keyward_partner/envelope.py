"""Envelopes: record `KWE1` of docs/formats.md.

An envelope is opened only for what was asked: another partner's, another pen's, an old one, or one
altered in any bit is refused. The outer fields of the KeyEnvelope message repeat what the record
says and are not needed.
"""
import dataclasses
import struct
import time

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from keyward_partner.primitives import KEY_SIZE, SUITE_AES256, SessionKeys, cmac, equal

KEY_RELEASED = 1
SESSION_DERIVED = 2
HEAD = struct.Struct(">4sHB16s16s16sII16sQQ")  # magic … expires, before the region
SESSION = struct.Struct(">16s16sI")            # nonces and counter, after the region
LENGTH = struct.Struct(">H")
MAC_SIZE = 16
WRAPPED_SIZE = {KEY_RELEASED: 40, SESSION_DERIVED: 80}
NO_SESSION = (bytes(16), bytes(16), 0)


class EnvelopeError(Exception):
    """Not an envelope, not for us, expired, or not authentic. Do not use the key."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What we asked for."""
    partner: bytes
    device: bytes
    epoch: int
    operation: int
    transport_key_version: int
    session: tuple = NO_SESSION  # nonce_app, nonce_pen, counter
    now_ms: int = dataclasses.field(default_factory=lambda: int(time.time() * 1000))


@dataclasses.dataclass(frozen=True)
class Envelope:
    """The fields of the record, in its order."""
    suite: int
    operation: int
    device: bytes
    key: bytes
    partner: bytes
    epoch: int
    transport_key_version: int
    receipt: bytes
    issued_ms: int
    expires_ms: int
    region: str
    session: tuple
    wrapped: bytes = dataclasses.field(repr=False)
    mac: bytes = dataclasses.field(repr=False)


def parse(sealed):
    """Reads the fields. Nothing is checked but the layout: use `open_envelope`."""
    try:
        magic, *head = HEAD.unpack_from(sealed)
        region, at = _take_var(sealed, HEAD.size)
        session = SESSION.unpack_from(sealed, at)
        wrapped, at = _take_var(sealed, at + SESSION.size)
        region = region.decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise EnvelopeError("not an envelope: %s" % error) from error
    if magic != b"KWE1" or len(sealed) != at + MAC_SIZE:
        raise EnvelopeError("not an envelope")
    return Envelope(*head, region, session, wrapped, sealed[at:])


def open_envelope(sealed, transport_key, expected):
    """The key in it: the partner key (32 bytes), or SessionKeys. Raises EnvelopeError."""
    envelope = parse(sealed)
    _check_expected(envelope, expected)
    if len(envelope.wrapped) != WRAPPED_SIZE[envelope.operation]:
        raise EnvelopeError("a wrapped key of %d bytes" % len(envelope.wrapped))
    try:
        plain = aes_key_unwrap_with_padding(transport_key, envelope.wrapped)
    except InvalidUnwrap as error:
        raise EnvelopeError("not wrapped under our transport key") from error
    if len(plain) != (KEY_SIZE if envelope.operation == KEY_RELEASED else SessionKeys.SIZE):
        raise EnvelopeError("a key of %d bytes" % len(plain))
    key = plain if envelope.operation == KEY_RELEASED else SessionKeys(plain)
    mac_key = plain if envelope.operation == KEY_RELEASED else key.auth
    if not equal(cmac(mac_key, sealed[:-MAC_SIZE]), envelope.mac):
        raise EnvelopeError("the key does not belong to these fields")
    return key


def _check_expected(envelope, expected):
    if envelope.suite != SUITE_AES256:
        raise EnvelopeError("unknown suite %d" % envelope.suite)
    for field in ("operation", "partner", "device", "epoch", "transport_key_version", "session"):
        if getattr(envelope, field) != getattr(expected, field):
            raise EnvelopeError("not what was asked for: " + field)
    if not envelope.issued_ms <= envelope.expires_ms:
        raise EnvelopeError("ends before it begins")
    if expected.now_ms > envelope.expires_ms:
        raise EnvelopeError("expired")


def _take_var(data, at):
    """A length and that many bytes; also where they end."""
    size, = LENGTH.unpack_from(data, at)
    end = at + LENGTH.size + size
    if end > len(data):
        raise struct.error("truncated")
    return data[at + LENGTH.size:end], end
