"""The few algorithms everything is made of (docs/formats.md, "Key schedule")."""
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

KEY_SIZE = 32
SUITE_AES256 = 1


def cmac(key, *parts):
    """AES-CMAC over the parts one after the other: 16 bytes."""
    mac = CMAC(AES(key))
    for part in parts:
        mac.update(part)
    return mac.finalize()


def equal(tag, expected):
    """Compares tags without telling by its duration how much of one was guessed."""
    return hmac.compare_digest(tag, expected)


def kdf(key, label, context, size):
    """SP 800-108 in counter mode with AES-CMAC."""
    return KBKDFCMAC(AES, Mode.CounterMode, size, rlen=4, llen=4,
                     location=CounterLocation.BeforeFixed, label=label, context=context,
                     fixed=None).derive(key)


def derive_partner_key(device_key, partner_id, epoch):
    """K_pd, what a partner is given. Only the pen and the HSM hold the device key this needs."""
    context = partner_id + struct.pack(">IH", epoch, SUITE_AES256)
    return kdf(device_key, b"KEYWARD-PD-v1", context, KEY_SIZE)


class SessionKeys:
    """The keys of one connection between app and pen: 72 bytes, cut in three."""
    SIZE = 72

    def __init__(self, keys):
        if len(keys) != self.SIZE:
            raise ValueError("session keys have 72 bytes")
        self.enc, self.auth, self.nonce_salt = keys[:32], keys[32:64], keys[64:]


def derive_session_keys(partner_key, nonce_app, nonce_pen, counter):
    context = nonce_app + nonce_pen + struct.pack(">I", counter)
    return SessionKeys(kdf(partner_key, b"KEYWARD-SS-v1", context, SessionKeys.SIZE))
