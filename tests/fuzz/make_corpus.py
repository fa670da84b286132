#!/usr/bin/python3
"""Writes the honest files of the corpora (corpus/*/seed-*) and the test keys they are made with (keys/).

    make_corpus.py [TARGET…]

What tests/vectors already has is taken from there; the rest is encoded here, by Python's protobuf, cryptography and
openssl, never by the code under test. Keys are made once and kept; they open nothing but these files. Files that
fuzzing found lie beside the seeds under their hashes and are left alone.
"""
import base64
import datetime
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
KEYS = HERE / "keys"
sys.path[:0] = [str(TESTS / "vectors"), str(TESTS / "component")]

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402

import edge_frames as h2  # noqa: E402
import make_format_vectors as formats  # noqa: E402
import make_pen_vectors as pens  # noqa: E402

VECTORS = formats.build()
PENS = pens.build()
ID = b"\x11" * 16


def u16(data):
    return struct.pack(">H", len(data)) + data


def stubs():
    """Python's classes of our messages, made for this run."""
    out = tempfile.mkdtemp(prefix="keyward-corpus-")
    protos = [str(p) for p in sorted((ROOT / "proto").glob("keyward/**/*.proto"))]
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", *protos,
                    str(ROOT / "proto/google/rpc/status.proto"),
                    str(ROOT / "proto/google/rpc/error_details.proto")], check=True)
    subprocess.run(["protoc", f"-I{ROOT / 'proto/grpc'}", f"--python_out={out}",
                    str(ROOT / "proto/grpc/reflection/v1/reflection.proto")], check=True)
    sys.path.insert(0, out)


# --- keys, made once ---

def certificate(subject, key, issuer, issuer_key, extensions=(), ca=False, region=None):
    unit = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, region)] if region else []
    name = lambda text: x509.Name([*unit, x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(datetime.datetime(2025, 12, 1))
               .not_valid_after(datetime.datetime(2045, 12, 1))
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.BasicConstraints(ca, 0 if ca else None), True))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA384())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def usage(**on):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{n: on.get(n, False) for n in names})


def make_keys():
    KEYS.mkdir(exist_ok=True)
    handshake = PENS["handshakes"][0]
    provisioning = PENS["provisioning"]
    (KEYS / "transport.bin").write_bytes(VECTORS["envelopes"][0]["transport_key"])
    (KEYS / "partner.bin").write_bytes(handshake["partner_key"] + handshake["partner_id"])
    (KEYS / "pen.bin").write_bytes(handshake["device_key"] + provisioning["line_key"]
                                   + provisioning["device_id"])
    (KEYS / "evidence.root.pem").write_bytes(VECTORS["services_ca_pem"])
    (KEYS / "evidence.checkpoint.der").write_bytes(VECTORS["checkpoint_spki"])
    if not (KEYS / "stranger.pem").exists():
        key = ec.generate_private_key(ec.SECP384R1())  # nobody keeps it
        (KEYS / "stranger.pem").write_bytes(pem(certificate(
            "stranger", key, "stranger", key,
            [(usage(key_cert_sign=True, crl_sign=True), True)], ca=True)))
    if not (KEYS / "region-ca.pem").exists():
        key = ec.generate_private_key(ec.SECP384R1())  # nobody keeps it
        (KEYS / "region-ca.pem").write_bytes(pem(certificate(
            "region-ca", key, "region-ca", key, [(usage(key_cert_sign=True, crl_sign=True), True)], ca=True,
            region="eu-1")))
    if not (KEYS / "recipient.key.pem").exists():
        key = ec.generate_private_key(ec.SECP384R1())
        (KEYS / "recipient.key.pem").write_bytes(key_pem(key))
        (KEYS / "recipient.pem").write_bytes(pem(certificate(
            "recipient", key, "recipient", key, [(usage(key_agreement=True), True)])))


# --- one function a target: name of a seed -> bytes ---

def capsule():
    return {f"capsule-{i}": c["record"] for i, c in enumerate(VECTORS["capsules"])}


def fact():
    return {f["kind"]: f["record"] for f in VECTORS["facts"]}


def receipt():
    return {f"receipt-{i}": r["record"] for i, r in enumerate(VECTORS["receipts"])}


def segment():
    one = VECTORS["receipts"][0]["record"]
    whole = VECTORS["segment"]["record"]
    head = whole[:44]
    return {"segment": whole, "one": head + struct.pack(">HI", 1, len(one)) + one,
            "twice": head + struct.pack(">H", 2) + 2 * (struct.pack(">I", len(one)) + one),
            "late": whole[:36] + struct.pack(">Q", 5) + whole[44:], "empty": head + struct.pack(">HI", 1, 0),
            "none": head + bytes(2), "more": whole + b"x"}


def envelope():
    return {f"envelope-{e['kind']}": e["record"] for e in VECTORS["envelopes"]}


