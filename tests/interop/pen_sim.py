#!/usr/bin/python3
"""A pen, simulated: the other side of docs/formats-pen.md, as far as a partner meets it.

As a program it is a pen at the end of a wire. `pen_sim.py FILE` takes one message a line from its
input and answers on its output, bytes in hex:

    m1 …  →  m2 …            the handshake
    m3 …  →  dose …, dose …  the log; the last record says so
    ack … →  ok

A message that breaks a rule is answered `refused WHY`. FILE is JSON: device_id, device_key (hex),
counter, which is the pen's flash: it is written before M2 leaves.
"""
import argparse
import json
import os
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))
from keyward_partner import pen, records  # noqa: E402: the layouts, not the logic
from keyward_partner.primitives import (  # noqa: E402
    SUITE_AES256, cmac, derive_partner_key, derive_session_keys, equal)

PROOF_LABEL = b"KEYWARD-PROV"
ACK_SIZE = 28

# time, units in hundredths, type, flags, number: what is in the pen's memory
LOG = (
    records.Dose(1767225600, 200, 2, 0, 1),
    records.Dose(1767225660, 1250, 1, 0, 2),
    records.Dose(1767268800, 800, 1, records.PARTIAL, 3),
    records.Dose(1767312000, 1250, 1, records.LAST, 4),
)


class Refused(Exception):
    """The message breaks a rule of formats-pen.md."""


class Pen:
    """One pen: its key, its log, and at most one session."""

    def __init__(self, device_id, device_key, log=LOG, counter=0, min_epoch=1):
        self.device_id, self.device_key, self.log = device_id, device_key, log
        self.counter, self.min_epoch = counter, min_epoch
        self._keys = self._m1 = self._m2 = None
        self._sent = self._acknowledgements = 0
        self.is_open = False

    def prove_possession(self, challenge):
        return cmac(self.device_key, PROOF_LABEL, challenge, self.device_id)

    def answer(self, m1, nonce=None):
        """M1 in, M2 out."""
        self.is_open = False
        if len(m1) != pen.M1.size:
            raise Refused("length")
        suite, partner, epoch, nonce_app = pen.M1.unpack(m1)
        if suite != SUITE_AES256:
            raise Refused("suite")
        if epoch < self.min_epoch:
            raise Refused("epoch")
        self.counter += 1
        nonce = nonce or os.urandom(pen.NONCE_SIZE)
        partner_key = derive_partner_key(self.device_key, partner, epoch)
        self._keys = derive_session_keys(partner_key, nonce_app, nonce, self.counter)
        body = nonce + struct.pack(">I", self.counter)
        self._m1, self._m2 = m1, body + cmac(self._keys.auth, b"P", m1, body)
        return self._m2

    def admit(self, m3):
        """M3 in; the session is open afterwards. A wrong one costs the session."""
        m2, self._m2 = self._m2, None
        if m2 is None:
            raise Refused("state")
        if not equal(cmac(self._keys.auth, b"A", self._m1, m2), m3):
            raise Refused("tag")
        self.is_open, self._sent, self._acknowledgements = True, 0, 0

    def send_log(self):
        """The records of the log."""
        if not self.is_open:
            raise Refused("state")
        return [self._seal(records.DOSE.pack(d.time_s, d.units_x100, d.type, d.flags, d.number))
                for d in self.log]

    def take_acknowledgement(self, record):
        """The last sequence the app has."""
        if not self.is_open:
            raise Refused("state")
        if len(record) != ACK_SIZE:
            raise Refused("length")
        header = record[:records.HEADER.size]
        kind, direction, size, sequence = records.HEADER.unpack(header)
        if direction != records.FROM_APP:
            raise Refused("direction")
        if (kind, size) != (records.KIND_ACK, records.ACK.size):
            raise Refused("format")
        if sequence != self._acknowledgements + 1:
            raise Refused("replay" if sequence <= self._acknowledgements else "gap")
        last = self._open(header, record[records.HEADER.size:], sequence)
        if last > self._sent:
            raise Refused("format")
        self._acknowledgements = sequence
        return last

    def _seal(self, payload):
        self._sent += 1
        header = records.HEADER.pack(records.KIND_DOSE, records.FROM_PEN, len(payload), self._sent)
        nonce = records.make_nonce(self._keys, records.FROM_PEN, self._sent)
        return header + AESCCM(self._keys.enc).encrypt(nonce, payload, header)

    def _open(self, header, sealed, sequence):
        nonce = records.make_nonce(self._keys, records.FROM_APP, sequence)
        try:
            plain = AESCCM(self._keys.enc).decrypt(nonce, sealed, header)
        except InvalidTag as error:
            raise Refused("tag") from error
        return records.ACK.unpack(plain)[0]


def save(path, simulated):
    state = {"device_id": simulated.device_id.hex(), "device_key": simulated.device_key.hex(),
             "counter": simulated.counter}
    path.write_text(json.dumps(state) + "\n")


def load(path):
    state = json.loads(path.read_text())
    return Pen(bytes.fromhex(state["device_id"]), bytes.fromhex(state["device_key"]),
               counter=state["counter"])


def handle(simulated, path, kind, message):
    """One message in, the lines of the answer out."""
    if kind == "m1":
        m2 = simulated.answer(message)
        save(path, simulated)
        return ["m2 " + m2.hex()]
    if kind == "m3":
        simulated.admit(message)
        return ["dose " + record.hex() for record in simulated.send_log()]
    if kind == "ack":
        simulated.take_acknowledgement(message)
        return ["ok"]
    raise Refused("message")


def main():
    parser = argparse.ArgumentParser(description="A simulated pen on standard input and output.")
    parser.add_argument("file", type=pathlib.Path, help="JSON: device_id, device_key, counter")
    path = parser.parse_args().file
    simulated = load(path)
    for line in sys.stdin:
        kind, _, text = line.strip().partition(" ")
        try:
            answer = handle(simulated, path, kind, bytes.fromhex(text))
        except (Refused, ValueError) as why:
            answer = ["refused %s" % why]
        print("\n".join(answer), flush=True)


if __name__ == "__main__":
    main()
