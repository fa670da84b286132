"""The app's side of the handshake with a pen (docs/formats-pen.md, section 3).

    app → pen   M1   who is asking, and a nonce
    pen → app   M2   nonce, counter, and proof that the pen holds the partner key
    app → pen   M3   proof that the app's side does

The phone only carries the messages; this runs where the keys are, in the backend.
"""
import os
import struct

from keyward_partner.primitives import SUITE_AES256, cmac, derive_session_keys, equal

M1 = struct.Struct(">H16sI16s")  # suite, partner, epoch, nonce
M2 = struct.Struct(">16sI16s")   # nonce, counter, tag
NONCE_SIZE = 16
TAG_SIZE = 16


class PenError(Exception):
    """A message that is not the pen's, not of this connection, or damaged."""


class Handshake:
    """One connection: send `m1`, then `finish` with the pen's M2 and send the M3 it returns.

    `counter_last` is the greatest session counter ever seen from this pen: keep `counter` with the
    pen's other data. A refused M2 changes nothing.
    """

    def __init__(self, partner_id, epoch, counter_last=0, nonce=None):
        self.nonce_app = nonce or os.urandom(NONCE_SIZE)
        self.m1 = M1.pack(SUITE_AES256, partner_id, epoch, self.nonce_app)
        self.counter_last = counter_last

    def read_m2(self, m2):
        """The pen's nonce and session counter: what DeriveSession is asked with."""
        if len(m2) != M2.size:
            raise PenError("M2 has %d bytes" % len(m2))
        nonce_pen, counter, _ = M2.unpack(m2)
        if counter <= self.counter_last:
            raise PenError("session counter %d was used before" % counter)
        return nonce_pen, counter

    def finish(self, partner_key, m2):
        """With the partner key: checks M2, returns M3 and the session keys."""
        nonce_pen, counter = self.read_m2(m2)
        keys = derive_session_keys(partner_key, self.nonce_app, nonce_pen, counter)
        return self.finish_derived(keys, m2), keys

    def finish_derived(self, keys, m2):
        """With session keys that Keyward derived: checks M2, returns M3."""
        _, counter = self.read_m2(m2)
        if not equal(cmac(keys.auth, b"P", self.m1, m2[:-TAG_SIZE]), m2[-TAG_SIZE:]):
            raise PenError("M2 is not from the pen that holds this key")
        self.counter_last = counter
        return cmac(keys.auth, b"A", self.m1, m2)