def invitation():
    return {"invitation": VECTORS["invitation"]["record"]}


def checkpoint():
    seeds = {f"checkpoint-{i}": c["record"] for i, c in enumerate(VECTORS["checkpoints"])}
    return {**seeds, "head": VECTORS["head"]["record"]}


def seal():
    return {f"seal-{i}": u16(formats.AUTHZ_DER) + s
            for i, s in enumerate(VECTORS["sealed"]["records"])}


def request_signature():
    return {"signature": VECTORS["request_signature"]["value"]}


def codec():
    steps = bytes([0, 0, 1, 0, 2, 0, 3, 0, 4, 5, 5, 3, 6, 0, 7, 20, 8, 0])
    data = bytes(range(1 + 2 + 4 + 8 + 5 + 3)) + u16(b"var") + u16(b"text") + u16("tëxt".encode())
    return {"each": bytes([len(steps)]) + steps + data,
            "short": bytes([len(steps)]) + steps + data[:20]}


def resource():
    text = "aebagbafaydqqcikbmga2dqpca"
    return {"partner": f"partners/prt_{text}".encode(),
            "grant": f"partners/prt_{text}/grants/grt_{text}".encode(),
            "key": f"devices/dev_{text}/keys/key_{text}".encode(),
            "id": f"dev_{text}".encode(),
            "request-id": b"018d3f6a-7b1c-7def-8123-456789abcdef",
            "service": formats.AUTHZ_ID.encode(), "caller": formats.PARTNER_ID}


