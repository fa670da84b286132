"""Certificates that are wrong in one way, for any CA and any name: what a caller, or somebody inside, might come with.

Each is (what, private key PEM, certificate chain PEM). `good` is the control: nothing is wrong with it.
"""
import datetime
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from edge_support import Authority, certificate_pem, key_pem

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
HOUR_S = 3600
LIVE = (-HOUR_S, HOUR_S)


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def key_usage(**more):
    uses = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                          "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**{**uses, **more})


class Issuer:
    """A CA's key and certificate."""

    def __init__(self, key, certificate):
        self.key, self.certificate = key, certificate

    @classmethod
    def of(cls, authority):
        return cls(authority.key, authority.certificate)

    def sign(self, subject, key, extensions, live_s=LIVE, digest=None):
        now = datetime.datetime.utcnow()
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # SHA-1 is what is asked for
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.certificate.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(seconds=live_s[0]))
                   .not_valid_after(now + datetime.timedelta(seconds=live_s[1])))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, digest or hashes.SHA384())

    def leaf(self, uri, key=None, names=None, usage=CLIENT, more=(), subject="leaf", **options):
        """(key, certificate) of a leaf that is right but for what is given."""
        key = key or p256()
        names = [x509.UniformResourceIdentifier(uri)] if names is None else names
        extensions = [(x509.ExtendedKeyUsage([usage] if not isinstance(usage, list) else usage), False)] if usage else []
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        return key, self.sign(common_name(subject), key, [*extensions, *more], **options)

    def intermediate(self, *more, ca=True, path_length=None, **options):
        """A CA below this one."""
        key = ec.generate_private_key(ec.SECP384R1())
        constraints = x509.BasicConstraints(ca=ca, path_length=path_length if ca else None)
        return Issuer(key, self.sign(common_name("intermediate"), key, [(constraints, True), *more], **options))


def pem(key, *chain):
    return (key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()), b"".join(map(certificate_pem, chain)))


def good(authority, uri):
    return pem(*Issuer.of(authority).leaf(uri))


def wrong_chains(authority, uri):
    """What is wrong is who signed."""
    issuer = Issuer.of(authority)
    stranger = Issuer.of(Authority(authority.certificate.subject.rfc4514_string()[3:]))
    key = p256()
    own = Issuer(key, issuer.leaf(uri, key)[1])
    self_signed = Issuer(key, Issuer(key, own.certificate).leaf(uri, key, subject="leaf")[1])
    yield "self-signed", pem(key, self_signed.certificate)
    yield "foreign CA of the same name", pem(*stranger.leaf(uri))
    yield "foreign CA that comes along", pem(*stranger.leaf(uri), stranger.certificate)
    yield "signed by a leaf", pem(*own.leaf(uri), own.certificate)
    flipped = bytearray(issuer.leaf(uri, key)[1].public_bytes(serialization.Encoding.DER))
    flipped[-1] ^= 1
    yield "signature with a bit changed", pem(key, x509.load_der_x509_certificate(bytes(flipped)))
    for what, middle in (
            ("intermediate that is no CA", issuer.intermediate(ca=False)),
            ("intermediate that may not sign", issuer.intermediate((key_usage(digital_signature=True), True))),
            ("intermediate that has ended", issuer.intermediate(live_s=(-2 * HOUR_S, -1))),
            ("intermediate for other names", issuer.intermediate((x509.NameConstraints(
                [x509.UniformResourceIdentifier("elsewhere.test")], None), True))),
            ("intermediate that excludes the name", issuer.intermediate((x509.NameConstraints(
                None, [x509.UniformResourceIdentifier("keyward.test"), x509.UniformResourceIdentifier("example.test")]),
                True)))):
        yield what, pem(*middle.leaf(uri), middle.certificate)
    short = issuer.intermediate(path_length=0)
    below = short.intermediate()
    yield "a CA below one that may have none", pem(*below.leaf(uri), below.certificate, short.certificate)
    yield "intermediate that is missing", pem(*issuer.intermediate().leaf(uri))
    deep = chain = issuer.intermediate()
    links = [deep.certificate]
    for _ in range(6):
        chain = chain.intermediate()
        links.insert(0, chain.certificate)
    yield "a chain that is too long", pem(*chain.leaf(uri), *links)


