#!/usr/bin/env python3
"""Writes formats.json: known answers for every layout of docs/formats.md.

Computed with Python's `cryptography` from the document's tables alone; nothing here runs or reads
the C code. ECDSA signatures and certificates are random by nature: those already in formats.json
are kept where they verify for the content that the document asks for, and made anew where not.

    make_format_vectors.py           writes formats.json
    make_format_vectors.py --check   exits 1 if formats.json is not what would be written
"""

import datetime
import hashlib
import json
import pathlib
import struct
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import CounterLocation, KBKDFCMAC, Mode
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "formats.json"
KAT = json.loads((HERE / "keyward-kat.json").read_text())

NONE = bytes(16)
ZERO_HASH = bytes(32)
TIME = 1767225600000  # 2026-01-01T00:00:00Z
REGION, CELL = b"eu-1", b"a"
AUTHZ_ID = "spiffe://keyward.test/region/eu-1/cell/a/svc/authz"
PARTNER_ID = b"spiffe://keyward.test/partner/prt_aebagbafaydqqcikbmga2dqpca"
OPERATOR_ID = "spiffe://keyward.test/operator/opr_aebagbafaydqqcikbmga2dqpca"
FACT_KINDS = ("confirmed", "protected", "activated", "suspended", "lifted", "deactivated",
              "compromised", "destroyed")
ENABLING = ("confirmed", "protected", "activated", "lifted")


def fill(name, size):
    """Bytes without structure, the same on every run."""
    return hashlib.shake_256(b"keyward format vectors: " + name.encode()).digest(size)


def sha256(data):
    return hashlib.sha256(data).digest()


def var(data):
    return struct.pack(">H", len(data)) + data


def cmac(key, message):
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def kdf(key, label, context, size):
    return KBKDFCMAC(algorithm=algorithms.AES, mode=Mode.CounterMode, length=size, rlen=4, llen=4,
                     location=CounterLocation.BeforeFixed, label=label, context=context,
                     fixed=None).derive(key)


def wrap(key, data):
    return keywrap.aes_key_wrap_with_padding(key, data)