def trace():
    return {"sampled": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "not": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "later": b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"}


def service_certificate():
    """A leaf as ours, with names for hosts beside its identity."""
    import ipaddress
    key = formats.AUTHZ_KEY
    names = [x509.UniformResourceIdentifier(formats.AUTHZ_ID), x509.DNSName("authz.keyward.test"),
             x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
             x509.IPAddress(ipaddress.ip_address("::1"))]
    return certificate("authz", key, "services CA", formats.CA_KEY,
                       [(x509.SubjectAlternativeName(names), False)])


def certificate_seeds():
    hosts = service_certificate()
    return {"authz": formats.AUTHZ_DER, "operator": formats.OPERATOR_DER, "hosts": der(hosts),
            "pem": pem(hosts), "bundle": VECTORS["services_ca_pem"],
            "stranger": (KEYS / "stranger.pem").read_bytes()}


def request(key):
    return (x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
            .sign(key, formats.digest_of(key)).public_bytes(serialization.Encoding.DER))


def csr():
    point = formats.CA_KEY.public_key().public_bytes(serialization.Encoding.X962,
                                                     serialization.PublicFormat.UncompressedPoint)
    return {"p256": request(formats.AUTHZ_KEY), "p384": request(formats.CA_KEY),
            "spki-p256": formats.spki(formats.AUTHZ_KEY),
            "spki-p384": formats.spki(formats.CA_KEY), "point": point,
            "pem": key_pem(formats.AUTHZ_KEY)}


def cms():
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "cms"
        subprocess.run(["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes256",
                        "-out", out, "-recip", KEYS / "recipient.pem", "-keyopt",
                        "ecdh_kdf_md:sha384", "-aes256-wrap"],
                       input=VECTORS["envelopes"][0]["transport_key"], check=True)
        keyid = pathlib.Path(folder) / "keyid"
        subprocess.run(["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes256",
                        "-keyid", "-out", keyid, "-recip", KEYS / "recipient.pem", "-keyopt",
                        "ecdh_kdf_md:sha384", "-aes256-wrap"],
                       input=VECTORS["envelopes"][0]["transport_key"], check=True)
        return {"by-serial": out.read_bytes(), "by-key": keyid.read_bytes()}


def pki_messages():
    return {**csr(), **{f"cms-{name}": b"c" + data for name, data in cms().items()}}


def settings():
    full = ("text: some text\npath: /a/b\nsecret_file: ./pin\naddress: 127.0.0.1:80\nsmall: 7\n"
            "large: 18446744073709551615\nyes: true\nlist:\n  - one\n  - \"two\"\n")
    return {"full": full.encode(), "one": b"small: 3\n", "flow": b"list: [a, b]\nyes: false\n",
            "unknown": b"small: 3\nother: 1\n", "anchor": b"text: &a x\npath: *a\n",
            "words": b"small: 3\n\0--small=4\0--list=a,b\0--yes=true\0--address=[::1]:2"}


def page_token():
    from hmac import digest
    place = struct.pack(">BQQ16s", 1, 1767225600000, 5, ID)
    # HMAC-SHA-256 over label, method, caller, filter and place; see common/rpc/page_token.h.
    u32 = lambda data: struct.pack(">I", len(data)) + data  # noqa: E731
    text = (u16(b"KEYWARD-PAGE-v1") + struct.pack(">I", 0) + u32(b"caller") + u32(b"filter")
            + place)
    return {"token": (place + digest(bytes(32), text, "sha256")[:16]).hex().encode()}


def log():
    hostile = b'"\\\r\n\x1b[31m\xe2\x80\xae%s%n\xff'
    head = b"\x05\x00\x63"
    return {"plain": head + u16(b"value") + u16(b"message") + b"more",
            "hostile": head + u16(hostile) + u16(hostile) + hostile,
            "long": head + u16(b"x" * 1200) + u16(b"\n" * 300) + b"\x01" * 900}


def pen():
    h, p = PENS["handshakes"][0], PENS["provisioning"]
    begin = b"\x01" + u16(h["m1"]) + h["nonce_pen"] + struct.pack(">I", h["session_counter"])
    acks = PENS["acks"]
    seeds = {"unwrap": b"\0" + p["wrapped"], "open": begin + u16(h["m3"])}
    ack = acks["never_sent"]
    seeds["ack"] = begin + u16(h["m3"]) + u16(ack["record"])
    for name in ("gap", "beyond_limit", "other_kind", "own_direction", "longer"):
        seeds[name] = begin + u16(h["m3"]) + u16(acks[name]["record"])
    return seeds


def partner():
    h = PENS["handshakes"][0]
    begin = b"\0" + h["nonce_app"] + struct.pack(">I", h["epoch"]) + u16(h["m2"])
    doses = b"".join(u16(d["record"]) for d in PENS["doses"])
    keys = h["k_enc"] + h["k_auth"] + h["nonce_salt"]
    return {"handshake": begin, "doses": begin + doses,
            "replayed": begin + u16(PENS["doses"][0]["record"]) * 2,
            "gap": begin + u16(PENS["doses"][1]["record"]),
            "derived": b"\3" + begin[1:] + keys + struct.pack(">I", h["session_counter"])}


def edge_h2():
    block = h2.request(path="/t/E", grpc_timeout="5S", x_request_id="a-1",
                       keyward_signature_bin="AAECAw", traceparent=trace()["sampled"].decode())
    settings_frame = h2.frame(h2.SETTINGS)
    begin = h2.PREFACE + settings_frame

    def call(path, stream, body, end=h2.END_STREAM):
        return (h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.request(path=path))
                + h2.frame(h2.DATA, end, stream, body))

    seeds = {
        "echo": begin + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, block)
        + h2.frame(h2.DATA, h2.END_STREAM, 1, h2.message(b"hello")),
        "many": begin + b"".join(call(f"/t/{p}", 1 + 2 * i, h2.message(b"abc"))
                                 for i, p in enumerate("EMFHPX")),
        "reset": begin + call("/t/H", 1, h2.message(b"x" * 300), 0)
        + h2.frame(h2.RST_STREAM, 0, 1, struct.pack(">I", h2.CANCEL)),
        "split": begin + call("/t/E", 1, h2.message(b"ab")[:3], 0)
        + h2.frame(h2.DATA, h2.END_STREAM, 1, h2.message(b"ab")[3:] + h2.message(b"")),
        "control": begin + h2.frame(h2.PING, 0, 0, b"12345678")
        + h2.frame(h2.SETTINGS, h2.ACK) + h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\1\0")
        + h2.frame(h2.PRIORITY, 0, 3, b"\0\0\0\1\x10") + h2.frame(h2.GOAWAY, 0, 0, bytes(8)),
        "continued": begin + h2.frame(h2.HEADERS, h2.END_STREAM, 1, block[:20])
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block[20:]),
        "too-long": begin + call("/t/E", 1, b"\0\0\1\0\0" + b"x" * 40),
        "compressed": begin + call("/t/E", 1, b"\1\0\0\0\1x"),
        "no-grpc": begin + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1,
                                    h2.request(content_type="text/html")),
        "get": begin + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1,
                                h2.request(method="GET")),
    }
    return {name: bytes([i % 2]) + data for i, (name, data) in enumerate(seeds.items())}


def edge_metadata():
    return {"base64": b"AAECAwQFBgcICQ==", "bare": b"AAECAwQFBgcICQ", "timeout": b"99999999H",
            "address4": b"127.0.0.1:8443", "address6": b"[2001:db8::1]:8443", "id": b"req-1_a.b",
            "messages": h2.message(b"one") + h2.message(b"") + h2.message(b"x" * 30)}


def binding(owner=False):
    wrapped, check, mac = bytes(range(40)), b"\1\2\3", bytes(range(16))
    if owner:
        return ID + struct.pack(">II", 2, 3) + wrapped + check + mac
    return ID * 4 + struct.pack(">I", 3) + wrapped + check + mac


def hsm_message(kind, fields):
    return struct.pack(">IB", 1 + len(fields), kind) + fields


