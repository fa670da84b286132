"""A member: what a partner (or a station) keeps between calls, as a directory of files.

    member.json         who we are, and the version of the transport key
    tls-key.pem         private key of all calls
    tls-cert.pem        its certificate, and the authority that issued it
    transport-key.pem   private key that opens new transport keys
    transport-cert.pem
    transport.key       the transport key: 32 bytes that open every envelope
    ca.pem              Keyward's root: whom we believe

Whoever reads this directory is the member. In production keep the private keys and transport.key in
your own HSM or secret store.
"""
import dataclasses
import json
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keyward_partner.names import id_bytes


def write_file(path, content, mode=0o600):
    """Puts the whole content there or nothing: a crash leaves no half a key."""
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def key_to_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def chain_to_pem(chain):
    """DER certificates, leaf first, as PEM."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
                    for der in chain)


def load_key(path):
    return serialization.load_pem_private_key(path.read_bytes(), password=None)


def load_or_make_key(path, curve):
    """The key in a file. Made on first use, so that a repeated attempt has the same key."""
    if not path.exists():
        write_file(path, key_to_pem(ec.generate_private_key(curve)))
    return load_key(path)


@dataclasses.dataclass(frozen=True)
class Member:
    """What a member needs to call and to open what it is given."""
    directory: pathlib.Path
    name: str
    transport_key_version: int
    transport_key: bytes = dataclasses.field(repr=False)

    @property
    def id(self):
        """The 16 bytes in envelopes and in a pen's first message."""
        return id_bytes(self.name)

    @property
    def root(self):
        return (self.directory / "ca.pem").read_bytes()

    @property
    def tls_key(self):
        return (self.directory / "tls-key.pem").read_bytes()

    @property
    def tls_certificate(self):
        return (self.directory / "tls-cert.pem").read_bytes()

    def save(self):
        write_file(self.directory / "transport.key", self.transport_key)
        facts = {"name": self.name, "transport_key_version": self.transport_key_version}
        write_file(self.directory / "member.json", json.dumps(facts, indent=2).encode() + b"\n")

    @classmethod
    def load(cls, directory):
        directory = pathlib.Path(directory)
        facts = json.loads((directory / "member.json").read_text())
        return cls(directory, facts["name"], facts["transport_key_version"],
                   (directory / "transport.key").read_bytes())
