"""Joining: from an invitation to a member that keys can be delivered to.

    invitation ──Enroll──▶ certificates, transport key in CMS ──ConfirmTransportKey──▶ ACTIVE

An invitation is a directory, as `keyward partner invite` makes it: key.pem, cert.pem (with the
authority that issued it), ca.pem (Keyward's root). Its certificate can call Enroll once and nothing
else. It may be tried again after any failure: the keys are made first and kept, and the same keys
get the same answer.
"""
import pathlib
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from keyward.v1 import enrollment_service_pb2 as pb

from keyward_partner import signing
from keyward_partner.channel import open_channel
from keyward_partner.member import (Member, chain_to_pem, load_key, load_or_make_key, write_file)
from keyward_partner.names import new_request_id
from keyward_partner.primitives import KEY_SIZE, cmac

METHODS = pb.DESCRIPTOR.services_by_name["EnrollmentService"].methods_by_name
PROOF_LABEL = b"KEYWARD-PTK-OK"


def join(target, invitation, directory):
    """Enrols with the invitation's directory, keeps everything in `directory`, and returns the
    Member, ready for calls."""
    invitation, directory = pathlib.Path(invitation), pathlib.Path(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(directory / "ca.pem", (invitation / "ca.pem").read_bytes(), 0o644)
    enrolled = enroll(target, invitation, directory)
    write_file(directory / "tls-cert.pem", chain_to_pem(enrolled.tls_certificate.chain), 0o644)
    write_file(directory / "transport-cert.pem",
               chain_to_pem(enrolled.transport_certificate.chain), 0o644)
    member = Member(directory, enrolled.member, enrolled.transport_key_version,
                    open_transport_key(enrolled.transport_key, directory))
    confirm_transport_key(target, member, enrolled.confirmation_nonce)
    member.save()
    return member


def enroll(target, invitation, directory):
    """Asks for both certificates and the transport key, with keys that never leave here."""
    tls_key = load_or_make_key(directory / "tls-key.pem", ec.SECP256R1())
    transport_key = load_or_make_key(directory / "transport-key.pem", ec.SECP384R1())
    request = pb.EnrollRequest(request_id=new_request_id(), tls_csr=make_csr(tls_key),
                               transport_csr=make_csr(transport_key))
    key_file = invitation / "key.pem"
    with open_channel(target, (invitation / "ca.pem").read_bytes(), key_file.read_bytes(),
                      (invitation / "cert.pem").read_bytes()) as channel:
        return signing.call(channel, load_key(key_file), METHODS["Enroll"], request)


def make_csr(key):
    """A certificate request, DER. Keyward takes the public key from it and ignores the rest."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, signing.digest_for(key)).public_bytes(serialization.Encoding.DER)


def open_transport_key(cms, directory):
    """Opens the CMS EnvelopedData with the transport key pair.

    python-cryptography can't read this kind of CMS (key agreement), OpenSSL's command can. The key
    comes through a pipe and never lies in a file of openssl's.
    """
    opened = subprocess.run(
        ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER",
         "-inkey", str(directory / "transport-key.pem"),
         "-recip", str(directory / "transport-cert.pem")],
        input=cms, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if opened.returncode != 0 or len(opened.stdout) != KEY_SIZE:
        raise ValueError("the transport key is not for our key pair: " + opened.stderr.decode())
    return opened.stdout


def transport_key_proof(transport_key, nonce):
    """Shows that we opened the transport key, without showing it."""
    return cmac(transport_key, PROOF_LABEL, nonce)


def confirm_transport_key(target, member, nonce):
    """Deliveries begin after this. Signed, because a station's must be; a partner's may."""
    request = pb.ConfirmTransportKeyRequest(
        request_id=new_request_id(), transport_key_version=member.transport_key_version,
        proof=transport_key_proof(member.transport_key, nonce))
    _call_as(target, member, "ConfirmTransportKey", request)


def renew(target, member):
    """A new certificate for the same key; call it at half of the certificate's life. The old one
    stays valid until it ends, so nothing has to stop meanwhile."""
    key = load_key(member.directory / "tls-key.pem")
    request = pb.RenewCertificateRequest(request_id=new_request_id(), csr=make_csr(key))
    renewed = _call_as(target, member, "RenewCertificate", request)
    write_file(member.directory / "tls-cert.pem", chain_to_pem(renewed.certificate.chain), 0o644)


def _call_as(target, member, method, request):
    key = load_key(member.directory / "tls-key.pem")
    with open_channel(target, member.root, member.tls_key, member.tls_certificate) as channel:
        return signing.call(channel, key, METHODS[method], request)