def hsm_requests():
    """One of each operation, as wire_request.c lays them out."""
    facts = struct.pack(">H", 1) + u16(VECTORS["facts"][0]["record"]) + bytes(16)
    return {
        "generate": b"\1" + struct.pack(">I", 3) + binding(True) + struct.pack(">H", 2) + ID * 8,
        "derive": b"\2\1" + binding() + binding(True) + ID + struct.pack(">IH", 1, 1) + bytes(32)
        + struct.pack(">I", 0) + facts + u16(VECTORS["envelopes"][0]["prefix"]),
        "possession": b"\3" + binding() + bytes(32),
        "mac-facts": b"\4" + struct.pack(">H", 2) + u16(b"fact 1") + u16(b"fact 2"),
        "verify-facts": b"\5" + binding() + facts,
        "ptk-create": b"\6" + ID + struct.pack(">II", 1, 3) + u16(b"certificate"),
        "ptk-confirm": b"\7" + binding(True) + bytes(32),
        "issue": b"\x08\2" + u16(b"issuer") + u16(formats.spki(formats.AUTHZ_KEY))
        + u16(formats.AUTHZ_ID.encode()) + struct.pack(">QQI", 1, 2, 3)
        + struct.pack(">H", 2) + u16(b"localhost") + u16(b"127.0.0.1"),
        "checkpoint": b"\x09" + u16(b"content"),
        "health": b"\x0a",
    }


def hsm_worker():
    head = struct.pack(">QQ", 7, 1 << 40)
    seeds = {n: hsm_message(3, head + struct.pack(">H", 1) + r) for n, r in hsm_requests().items()}
    everything = b"".join(hsm_requests().values())
    seeds["all"] = hsm_message(3, head + struct.pack(">H", 10) + everything)
    words = (b"softhsm", b"/usr/lib/softhsm/libsofthsm2.so", b"token", b"/pin", b"/lock")
    seeds["configure"] = hsm_message(1, b"".join(map(u16, words)))
    return seeds


def hsm_core():
    answers = {
        "generated": b"\1\0\0" + struct.pack(">H", 1) + binding() + bytes(40),
        "derived": b"\2\0\0" + u16(bytes(40)) + bytes(16),
        "possession": b"\3\0\0",
        "macs": b"\4\0\0" + struct.pack(">H", 2) + bytes(32),
        "ptk": b"\6\0\0" + binding(True) + u16(b"cms"),
        "certificate": b"\x08\0\0" + u16(b"certificate"),
        "signature": b"\x09\0\0" + u16(b"signature"),
        "refused": b"\2\0\5" + u16(b"why"),
    }
    seeds = {n: hsm_message(4, struct.pack(">QH", 7, 0) + a) for n, a in answers.items()}
    seeds["hello"] = hsm_message(2, b"\1\0\0" + u16(b""))
    seeds["hello-refused"] = hsm_message(2, b"\1\0\7" + u16(b"no token"))
    seeds["end"] = hsm_message(5, struct.pack(">Q", 7) + struct.pack(">I", 3) * 17)
    return seeds


def redis():
    name = struct.pack(">I", 9) + b"\r\n*1\r\nEVIL\r\n\0\0\0\0\0" + b"\r\n" * 16
    return {"hit": b"h" + name + b"outcome", "nil": b"x" + name + b"$-1\r\n",
            "string": b"x" + name + b"$3\r\nabc\r\n", "error": b"x" + name + b"-ERR no\r\n",
            "integer": b"x" + name + b":1\r\n", "array": b"x" + name + b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
            "huge": b"x" + name + b"$2147483647\r\n", "deep": b"x" + name + b"*1\r\n" * 12 + b":1\r\n"}


def records():
    """The evidence of the vectors, in the order of an export: (type, record)."""
    receipts = [r["record"] for r in VECTORS["receipts"]]
    checkpoints = [c["record"] for c in VECTORS["checkpoints"]]
    return ([("CERTIFICATE", der(formats.ca_certificate())),
             ("FACT", VECTORS["facts"][0]["record"]), ("FACT", VECTORS["facts"][3]["record"]),
             ("RECEIPT", receipts[0]), ("RECEIPT", receipts[1]), ("CHECKPOINT", checkpoints[0]),
             ("HEAD", VECTORS["head"]["record"]), ("RECEIPT", receipts[2]),
             ("CHECKPOINT", checkpoints[1])])


def evidence_file(list_of_records):
    lines = [{"exportTime": "2026-01-01T00:01:00Z", "startTime": "2026-01-01T00:00:00Z"}]
    lines += [{"type": f"VERIFICATION_RECORD_TYPE_{kind}",
               "encoded": base64.b64encode(record).decode()} for kind, record in list_of_records]
    lines.append({"records": len(list_of_records)})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def evidence():
    whole = records()
    return {"whole": evidence_file(whole), "cut": evidence_file(whole[:4]),
            "swapped": evidence_file(whole[:3] + [whole[4], whole[3]] + whole[5:]),
            "empty": evidence_file([]), "facts": evidence_file(whole[1:3])}