def private_key(name, curve):
    # Below 2^(bits - 1), so below the order of either curve, whose top bits are all set.
    scalar = int.from_bytes(fill(name, curve.key_size // 8), "big") >> 1
    return ec.derive_private_key(scalar, curve)


AUTHZ_KEY = private_key("authz key", ec.SECP256R1())
LANE_KEY = private_key("lane key", ec.SECP256R1())
OPERATOR_KEY = private_key("operator key", ec.SECP256R1())
CA_KEY = private_key("services CA key", ec.SECP384R1())
CHECKPOINT_KEY = private_key("checkpoint key", ec.SECP384R1())


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def digest_of(key):
    return hashes.SHA256() if key.curve.key_size == 256 else hashes.SHA384()


class Kept:
    """What is random, by name: from the file as it is, if it still verifies; else made."""

    def __init__(self):
        old = json.loads(TARGET.read_text()) if TARGET.exists() else {}
        self.old = {**old.get("certificates", {}), **old.get("signatures", {})}
        self.certificates = {}
        self.signatures = {}

    def signature(self, name, key, message):
        signature = bytes.fromhex(self.old.get(name, ""))
        try:
            key.public_key().verify(signature, message, ec.ECDSA(digest_of(key)))
        except InvalidSignature:
            signature = key.sign(message, ec.ECDSA(digest_of(key)))
        self.signatures[name] = signature
        return signature

    def certificate(self, name, builder, issuer_key):
        """The certificate of `builder`; an old one is kept if it differs in the signature alone."""
        made = builder.sign(issuer_key, digest_of(issuer_key))
        if name in self.old:
            old = x509.load_der_x509_certificate(bytes.fromhex(self.old[name]))
            if old.tbs_certificate_bytes == made.tbs_certificate_bytes:
                issuer_key.public_key().verify(old.signature, old.tbs_certificate_bytes,
                                               ec.ECDSA(digest_of(issuer_key)))
                made = old
        self.certificates[name] = made.public_bytes(serialization.Encoding.DER)
        return made


KEPT = Kept()


def certificate_builder(name, key, issuer_name, issuer_key):
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
            .public_key(key.public_key())
            .serial_number(int.from_bytes(fill("serial of " + name, 16), "big") >> 1)
            .not_valid_before(datetime.datetime(2025, 12, 1))
            .not_valid_after(datetime.datetime(2045, 12, 1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(issuer_id, False))


def key_usage(ca):
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca,
                         content_commitment=False, key_encipherment=False, data_encipherment=False,
                         key_agreement=False, encipher_only=False, decipher_only=False)


def ca_certificate():
    builder = (certificate_builder("services CA", CA_KEY, "services CA", CA_KEY)
               .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
               .add_extension(key_usage(True), True))
    return KEPT.certificate("services_ca", builder, CA_KEY)


def leaf_certificate(name, key, identity):
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    names = [x509.UniformResourceIdentifier(identity)]
    builder = (certificate_builder(name, key, "services CA", CA_KEY)
               .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
               .add_extension(key_usage(False), True)
               .add_extension(x509.ExtendedKeyUsage(uses), False)
               .add_extension(x509.SubjectAlternativeName(names), False))
    certificate = KEPT.certificate(name, builder, CA_KEY)
    return certificate.public_bytes(serialization.Encoding.DER)


CA_PEM = ca_certificate().public_bytes(serialization.Encoding.PEM)
CA_DER = ca_certificate().public_bytes(serialization.Encoding.DER)
AUTHZ_DER = leaf_certificate("authz", AUTHZ_KEY, AUTHZ_ID)
OPERATOR_DER = leaf_certificate("operator", OPERATOR_KEY, OPERATOR_ID)


def binding_vectors():
    mac_key, wrapped = fill("mac key", 32), fill("wrapped device key", 40)
    check = fill("check value", 3)
    device = (b"KEYWARD-BIND-DEV-v1" + b"".join(fill(n, 16) for n in ("key", "device", "product",
                                                                      "batch"))
              + struct.pack(">I", 3) + sha256(wrapped) + check)
    transport = (b"KEYWARD-BIND-PTK-v1" + fill("partner", 16) + struct.pack(">II", 2, 3)
                 + sha256(wrapped) + check)
    return {
        "mac_key": mac_key, "key": fill("key", 16), "device": fill("device", 16),
        "product": fill("product", 16), "batch": fill("batch", 16), "owner": fill("partner", 16),
        "version": 2, "kek_version": 3, "wrapped": wrapped, "check_value": check,
        "device_input": device, "device_mac": cmac(mac_key, device),
        "transport_input": transport, "transport_mac": cmac(mac_key, transport),
    }


def fact_vector(kind):
    ref = fill("suspension", 16) if kind in ("suspended", "lifted") else NONE
    capsule = fill("capsule of " + kind, 16) if kind != "compromised" else NONE
    actor = OPERATOR_ID.encode()
    time = TIME + FACT_KINDS.index(kind)
    record = (b"KWF1" + fill("key", 16) + bytes([FACT_KINDS.index(kind) + 1]) + ref
              + struct.pack(">Q", time) + capsule + var(actor))
    mac_input = b"KEYWARD-FACT-v1" + record
    return {"kind": kind, "key": fill("key", 16), "ref": ref, "time_ms": time, "capsule": capsule,
            "actor": actor, "record": record, "mac_input": mac_input,
            "mac": cmac(fill("mac key", 32), mac_input) if kind in ENABLING else b""}


def request_signature_vector():
    method, request_id = b"/keyward.v1.GrantService/CreateGrant", fill("request id", 16)
    body, not_after = fill("request body", 90), TIME + 60000
    message = (b"KEYWARD-SIG-v1" + var(method) + request_id + struct.pack(">Q", not_after)
               + sha256(body))
    signature = KEPT.signature("request", OPERATOR_KEY, message)
    return {"method": method, "request_id": request_id, "body": body, "not_after_ms": not_after,
            "message": message, "value": struct.pack(">Q", not_after) + var(signature)}


def capsule_vector(number, facts):
    """Capsules of one hop message: a release, a range of a batch, and a whole production batch."""
    scope = (1, 0, 2)[number]
    fields = {
        "id": fill("capsule %d" % number, 16), "region": REGION, "cell": CELL, "caller": PARTNER_ID,
        "fingerprint": fill("caller certificate", 32),
        "grant": fill("grant", 16) if number == 0 else NONE,
        "method": (50, 52, 1)[number], "body_hash": sha256(fill("body %d" % number, 60)),
        "first": 256 * number, "count": 256 if number else 0, "scope": scope,
        "scope_id": fill("batch", 16) if scope == 2 else NONE, "operation": (5, 6, 2)[number],
        "owner": fill("partner", 16), "epoch": 7 + number, "ptk_version": 2,
        "authz_epoch": (1 << 40) + number, "issued_ms": TIME, "not_after_ms": TIME + 5000,
        "witness_core": fill("core", 16) if number else NONE,
        "witness_stream": fill("stream", 16) if number else NONE,
        "witness_seq": number, "witness_head": fill("witness", 32) if number else ZERO_HASH,
    }
    layout = ">4s16s%ds%ds%ds32s16sH32sIHB16sB16sIIQQQ16s16sQ32sH" % tuple(
        2 + len(fields[n]) for n in ("region", "cell", "caller"))
    values = [var(v) if n in ("region", "cell", "caller") else v for n, v in fields.items()]
    record = struct.pack(layout, b"KWC1", *values, len(facts)) + b"".join(map(var, facts))
    return {**fields, "disabled": facts, "record": record}


def merkle_hash(leaves):
    """MTH of RFC 6962 §2.1, as written there."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + merkle_hash(leaves[:k]) + merkle_hash(leaves[k:]))


def merkle_path(m, leaves):
    """PATH of RFC 6962 §2.1.1, as written there."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return merkle_path(m, leaves[:k]) + [merkle_hash(leaves[k:])]
    return merkle_path(m - k, leaves[k:]) + [merkle_hash(leaves[:k])]


def merkle_vectors():
    leaves = [b"leaf %d" % i for i in range(33)]
    return {"leaves": leaves, "roots": [merkle_hash(leaves[:n]) for n in range(1, 34)],
            "paths_of_7": [merkle_path(m, leaves[:7]) for m in range(7)]}


def sealed_vectors(capsules):
    records = [c["record"] for c in capsules]
    root = merkle_hash(records)
    message = b"KEYWARD-ROOT-v1" + struct.pack(">I", len(records)) + root
    signature = KEPT.signature("root", AUTHZ_KEY, message)
    sealed = []
    for i, record in enumerate(records):
        path = merkle_path(i, records)
        sealed.append(b"KWS1" + var(record) + struct.pack(">IIB", i, len(records), len(path))
                      + b"".join(path) + sha256(AUTHZ_DER) + var(signature))
    return {"root": root, "message": message, "records": sealed}


def envelope_vector(kind):
    partner, transport_key = bytes(range(16)), fill("transport key", 32)
    device_key = bytes.fromhex(KAT["sp800_108_counter_cmac_partner_key"]["device_key"])
    partner_key = kdf(device_key, b"KEYWARD-PD-v1", struct.pack(">16sIH", partner, 1, 1), 32)
    app, pen, counter = b"\x11" * 16, b"\x22" * 16, 7
    session = kdf(partner_key, b"KEYWARD-SS-v1", struct.pack(">16s16sI", app, pen, counter), 72)
    if kind == 1:
        app, pen, counter = NONE, NONE, 0
    key, mac_key = (partner_key, partner_key) if kind == 1 else (session, session[32:64])
    fields = {"suite": 1, "kind": kind, "device": fill("device", 16), "key": fill("key", 16),
              "partner": partner, "epoch": 1, "ptk_version": 2, "receipt": fill("receipt 0", 16),
              "issued_ms": TIME, "expires_ms": TIME + 86400000, "region": REGION,
              "nonce_app": app, "nonce_pen": pen, "counter": counter}
    values = [var(v) if n == "region" else v for n, v in fields.items()]
    wrapped = wrap(transport_key, key)
    prefix = struct.pack(">4sHB16s16s16sII16sQQ%ds16s16sIH" % len(var(REGION)), b"KWE1", *values,
                         len(wrapped))
    mac = cmac(mac_key, prefix + wrapped)
    return {**fields, "transport_key": transport_key, "delivered": key, "mac_key": mac_key,
            "prefix": prefix, "wrapped": wrapped, "mac": mac, "record": prefix + wrapped + mac}


def receipt_vectors(sealed):
    items = (
        [(fill("key", 16), fill("device", 16), b"", fill("delivered", 32))],
        [],
        [(fill("key", 16), fill("device", 16), b"KEY_STATE", ZERO_HASH),
         (fill("key 2", 16), fill("device 2", 16), b"", fill("delivered 2", 32))],
    )
    head, receipts = ZERO_HASH, []
    for number, seal in enumerate(sealed):
        fields = {"id": fill("receipt %d" % number, 16), "core": fill("core", 16),
                  "stream": fill("stream", 16), "seq": number + 1, "prev": head,
                  "time_ms": TIME + 10 * number, "region": REGION, "cell": CELL, "capsule": seal,
                  "signer": AUTHZ_DER}
        record = (b"KWR1" + fields["id"] + fields["core"] + fields["stream"]
                  + struct.pack(">Q32sQ", number + 1, head, fields["time_ms"])
                  + var(REGION) + var(CELL) + var(seal) + var(AUTHZ_DER)
                  + struct.pack(">H", len(items[number]))
                  + b"".join(k + d + var(o) + r for k, d, o, r in items[number]))
        head = sha256(b"KEYWARD-HEAD-v1" + record)
        names = ("key", "device", "outcome", "result")
        receipts.append({**fields, "items": [dict(zip(names, item)) for item in items[number]],
                         "record": record, "head": head})
    return receipts


def segment_vector(receipts):
    """All of them, from the first on."""
    fields = {"core": receipts[0]["core"], "stream": receipts[0]["stream"], "after": 0}
    records = [r["record"] for r in receipts]
    record = (struct.pack(">4s16s16sQH", b"KWX1", *fields.values(), len(records))
              + b"".join(struct.pack(">I", len(r)) + r for r in records))
    return {**fields, "region": REGION, "cell": CELL, "head": receipts[-1]["head"], "record": record}


def checkpoint_vector(name, receipt, closed):
    fields = {"core": receipt["core"], "stream": receipt["stream"], "seq": receipt["seq"],
              "head": receipt["head"], "time_ms": receipt["time_ms"] + 500, "closed": closed}
    signed = struct.pack(">4s16s16sQ32sQB", b"KWK1", *fields.values())
    message = b"KEYWARD-CKPT-v1" + signed
    signature = KEPT.signature(name, CHECKPOINT_KEY, message)
    return {**fields, "digest": hashlib.sha384(message).digest(),
            "record": signed + var(signature)}


def head_vector(receipt):
    fields = {"core": receipt["core"], "stream": receipt["stream"], "seq": receipt["seq"],
              "head": receipt["head"]}
    return {**fields, "record": struct.pack(">4s16s16sQ32s", b"KWH1", *fields.values())}


def invitation_vector():
    method = b"/keyward.v1.PartnerService/CreatePartnerInvitation"
    request_id, body = fill("invitation request id", 16), fill("invitation body", 120)
    not_after = TIME + 120000
    message = (b"KEYWARD-SIG-v1" + var(method) + request_id + struct.pack(">Q", not_after)
               + sha256(body))
    value = (struct.pack(">Q", not_after)
             + var(KEPT.signature("invitation", OPERATOR_KEY, message)))
    return {"method": method, "body": body, "request_id": request_id, "signature": value,
            "certificate": OPERATOR_DER,
            "record": b"KWI1" + var(method) + var(body) + request_id + var(value)
                      + var(OPERATOR_DER)}


def transport_proof_vector():
    key, nonce = fill("transport key", 32), fill("transport nonce", 16)
    return {"transport_key": key, "nonce": nonce, "proof": cmac(key, b"KEYWARD-PTK-OK" + nonce)}


# --- records of replicated tables, and what two of them are together ---

STORE_A, STORE_B = b"\x0a" * 16, b"\x0b" * 16


def u64(number):
    return struct.pack(">Q", number)


def element(text):
    return bytes([len(text)]) + text


def lww(hlc, store, value, seen=()):
    return u64(hlc) + store + struct.pack(">H", len(seen)) + b"".join(s + u64(n) for s, n in seen) + value


def entries(packed, tail):
    """A packed map: id -> tail."""
    return {packed[i:i + 16]: packed[i + 16:i + 16 + tail] for i in range(0, len(packed), 16 + tail)}


def elements(packed):
    found = set()
    while packed:
        found.add(packed[1:1 + packed[0]])
        packed = packed[1 + packed[0]:]
    return found


def join_maps(ours, theirs, tail, join):
    maps = entries(ours, tail), entries(theirs, tail)
    return b"".join(i + join(*(m.get(i, bytes(tail)) for m in maps)) for i in sorted({**maps[0], **maps[1]}))


RULES = {
    "once": (1, min), "erasable": (2, min), "or": (3, min), "max": (4, max), "first": (5, min),
    "vector": (6, lambda a, b: join_maps(a, b, 8, max)),
    "lww": (7, max),
    "set": (8, lambda a, b: b"".join(element(e) for e in sorted(elements(a) | elements(b)))),
    "rivals": (9, lambda a, b: RULES["set"][1](a, b)),
    "suspensions": (10, lambda a, b: join_maps(a, b, 1, lambda x, y: bytes([x[0] | y[0]]))),
}


def record(table, fields):
    """`fields`: number -> (name of the rule, value)."""
    return (b"KWM1" + struct.pack(">H", table) + var(b"key")
            + b"".join(struct.pack(">BBI", number, RULES[rule][0], len(value)) + value
                       for number, (rule, value) in sorted(fields.items())))


def record_vector(name, table, ours, theirs):
    both = {number: (rule, RULES[rule][1](ours.get(number, theirs.get(number))[1], theirs.get(number, ours.get(number))[1]))
            for number, (rule, _) in {**ours, **theirs}.items()}
    return {"name": name, "table": table, "ours": record(table, ours), "theirs": record(table, theirs),
            "merged": record(table, both)}


def record_vectors():
    late, early = lww(2 << 26, STORE_A, b"new", [(STORE_B, 1)]), lww(1, STORE_B, b"old")
    values = {
        "once": (b"one", b"two"), "erasable": (b"key", b""), "or": (b"", b""), "max": (u64(1), u64(256)),
        "first": (u64(1) + STORE_A + b"why", u64(1) + STORE_B), "lww": (late, early),
        "vector": (STORE_A + u64(2), STORE_A + u64(1) + STORE_B + u64(1)),
        "set": (element(b"x") + element(b"yz"), element(b"y")), "rivals": (element(b"x"), element(b"y")),
        "suspensions": (STORE_A + b"\1", STORE_A + b"\2" + STORE_B + b"\1")}
    rules = [record_vector(rule, 1, {40: (rule, ours)}, {40: (rule, theirs)}) for rule, (ours, theirs) in values.items()]
    member = record_vector("member", 16, {1: ("once", b"\1"), 3: ("max", u64(2)), 6: ("lww", early)},
                           {1: ("once", b"\1"), 3: ("max", u64(1)), 4: ("suspensions", STORE_A + b"\3"), 6: ("lww", late)})
    wrapped = record_vector("wrapped key", 35, {1: ("erasable", b""), 2: ("once", b"mac")},
                            {1: ("erasable", b"blob"), 2: ("once", b"mac")})
    return [*rules, member, wrapped]


# --- lanes ---

def lane_change(chain, seq, hlc, urgent, content):
    step = b"KEYWARD-CHANGE-v1" + chain + struct.pack(">QQB", seq, hlc, urgent) + content
    return {"hlc": hlc, "urgent": urgent, "record": content, "chain": sha256(step)}


def lane_vector():
    """Three changes; a head after the third; a batch of the last two; the second, which is urgent, alone."""
    lane = {"mesh": fill("mesh", 16), "store": fill("store", 16), "incarnation": fill("incarnation", 16),
            "writer": 258}
    name = struct.pack(">16s16s16sI", *lane.values())
    start = sha256(b"KEYWARD-LANE-v1" + name)
    changes, chain = [], start
    for seq, (hlc, urgent) in enumerate(((TIME << 16, 0), (TIME << 16, 1), ((TIME + 1 << 16) + 7, 0)), 1):
        changes.append(lane_change(chain, seq, hlc, urgent, record(16, {3: ("max", u64(seq))})))
        chain = changes[-1]["chain"]
    closed = (TIME + 2) << 16
    key = var(spki(AUTHZ_KEY))
    head = b"KWL1" + name + u64(3) + chain + u64(closed) + key
    head += var(KEPT.signature("lane head", AUTHZ_KEY, b"KEYWARD-LANE-HEAD-v1" + head))
    batch = (b"KWN1" + var(head) + changes[0]["chain"] + struct.pack(">H", 2)
             + b"".join(struct.pack(">QBI", c["hlc"], c["urgent"], len(c["record"])) + c["record"] for c in changes[1:]))
    second = changes[1]
    urgent = (b"KWU1" + name + u64(2) + second["chain"] + struct.pack(">QI", second["hlc"], len(second["record"]))
              + second["record"] + key)
    urgent += var(KEPT.signature("urgent change", AUTHZ_KEY, b"KEYWARD-URGENT-v1" + urgent))
    return {**lane, "start": start, "id": start[:16], "changes": changes, "closed": closed, "head": head, "batch": batch,
            "urgent": urgent, "answers": answer_vectors(lane, start[:16], head, changes[1]), "voucher": voucher_vector(lane),
            "orphans": orphans_vector(lane, changes, batch)}


def orphans_vector(lane, changes, batch):
    """What was said after the first change, as the bundle of a store that is fenced there."""
    points = b"".join(u64(seq) + changes[seq - 1]["chain"] for seq in (1, 3))
    content = (b"KWY1" + lane["mesh"] + lane["store"] + u64(TIME) + struct.pack(">H", 1) + lane["incarnation"]
               + struct.pack(">I", lane["writer"]) + points + var(spki(AUTHZ_KEY)))
    record = content + var(KEPT.signature("orphans", AUTHZ_KEY, b"KEYWARD-ORPHANS-v1" + content))
    return {"record": record, "file": b"".join(struct.pack(">I", len(part)) + part for part in (record, batch))}


def voucher_vector(lane):
    """Authz vouches for its store, whose lanes are signed with another key; the CA's certificate is sent along."""
    place = var(REGION) + var(CELL) + var(b"authz")
    seed, key = fill("seed", 16), var(spki(LANE_KEY))
    def past(*elements):
        return var(b"".join(bytes([len(element)]) + element for element in sorted(elements)))

    life, before = lane["incarnation"], fill("earlier life", 16)
    sets = past(sha256(spki(LANE_KEY)), fill("earlier key", 32)) + past(life, before) + past(before)
    content = (b"KWV1" + lane["mesh"] + seed + place + life + key + sets + u64(TIME) + b"\2" + var(AUTHZ_DER) + var(CA_DER))
    record = content + var(KEPT.signature("voucher", AUTHZ_KEY, b"KEYWARD-VOUCHER-v1" + content))
    return {"seed": seed, "store": sha256(b"KEYWARD-STORE-v1" + lane["mesh"] + place + seed)[:16], "issued": TIME,
            "record": record}


def answer_vectors(lane, lane_id, head, change):
    """A run of each section of a snapshot, and a repair."""
    def place(section, table=0, key=b""):
        return struct.pack(">BH", section, table) + var(key)

    def answer(name, purpose, begin, end, items):
        content = (b"KWD1" + lane["mesh"] + lane["store"] + bytes([purpose]) + fill("nonce", 16) + begin + end + fill("reach", 32)
                   + struct.pack(">H", len(items)) + b"".join(struct.pack(">I", len(item)) + item for item in items)
                   + var(spki(AUTHZ_KEY)))
        return content + var(KEPT.signature(f"answer {name}", AUTHZ_KEY, b"KEYWARD-ANSWER-v1" + content))

    waits = lane_id + u64(2) + change["chain"]
    row = change["record"]
    return {"lanes": answer("lanes", 1, place(1), place(2), [head]),
            "quarantine": answer("quarantine", 1, place(2), place(2, 0, waits), [waits + row]),
            "held": answer("held", 1, place(3), place(4, 1), []),
            "rows": answer("rows", 1, place(4, 16), place(5), [row, row]),
            "repair": answer("repair", 2, place(4, 16), place(4, 16), [row])}


def to_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def build():
    facts = [fact_vector(kind) for kind in FACT_KINDS]
    disabled = [f["record"] for f in facts if f["kind"] in ("suspended", "compromised")]
    capsules = [capsule_vector(n, disabled if n == 1 else []) for n in range(3)]
    sealed = sealed_vectors(capsules)
    receipts = receipt_vectors(sealed["records"])
    return {
        "comment": "Known answers for docs/formats.md, written by make_format_vectors.py. Bytes "
                   "and texts are hex.",
        "services_ca_pem": CA_PEM, "checkpoint_spki": spki(CHECKPOINT_KEY),
        "bindings": binding_vectors(),
        "facts": facts,
        "request_signature": request_signature_vector(),
        "capsules": capsules,
        "merkle": merkle_vectors(),
        "sealed": sealed,
        "envelopes": [envelope_vector(1), envelope_vector(2)],
        "receipts": receipts,
        "checkpoints": [checkpoint_vector("checkpoint", receipts[1], 0),
                        checkpoint_vector("close", receipts[2], 1)],
        "segment": segment_vector(receipts),
        "head": head_vector(receipts[1]),
        "invitation": invitation_vector(),
        "transport_proof": transport_proof_vector(),
        "records": record_vectors(),
        "lane": lane_vector(),
        "certificates": KEPT.certificates,
        "signatures": KEPT.signatures,
    }


def main():
    text = json.dumps(to_json(build()), indent=2) + "\n"
    if sys.argv[1:] == ["--check"]:
        same = TARGET.exists() and TARGET.read_text() == text
        sys.exit(None if same else "formats.json is not what this script writes")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