def wrong_leaves(authority, uri):
    """What is wrong is in the leaf: use, key, signature, time."""
    issuer = Issuer.of(authority)
    yield "for servers", pem(*issuer.leaf(uri, usage=SERVER))
    yield "for signing code", pem(*issuer.leaf(uri, usage=ExtendedKeyUsageOID.CODE_SIGNING))
    yield "for any use", pem(*issuer.leaf(uri, usage=ObjectIdentifier("2.5.29.37.0")))
    yield "a key that may not sign", pem(*issuer.leaf(uri, more=[(key_usage(key_encipherment=True), True)]))
    yield "an extension nobody knows, critical", pem(*issuer.leaf(uri, more=[(x509.UnrecognizedExtension(
        ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), True)]))
    yield "signed with SHA-1", pem(*issuer.leaf(uri, digest=hashes.SHA1()))
    yield "P-224", pem(*issuer.leaf(uri, ec.generate_private_key(ec.SECP224R1())))
    yield "RSA of 1,024 bits", pem(*issuer.leaf(uri, rsa.generate_private_key(65537, 1024)))
    yield "ended a second ago", pem(*issuer.leaf(uri, live_s=(-HOUR_S, -1)))
    yield "begins in 30 s", pem(*issuer.leaf(uri, live_s=(30, HOUR_S)))


def other_algorithms(authority, uri):
    """Good keys that the edge does not speak with; within the mesh nobody is given one."""
    issuer = Issuer.of(authority)
    yield "P-521", pem(*issuer.leaf(uri, ec.generate_private_key(ec.SECP521R1())))
    yield "Ed25519", pem(*issuer.leaf(uri, ed25519.Ed25519PrivateKey.generate()))
    yield "RSA of 2,048 bits", pem(*issuer.leaf(uri, rsa.generate_private_key(65537, 2048)))


def wrong_names(authority, uri):
    """What is wrong is the name, or where it stands."""
    issuer = Issuer.of(authority)
    scheme, rest = uri.split("://")
    domain, path = rest.split("/", 1)
    last = path.rsplit("/", 1)[0]
    for what, other in (
            ("NUL in the name", uri + "\0"), ("NUL and more", uri + "\0/elsewhere"), ("a wildcard", "%s://%s/%s/*" % (
                scheme, domain, last)), ("a wildcard alone", "spiffe://%s/*" % domain),
            ("scheme in capitals", "SPIFFE://" + rest), ("domain in capitals", "spiffe://%s/%s" % (domain.upper(), path)),
            ("a domain that looks like it", "spiffe://xn--%s/%s" % (domain.replace(".", "-9za."), path)),
            ("a domain with a dot at its end", "spiffe://%s./%s" % (domain, path)),
            ("a domain below", "spiffe://a.%s/%s" % (domain, path)), ("a port", "spiffe://%s:443/%s" % (domain, path)),
            ("a user", "spiffe://me@%s/%s" % (domain, path)), ("a slash at the end", uri + "/"),
            ("two slashes", "spiffe://%s//%s" % (domain, path)), ("dots", "spiffe://%s/x/../%s" % (domain, path)),
            ("a query", uri + "?x=y"), ("a fragment", uri + "#x"), ("an escaped letter", uri[:-1] + "%%%02x" % ord(uri[-1])),
            ("a space", uri + " "), ("a line break", uri + "\r\n"), ("ten kilobytes", uri + "a" * 10240)):
        yield what, pem(*issuer.leaf(other))
    yield "the name only in the subject", pem(*issuer.leaf(uri, names=[], subject=uri[:64]))
    yield "the name as a host", pem(*issuer.leaf(uri, names=[x509.DNSName(rest)]))
    yield "the name as a mailbox", pem(*issuer.leaf(uri, names=[x509.RFC822Name("spiffe@" + domain)]))
    yield "a hundred names", pem(*issuer.leaf(uri, names=[x509.UniformResourceIdentifier(uri)] * 100))


def all_wrong(authority, uri):
    for make in (wrong_chains, wrong_leaves, wrong_names):
        yield from make(authority, uri)