def evidence_record():
    import keyward.v1.receipt_service_pb2 as api
    number = {k: api.VerificationRecordType.Value(f"VERIFICATION_RECORD_TYPE_{k}")
              for k in ("RECEIPT", "CHECKPOINT", "FACT", "HEAD", "CERTIFICATE")}

    def feed(items):
        return b"".join(bytes([number[kind]]) + u16(record) for kind, record in items)
    whole = records()
    return {"whole": feed(whole), "cut": feed(whole[:4]), "gap": feed([whole[3], whole[7]]),
            "facts": feed(whole[1:3]), "head": feed([whole[3], whole[6]])}


def officers():
    lines = "\n".join((formats.AUTHZ_ID, formats.AUTHZ_ID.replace("authz", "gateway"), ""))
    return {"certificate": pem(x509.load_der_x509_certificate(formats.OPERATOR_DER)),
            "list": lines.encode(), "one": formats.AUTHZ_ID.encode(), "empty": b"\n\n"}


def cli():
    status = google_status().SerializeToString()
    item = {"device": "devices/dev_aebagbafaydqqcikbmga2dqpca", "transportKeyVersion": 1,
            "deviceId": base64.b64encode(ID).decode(),
            "wrappedKey": base64.b64encode(bytes(40)).decode(),
            "checkValue": base64.b64encode(bytes(3)).decode()}
    file = json.dumps({"name": "batches/bat_a"}) + "\n" + json.dumps(item) + "\n"
    return {"time": b"\0" + b"2026-01-01T00:00:00.125Z", "span": b"\0" + b"7d",
            "ahead": b"\0" + b"+24h", "values": b"\1" + b"release-key", "number": b"\6" + b"17",
            "hex": b"\x0b" + b"00ff10", "delivery": b"\2" + file.encode(),
            "status": b"\3" + status, "ours": b"\4" + b"\7\1\0" + u16(b"grant.device")}


def google_status():
    from google.protobuf import any_pb2
    import google.rpc.error_details_pb2 as details
    import google.rpc.status_pb2 as status
    made = status.Status(code=7, message="no")
    bad = details.BadRequest()
    bad.field_violations.add(field="name", description="wrong")
    retry = details.RetryInfo()
    retry.retry_delay.seconds = 2
    for detail in (details.ErrorInfo(reason="GRANT_REVOKED", domain="keyward"), bad, retry,
                   details.RequestInfo(request_id="req_1")):
        packed = any_pb2.Any()
        packed.Pack(detail)
        made.details.append(packed)
    return made


def caller():
    import keyward.internal.v1.context_pb2 as internal
    return {name: internal.Caller(certificate=cert, peer_address="127.0.0.1:5", signature=b"sig",
                                  cached_digest=bytes(32)).SerializeToString()
            for name, cert in (("operator", formats.OPERATOR_DER), ("authz", formats.AUTHZ_DER),
                               ("none", b""))}


def hop():
    import keyward.internal.v1.hop_pb2 as wire

    def message(*frames, hello=False):
        made = wire.HopMessage(frames=[wire.Frame(**f) for f in frames])
        if hello:
            made.hello.version, made.hello.boot_id = 1, ID
        return u16(made.SerializeToString())
    hello = message(hello=True)
    one = {"call": 1 << 16, "flags": 1 | 2 | 4, "method": 0, "deadline_ms": 900, "data": b"abc",
           "context": b"ctx", "trace": trace()["sampled"]}
    relay = [{**one, "flags": 1, "method": 2, "call": 2 << 16 | 1},
             {"call": 2 << 16 | 1, "flags": 2, "data": b"x" * 60},
             {"call": 2 << 16 | 1, "flags": 2 | 4 | 32, "data": b"y", "credit": 500},
             {"call": 2 << 16 | 1, "flags": 16}]
    answers = [{"call": 1 << 16, "flags": 2 | 8, "data": b"answer"},
               {"call": 2 << 16 | 1, "flags": 2, "data": b"item"},
               {"call": 2 << 16 | 1, "flags": 8, "reason": "GRANT_REVOKED", "field": "f",
                "description": "d", "retry_after_ms": 5},
               {"call": 3 << 16 | 2, "flags": 64}]
    return {"unary": b"\1" + hello + message(one), "relay": b"\1" + hello + message(*relay),
            "apart": b"\1" + hello + b"".join(message(f) for f in relay),
            "answers": b"\6" + hello + message(*answers),
            "credit": b"\6" + hello + message({"call": 1 << 16, "flags": 32, "credit": 1 << 63}),
            "no-hello": b"\1" + message(one)}


