"""HTTP/2 by hand: a client that writes any frame, valid or not, over TLS.

TLS runs over memory, so a test decides how bytes become records, and a flood can read while it writes.
"""
import ctypes
import select
import socket
import ssl
import struct
import time

from edge_support import TIMEOUT_S

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, CANCEL = 0x0, 0x8


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(text):
    """An HPACK string, not Huffman-coded."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, octets = len(raw) - 127, b""
    while rest >= 128:
        octets += bytes([rest % 128 | 128])
        rest //= 128
    return b"\x7f" + octets + bytes([rest]) + raw


def field(name, value):
    """A header that enters no table."""
    return b"\x00" + literal(name) + literal(value)


def request(path="/test.Echo/Unary", method="POST", content_type="application/grpc", **more):
    block = field(":method", method) + field(":scheme", "https") + field(":path", path)
    block += field(":authority", "localhost") + field("te", "trailers")
    if content_type:
        block += field("content-type", content_type)
    return block + b"".join(field(name.replace("_", "-"), value) for name, value in more.items())


def message(body):
    return b"\x00" + struct.pack(">I", len(body)) + body


class _NameValue(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_uint8)), ("value", ctypes.POINTER(ctypes.c_uint8)),
                ("name_len", ctypes.c_size_t), ("value_len", ctypes.c_size_t),
                ("flags", ctypes.c_uint8)]


class Inflater:
    """HPACK decoder of one connection; nghttp2's, called directly."""
    EMIT, FINAL = 0x2, 0x1

    def __init__(self):
        self.library = ctypes.CDLL("libnghttp2.so.14")
        self.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.state = ctypes.c_void_p()
        if self.library.nghttp2_hd_inflate_new(ctypes.byref(self.state)) != 0:
            raise MemoryError

    def __del__(self):
        self.library.nghttp2_hd_inflate_del(self.state)

    def decode(self, block):
        """A header block as a dictionary."""
        fields = {}
        while True:
            pair, flags = _NameValue(), ctypes.c_int(0)
            used = self.library.nghttp2_hd_inflate_hd2(
                self.state, ctypes.byref(pair), ctypes.byref(flags), block,
                ctypes.c_size_t(len(block)), 1)
            if used < 0:
                raise ValueError("HPACK error %d" % used)
            block = block[used:]
            if flags.value & self.EMIT:
                fields[ctypes.string_at(pair.name, pair.name_len).decode()] = ctypes.string_at(
                    pair.value, pair.value_len).decode()
            if flags.value & self.FINAL:
                self.library.nghttp2_hd_inflate_end_headers(self.state)
                return fields


class Connection:
    """A TLS connection to the server. `closed` says how it ended: None, "end" or "reset"."""

    def __init__(self, server, hello=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=server.world.ca.pem().decode())
        context.load_cert_chain(server.world.path("client.pem"), server.world.path("client.key"))
        context.set_alpn_protocols(["h2"])
        self.socket = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.received = b""
        self.closed = None
        self._shake_hands()
        if hello:
            self.send(PREFACE + frame(SETTINGS))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def _shake_hands(self):
        while not self.closed:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._write(self.outgoing.read())
                self._wait(writing=False)
                self._take()
        self._write(self.outgoing.read())

    def _wait(self, writing, timeout_s=TIMEOUT_S):
        return select.select([self.socket], [self.socket] if writing else [], [], timeout_s)

    def _take(self):
        """Reads what there is of ciphertext."""
        try:
            data = self.socket.recv(65536)
            self.incoming.write(data)
            self.closed = self.closed or (None if data else "end")
        except BlockingIOError:
            pass
        except ConnectionError:
            self.closed = "reset"

    def _decrypt(self):
        try:
            while data := self.tls.read(65536):
                self.received += data
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass

    def _write(self, data, reading=True, timeout_s=TIMEOUT_S):
        """Writes all of `data`; False when the connection ended or nothing moves for the time."""
        while data and not self.closed:
            readable, writable, _ = self._wait(True, timeout_s)
            if not readable and not writable:
                return False
            if reading and readable:
                self._take()
                self._decrypt()
            if writable and not self.closed:
                try:
                    data = data[self.socket.send(data):]
                except BlockingIOError:
                    pass
                except ConnectionError:
                    self.closed = "reset"
            elif not reading and not writable:
                return False
        return not self.closed

    def send(self, data, record=16384, reading=True, timeout_s=TIMEOUT_S):
        """Encrypts in records of at most `record` bytes and writes."""
        for at in range(0, len(data), record):
            self.tls.write(data[at:at + record])
        return self._write(self.outgoing.read(), reading, timeout_s)

    def flood(self, piece, times):
        """Sends `piece` again and again until the server has had enough. The number sent."""
        for sent in range(times):
            if not self.send(piece):
                return sent
        return times

    def read_until(self, condition, timeout_s=TIMEOUT_S):
        """Reads until `condition(frames)` holds or the connection ends; the frames so far."""
        end = time.monotonic() + timeout_s
        while not condition(self.frames()) and not self.closed and time.monotonic() < end:
            self._wait(False, max(0.0, end - time.monotonic()))
            self._take()
            self._decrypt()
        return self.frames()

    def wait_closed(self, timeout_s=TIMEOUT_S):
        self.read_until(lambda frames: False, timeout_s)
        return self.closed

    def frames(self):
        """What was received: a list of (kind, flags, stream, payload)."""
        frames, rest = [], self.received
        while len(rest) >= 9:
            length = int.from_bytes(rest[:3], "big")
            if len(rest) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", rest[3:9])
            frames.append((kind, flags, stream, rest[9:9 + length]))
            rest = rest[9 + length:]
        return frames


def of_stream(frames, kind, stream):
    return [f for f in frames if f[0] == kind and f[2] == stream]


def goaways(frames):
    """(last stream, error code) of each GOAWAY."""
    return [struct.unpack(">II", f[3][:8]) for f in frames if f[0] == GOAWAY]
