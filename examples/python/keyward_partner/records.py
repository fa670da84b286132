"""Dose records and their acknowledgement (docs/formats-pen.md, section 4): AES-256-CCM."""
import dataclasses
import datetime
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from keyward_partner.pen import PenError

HEADER = struct.Struct(">BcHI")  # kind, direction, payload size, sequence
DOSE = struct.Struct(">IHBBI")   # time, units, type, flags, number
ACK = struct.Struct(">I")        # the last sequence that arrived
KIND_DOSE, KIND_ACK = 1, 2
FROM_PEN, FROM_APP = b"P", b"A"
TAG_SIZE = 16
SEQUENCE_MAX = 65536
TYPES = {1: "injected", 2: "primed", 3: "expelled"}
LAST, TIME_UNSET, PARTIAL = 1, 2, 4
FLAGS_KNOWN = LAST | TIME_UNSET | PARTIAL


@dataclasses.dataclass(frozen=True)
class Dose:
    """One expulsion."""
    time_s: int
    units_x100: int
    type: int
    flags: int
    number: int

    @property
    def is_last(self):
        """The newest of the log. A transfer that ends without it is incomplete."""
        return bool(self.flags & LAST)

    def __str__(self):
        when = "%d s after power-up" % self.time_s
        if not self.flags & TIME_UNSET:
            when = datetime.datetime.utcfromtimestamp(self.time_s).strftime("%Y-%m-%d %H:%M:%S UTC")
        partial = ", partial" if self.flags & PARTIAL else ""
        return "dose %d: %.2f IU %s, %s%s" % (self.number, self.units_x100 / 100,
                                              TYPES[self.type], when, partial)


def make_nonce(keys, direction, sequence):
    return keys.nonce_salt + direction + struct.pack(">I", sequence)


class RecordReader:
    """Reads one session's records in their order. A refused record changes nothing."""

    def __init__(self, keys):
        self._keys = keys
        self._ccm = AESCCM(keys.enc, tag_length=TAG_SIZE)
        self._received = 0
        self._sent = 0

    def open(self, record):
        """The dose in the next record. Raises PenError."""
        if len(record) != HEADER.size + DOSE.size + TAG_SIZE:
            raise PenError("a record of %d bytes" % len(record))
        header, sealed = record[:HEADER.size], record[HEADER.size:]
        kind, direction, size, sequence = HEADER.unpack(header)
        if (kind, direction, size) != (KIND_DOSE, FROM_PEN, DOSE.size):
            raise PenError("not a dose from the pen")
        if sequence != self._received + 1:
            raise PenError("a record was repeated" if sequence <= self._received
                           else "a record was lost or withheld")
        if sequence > SEQUENCE_MAX:
            raise PenError("the session is used up: make a new handshake")
        try:
            plain = self._ccm.decrypt(make_nonce(self._keys, direction, sequence), sealed, header)
        except InvalidTag as error:
            raise PenError("the record is not authentic") from error
        dose = _read_dose(plain)
        self._received = sequence
        return dose

    def acknowledge(self):
        """The record that tells the pen how far we are."""
        if self._sent == SEQUENCE_MAX:
            raise PenError("the session is used up: make a new handshake")
        self._sent += 1
        header = HEADER.pack(KIND_ACK, FROM_APP, ACK.size, self._sent)
        nonce = make_nonce(self._keys, FROM_APP, self._sent)
        return header + self._ccm.encrypt(nonce, ACK.pack(self._received), header)


def _read_dose(plain):
    dose = Dose(*DOSE.unpack(plain))
    if dose.type not in TYPES or dose.flags & ~FLAGS_KNOWN or dose.number == 0:
        raise PenError("a dose this version does not know")
    return dose