def proto():
    """By number of proto_fuzz.c's list: the internal messages first, then those of the services."""
    import keyward.internal.v1.context_pb2 as context
    import keyward.internal.v1.core_pb2 as core
    key = core.WrappedDeviceKey(key_id=ID, kek_version=1, wrapped=bytes(40), mac=bytes(16))
    key.facts.add(fact=VECTORS["facts"][0]["record"], mac=bytes(16))
    seeds = {0: context.Authorization(capsule=b"capsule", signer_certificate=b"der"),
             1: context.Caller(certificate=b"der", peer_address="127.0.0.1:1"),
             3: core.CoreReply(items=[core.CoreItem(reason="KEY_STATE", key=key)], receipt=b"r"),
             4: core.CoreRequest(body=b"body", keys=[key, key], product_id=ID,
                                 suspension_ids=[ID, ID]),
             6: context.Outcome(receipt_id=ID, seq=1 << 40, replayed=True, disabled=[b"f"])}
    made = {f"internal-{n}": bytes([n]) + m.SerializeToString() for n, m in seeds.items()}
    made["hop"] = b"\5" + hop()["relay"][3 + 22:][2:]
    made["status"] = b"\x0c" + google_status().SerializeToString()
    for n in range(17, 117, 2):  # the services: what a text and a nested message do to any of them
        made[f"any-{n}"] = bytes([n]) + b"\x0a\x03abc\x12\x04\x0a\x02de\x1a\x00\x20\x01"
    return dict(list(made.items())[:40])


def reflection():
    import reflection.v1.reflection_pb2 as wire
    ask = wire.ServerReflectionRequest
    return {"file": ask(file_by_filename="keyward/v1/key_service.proto").SerializeToString(),
            "symbol": ask(file_containing_symbol="keyward.v1.KeyService.GetKey",
                          host="h").SerializeToString(),
            "list": ask(list_services="*").SerializeToString(),
            "extensions": ask(all_extension_numbers_of_type="keyward.v1.Key").SerializeToString()}


def rows(tables):
    """One row in each table, for store_rows.c: every column the id, a number, bytes, a text, or NULL. Which column has
    what is the fuzzer's business; these are the beginnings."""
    record = b"\3" + struct.pack(">H", len(VECTORS["facts"][3]["record"])) + VECTORS["facts"][3]["record"]
    kinds = {"ids": b"\0" * 20, "numbers": b"\2\1" * 20, "mixed": b"\0\0" + b"\2\4" * 2 + record * 2 + b"\2\1" * 9,
             "texts": b"\0" + b"\4\2eu" * 16, "nothing": b"\0" + b"\5" * 18}
    return {f"{name}-{t}": bytes([t]) + row for name, row in kinds.items() for t in range(tables)}


def store_orchestrator():
    return rows(9)


def store_authz():
    return dict(list(rows(12).items())[:48])


def record():
    """Pairs of records, behind the place of their table among the kinds that record_fuzz.c tries."""
    places = {1: 0, 16: 1, 35: 12}
    a, b = (formats.record(2, {1: ("vector", formats.STORE_A + formats.u64(n))}) for n in (1, 2))
    made = {v["name"].replace(" ", "-"): bytes([places[v["table"]]]) + u16(v["ours"]) + v["theirs"]
            for v in VECTORS["records"]}
    return {**made, "holdings": bytes([16]) + u16(a) + b}


def lane():
    """The five records, and the file of one, behind who receives them: how, how far, what is closed there."""
    vector = VECTORS["lane"]
    trusting = {f"{name}-{reach}": bytes([1, reach]) + bytes(4) + vector[name]
                for name, reach in (("head", 0), ("head", 1), ("batch", 0), ("batch", 1), ("batch", 2), ("batch", 3),
                                    ("urgent", 0), ("urgent", 1))}
    others = {f"batch-{name}": bytes([how, 0]) + bytes(4) + vector["batch"]
              for name, how in (("stranger", 0), ("rival", 3), ("forked", 5), ("fenced", 9))}
    answers = {f"answer-{name}-{how}-{reach}": bytes([how, reach]) + bytes(4) + record for name, record in vector["answers"].items()
               for how, reach in ((1, 0), (1, 1), (0, 0), (9, 0))}
    more = {f"answer-{name}": bytes([1, 0]) + bytes(4) + record for name, record in compared(vector["answers"]["lanes"]).items()}
    orphans = {f"orphans-{name}": bytes([1, 0]) + bytes(4) + part for name, part in vector["orphans"].items()}
    return {**trusting, **others, **answers, **more, **orphans}


def compared(answer):
    """What who compares is told, made of another answer: how far lanes are, roots, children, rows of a bucket."""
    place = lambda section, table=0, key=b"": bytes([section]) + struct.pack(">H", table) + u16(key)  # noqa: E731
    key = answer.rindex(u16(formats.spki(formats.AUTHZ_KEY)))
    row = lambda size: struct.pack(">I", size) + bytes(range(size))  # noqa: E731

    def says(purpose, begin, end, *items):
        return (answer[:36] + bytes([purpose]) + answer[37:53] + begin + end + formats.fill("reach", 32)
                + struct.pack(">H", len(items)) + b"".join(items) + answer[key:])
    node, bucket = b"\1\0\2", b"\3\1\2"
    here = lambda name: [place(4, 16, name)] * 2  # noqa: E731
    return {"reaches": says(3, place(1), place(5), row(48), row(48)), "roots": says(4, *here(b""), row(34), row(34)),
            "children": says(4, *here(node), *[row(32)] * 16), "childless": says(4, *here(node), row(32)),
            "bucket": says(4, place(4, 16, bucket), place(4, 16, bucket + ID), row(48), row(40))}


