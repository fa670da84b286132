#!/usr/bin/env python3
"""Writes pen.json: known answers for every layout of docs/formats-pen.md.

Computed with Python's `cryptography` (OpenSSL underneath) from the document's tables alone; nothing
here runs or reads the C code, so that an error in one shows against the other. The output depends
on nothing but this file and keyward-kat.json beside it.

    make_pen_vectors.py           writes pen.json
    make_pen_vectors.py --check   exits 1 if pen.json is not what would be written
"""

import hashlib
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import CounterLocation, KBKDFCMAC, Mode

HERE = pathlib.Path(__file__).resolve().parent
KAT = json.loads((HERE / "keyward-kat.json").read_text())

SUITE_AES256 = 1
KIND_DOSE, KIND_ACK = 1, 2
FROM_PEN, FROM_APP = b"P", b"A"
NO_NUMBER = 0xFFFFFFFF


def fill(name, size):
    """Bytes without structure, the same on every run."""
    return hashlib.shake_256(b"keyward pen vectors: " + name.encode()).digest(size)


def cmac(key, message):
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def kdf(key, label, context, size):
    return KBKDFCMAC(
        algorithm=algorithms.AES,
        mode=Mode.CounterMode,
        length=size,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(key)


def cmac_vectors():
    """The four AES-256 examples of SP 800-38B, then lengths around the block borders."""
    nist_key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    nist_message = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    published = {
        0: "028962f61b7bf89efc6b551f4667d983",
        16: "28a7023f452e8f82bd4bf28d8c37c35c",
        40: "aaf3d8f1de5640c232f5b169b9c911e6",
        64: "e1992190549f6ed5696a2c056c315410",
    }
    cases = []
    for size, expected in published.items():
        assert cmac(nist_key, nist_message[:size]).hex() == expected
        cases.append((nist_key, nist_message[:size]))
    for size in (1, 15, 17, 31, 32, 33):
        cases.append((fill("cmac key %d" % size, 32), fill("cmac message %d" % size, size)))
    return [{"key": k, "message": m, "mac": cmac(k, m)} for k, m in cases]


def ccm_vectors():
    """Header and text sizes around the block borders; the header shares its block with a length."""
    vectors = []
    for aad_size, size in ((0, 0), (0, 16), (1, 0), (8, 12), (13, 1), (14, 15), (15, 16), (30, 17),
                           (31, 32), (8, 300)):
        name = "ccm %d %d " % (aad_size, size)
        key, nonce = fill(name + "key", 32), fill(name + "nonce", 13)
        aad, plain = fill(name + "aad", aad_size), fill(name + "plain", size)
        sealed = AESCCM(key, tag_length=16).encrypt(nonce, plain, aad)
        vectors.append({"key": key, "nonce": nonce, "aad": aad, "plain": plain,
                        "cipher": sealed[:size], "tag": sealed[size:]})
    return vectors


def provisioning_vector(line_key, device_key):
    device_id, challenge = fill("device id", 16), fill("challenge", 16)
    return {
        "line_key": line_key,
        "wrapped": keywrap.aes_key_wrap_with_padding(line_key, device_key),
        "device_key": device_key,
        "check_value": cmac(device_key, bytes(16))[:3],
        "device_id": device_id,
        "challenge": challenge,
        "proof": cmac(device_key, b"KEYWARD-PROV" + challenge + device_id),
    }


def handshake_vector(name, device_key, partner_id, epoch, nonce_app, nonce_pen, counter):
    m1 = struct.pack(">H16sI16s", SUITE_AES256, partner_id, epoch, nonce_app)
    partner_context = struct.pack(">16sIH", partner_id, epoch, SUITE_AES256)
    partner_key = kdf(device_key, b"KEYWARD-PD-v1", partner_context, 32)
    session_context = struct.pack(">16s16sI", nonce_app, nonce_pen, counter)
    session_keys = kdf(partner_key, b"KEYWARD-SS-v1", session_context, 72)
    m2_head = struct.pack(">16sI", nonce_pen, counter)
    m2 = m2_head + cmac(session_keys[32:64], b"P" + m1 + m2_head)
    return {
        "name": name,
        "device_key": device_key,
        "suite": SUITE_AES256,
        "partner_id": partner_id,
        "epoch": epoch,
        "nonce_app": nonce_app,
        "nonce_pen": nonce_pen,
        "session_counter": counter,
        "partner_key": partner_key,
        "k_enc": session_keys[:32],
        "k_auth": session_keys[32:64],
        "nonce_salt": session_keys[64:],
        "m1": m1,
        "m2": m2,
        "m3": cmac(session_keys[32:64], b"A" + m1 + m2),
    }


def handshake_vectors():
    """The key schedule of keyward-kat.json first, then values at the fields' borders."""
    partner = KAT["sp800_108_counter_cmac_partner_key"]
    session = KAT["sp800_108_counter_cmac_session_keys"]
    first = handshake_vector("known key schedule", bytes.fromhex(partner["device_key"]),
                             bytes(range(16)), 1, b"\x11" * 16, b"\x22" * 16, 7)
    assert first["partner_key"].hex() == partner["partner_key"]
    keys = first["k_enc"] + first["k_auth"] + first["nonce_salt"]
    assert keys.hex() == session["session_keys"]
    names = ("device key", "partner id", "nonce app", "nonce pen")
    key, partner_id, app, pen = (fill("second " + n, 32 if n == "device key" else 16)
                                 for n in names)
    return [first, handshake_vector("largest numbers", key, partner_id, NO_NUMBER, app, pen,
                                    NO_NUMBER)]


def seal(handshake, kind, direction, sequence, plain):
    header = struct.pack(">BcHI", kind, direction, len(plain), sequence)
    nonce = handshake["nonce_salt"] + direction + struct.pack(">I", sequence)
    sealed = AESCCM(handshake["k_enc"], tag_length=16).encrypt(nonce, plain, header)
    return {"sequence": sequence, "nonce": nonce, "header": header, "plain": plain,
            "record": header + sealed}


def dose_vectors(handshake):
    doses = (
        {"time_s": 1767225600, "units_x100": 200, "type": 2, "flags": 0, "number": 1},
        {"time_s": 1767225660, "units_x100": 1250, "type": 1, "flags": 0, "number": 2},
        {"time_s": 42, "units_x100": 50, "type": 3, "flags": 6, "number": 3},
        {"time_s": NO_NUMBER, "units_x100": 65535, "type": 1, "flags": 7, "number": NO_NUMBER},
    )
    vectors = []
    for sequence, dose in enumerate(doses, start=1):
        plain = struct.pack(">IHBBI", *dose.values())
        vectors.append({**dose, **seal(handshake, KIND_DOSE, FROM_PEN, sequence, plain)})
    return vectors


def ack_vectors(handshake):
    """What the app may send after two and after four doses, then what the pen must refuse."""
    def ack(note, sequence, last, **change):
        kind = change.get("kind", KIND_ACK)
        direction = change.get("direction", FROM_APP)
        plain = struct.pack(">I", last) + change.get("more", b"")
        return {"note": note, "last": last, **seal(handshake, kind, direction, sequence, plain)}

    return {
        "good": [ack("two doses arrived", 1, 2), ack("four doses arrived", 2, 4)],
        "gap": ack("sequence 2 left out", 3, 4),
        "beyond_limit": ack("sequence 65537", 65537, 4),
        "never_sent": ack("acknowledges a fifth dose", 1, 5),
        "other_kind": ack("a dose kind from the app", 1, 2, kind=KIND_DOSE),
        "own_direction": ack("sealed as if by the pen", 1, 2, direction=FROM_PEN),
        "longer": ack("one byte too many", 1, 2, more=b"\x00"),
    }


def to_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def build():
    kat = KAT["aes_kwp_rfc5649"]
    provisioning = provisioning_vector(bytes.fromhex(kat["kek"]), bytes.fromhex(kat["key"]))
    assert provisioning["wrapped"].hex() == kat["wrapped"]
    handshakes = handshake_vectors()
    return {
        "comment": "Known answers for docs/formats-pen.md, written by make_pen_vectors.py. Bytes "
                   "are hex. Doses and acknowledgements belong to the first handshake.",
        "cmac": cmac_vectors(),
        "ccm": ccm_vectors(),
        "provisioning": provisioning,
        "handshakes": handshakes,
        "doses": dose_vectors(handshakes[0]),
        "acks": ack_vectors(handshakes[0]),
    }


def main():
    text = json.dumps(to_json(build()), indent=2) + "\n"
    target = HERE / "pen.json"
    if sys.argv[1:] == ["--check"]:
        sys.exit(None if target.read_text() == text else "pen.json is not what this script writes")
    target.write_text(text)


if __name__ == "__main__":
    main()