def voucher():
    """Behind how it is judged, and when: a day from the vectors' time, and years."""
    record, now = VECTORS["lane"]["voucher"]["record"], 1 << 31
    cases = {"good": (0, now), "other-mesh": (1, now), "orchestrator": (2, now), "early": (0, now - 86400), "late": (0, (1 << 32) - 1)}
    made = {name: bytes([how]) + struct.pack(">I", at) + record for name, (how, at) in cases.items()}
    made["unsigned"] = made["good"][:-1] + b"\xee"
    made["cut"] = made["good"][:-40]
    head = lambda action: b"KWO1" + bytes(16) + bytes([action]) + struct.pack(">Q", 1767225600000)  # noqa: E731
    fence = u16(bytes([9]) * 16 + struct.pack(">Q", 7))
    made["order-fence"] = bytes(5) + head(2) + b"\2" + bytes([1]) * 16 + fence + bytes([2]) * 16 + u16(b"") + u16(b"signature")
    made["order-drain"] = bytes(5) + head(1) + b"\1" + bytes([1]) * 16 + bytes([3]) * 16 + u16(b"signature")
    return made


def question():
    """Each purpose, in the two forms it has; and what is none: a place beyond, a key with no row, a node that is not there."""
    def asked(purpose, section, table=0, key=b"", keys=()):
        place = bytes([section]) + struct.pack(">H", table) + u16(key)
        return (b"KWJ1" + bytes([5]) * 16 + bytes([6]) * 16 + bytes([purpose]) + bytes([7]) * 16 + place
                + struct.pack(">H", len(keys)) + b"".join(map(u16, keys)))
    node = lambda level, index: bytes([level]) + struct.pack(">H", index)  # noqa: E731
    return {"snapshot": asked(1, 1), "snapshot-rows": asked(1, 4, 16, ID), "repair": asked(2, 4, 16, b"", [ID, b"k"]),
            "lanes": asked(3, 1), "lanes-after": asked(3, 1, 0, ID), "roots": asked(4, 4, 1), "node": asked(4, 4, 16, node(1, 15)),
            "bucket": asked(4, 4, 16, node(3, 4095)), "bucket-after": asked(4, 4, 16, node(3, 17) + ID),
            "end": asked(1, 5), "no-rows": asked(2, 4, 16), "no-node": asked(4, 4, 16, node(1, 16)),
            "node-after": asked(4, 4, 16, node(2, 1) + ID), "no-purpose": asked(5, 1)}


def destruction():
    """An officer's, behind whose key it is asked about: the one it names, but for the second."""
    import keyward.v1.key_service_pb2 as keys
    text = "aebagbafaydqqcikbmga2dqpca"
    asked = dict(name=f"devices/dev_{text}/keys/key_{text}", request_id="018d3f6a-7b1c-7def-8123-456789abcdef")

    def signed(certificate=formats.OPERATOR_DER, last=b"e", not_after=1767225600000, **more):
        body = keys.DestroyKeyRequest(**asked, **more).SerializeToString()
        return b"KWZ1" + u16(body) + u16(struct.pack(">Q", not_after) + u16(b"signatur" + last)) + u16(certificate)
    return {"good": b"\0" + signed(), "another": b"\1" + signed(), "dry": b"\0" + signed(validate_only=True),
            "service": b"\0" + signed(formats.AUTHZ_DER), "unsigned": b"\0" + signed(last=b"\xee"), "early": b"\0" + signed(not_after=0),
            "late": b"\0" + signed(not_after=1 << 62), "cut": b"\0" + signed()[:-3], "longer": b"\0" + signed() + b"\0"}


def region():
    """The five records between regions, behind their place among them."""
    ca = x509.load_pem_x509_certificate((KEYS / "region-ca.pem").read_bytes())
    spki = ca.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = ca.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    digest, signature, number = b"\1" + bytes(31), u16(b"signature"), struct.pack(">Q", 1767225600000)
    texts = b"".join(u16(t) for t in (b"keyward.test", b"eu-1", b"token", b"maker", b"model", b"0123456789abcdef"))
    request = b"KWQ1" + bytes(16) + number + texts + b"\0\6" + u16(spki) * 6 + signature * 6
    wrapped = bytes(40) + b"abc"
    carried = b"KWT1" + digest + point + wrapped * 2 + bytes(40)
    row = lambda name: u16(name) + u16(spki) + u16(der(ca)) * 4  # noqa: E731
    head = b"KWG1" + u16(b"keyward.test") + number
    one = head + b"\0\1" + row(b"eu-1") + signature
    small = b"KWA1" + digest + number + u16(b"approval") + u16(b"set") + u16(b"carried") + b"\0\1" + u16(der(ca)) + signature
    blob = (b"KWB1" + bytes(32) + point + b"\0\2" + u16(b"keyward-kek-v1") + wrapped + u16(b"keyward-mac-v1") + wrapped)
    return {"request": b"\0" + request, "request-unsigned": b"\0" + request[:-1] + b"\xee",
            "carried": b"\1" + carried, "carried-for-another": b"\1" + carried[:4] + bytes(32) + carried[36:],
            "set": b"\2" + one, "set-unsigned": b"\2" + one[:-1] + b"\xee",
            "set-twice": b"\2" + head + b"\0\2" + row(b"eu-1") * 2 + signature,
            "set-of-another": b"\2" + head + b"\0\1" + row(b"eu-2") + signature,
            "answer": b"\3" + small, "answer-officers": b"\3" + small.replace(b"\0\1" + u16(der(ca)), b"\0\2" + u16(der(ca)) + u16(b"another")),
            "blob": b"\4" + blob, "blob-cut": b"\4" + blob[:-3]}


def link_frame():
    """A peer's frames, behind what our owners hold and answer: both lanes and news, unless said otherwise."""
    import keyward.internal.v1.replication_pb2 as wire

    def name(kind, number):
        return bytes([ord(kind), number, 1]) + bytes(13)

    def lane(number=0, seq=5):
        return wire.LaneReach(owner=1 + number, lane=name("l", number), seq=seq, closed=1 << 60)
    says = {"hello": wire.LinkHello(version=1, version_lowest=1, mesh=b"m" * 16, region="eu", cell="b",
                                    authz_store=name("s", 7), orchestrator_store=name("s", 6)),
            "reach": wire.LinkReach(lanes=[lane(), lane(1, 0)]),
            "batch": wire.LinkBatch(owner=1, record=b"KWN1"), "urgent": wire.LinkUrgent(owner=2, record=b"KWU1"),
            "ack": wire.LinkAck(lane=lane(1, 9)), "need": wire.LinkNeed(lane=lane(0, 3)),
            "voucher": wire.LinkVoucher(owner=1, record=b"KWV1 a voucher"),
            "question": wire.LinkQuestion(owner=2, number=7, record=b"KWJ1"),
            "answer": wire.LinkAnswer(owner=2, number=7, record=b"KWD1", more=True)}
    frame = lambda **what: u16(wire.LinkFrame(**what).SerializeToString())  # noqa: E731
    frames = {n: frame(**{n: m}) for n, m in says.items()}
    later = u16(b"\x42\x02\x08\x01") + u16(frames["need"][2:] + b"\x78\x01")
    greeting = frames["hello"] + frames["reach"]
    records = frames["batch"] + frames["urgent"]
    return {"talk": b"\7" + b"".join(frames.values()), "later": b"\7" + greeting + later,
            "many": b"\7" + frames["hello"] + frame(reach=wire.LinkReach(lanes=[lane(n % 2, n) for n in range(60)])),
            "asks": b"\7" + greeting + frames["need"] * 22, "gap": b"\x27" + greeting + records,
            "broken": b"\x87" + greeting + records, "slow": b"\x0f" + greeting + frames["ack"] + u16(b"") * 8,
            "nothing-held": b"\0" + greeting + records, "nothing-read": b"\3" + greeting + frames["need"],
            "no-hello": b"\7" + frames["reach"], "twice": b"\7" + frames["hello"] * 2,
            "beyond": b"\7" + frame(ack=wire.LinkAck(lane=lane(0, 1 << 63))),
            "no-answer": b"\7" + greeting + frame(answer=wire.LinkAnswer(owner=1, number=1)),
            "not-numbered": b"\7" + greeting + frame(question=wire.LinkQuestion(owner=1, record=b"KWJ1")),
            "no-lane": b"\7" + frame(ack=wire.LinkAck(lane=wire.LaneReach(owner=1, lane=bytes(16))))}


TARGETS = {name: globals()[name] for name in (
    "caller capsule checkpoint cli codec destruction edge_h2 edge_metadata envelope evidence "
    "evidence_record fact hop hsm_core hsm_worker invitation lane link_frame log officers page_token partner pen "
    "pki_messages proto question receipt record redis reflection region request_signature resource seal segment settings store_authz "
    "store_orchestrator trace voucher").split()}
TARGETS["certificate"] = certificate_seeds


def main():
    stubs()
    make_keys()
    for target in sys.argv[1:] or TARGETS:
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for name, content in TARGETS[target]().items():
            (folder / f"seed-{name}").write_bytes(content)
        print(target, len(list(folder.iterdir())))


if __name__ == "__main__":
    main()
