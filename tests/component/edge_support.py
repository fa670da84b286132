"""What the edge's component tests share: throw-away certificates, the echo server as a process, grpcio channels.

Everything is on the loopback interface. Waiting is always for an event with a deadline, never for a time.
"""
import collections
import datetime
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

os.environ["GRPC_VERBOSITY"] = "NONE"  # refused handshakes are what is tested

import grpc  # noqa: E402: reads the environment
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TIMEOUT_S = 30
CLIENT_URI = "spiffe://example.test/region/test-1/partner/prt_1"


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority with one self-signed certificate."""

    def __init__(self, common_name):
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.name = name(common_name)
        self.certificate = self._sign(self.name, self.key.public_key(), [
            (x509.BasicConstraints(ca=True, path_length=None), True)])

    def _sign(self, subject, public_key, extensions, days=(-1, 1)):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1])))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA384())

    def issue(self, names, usage, days=(-1, 1)):
        """A leaf: (private key PEM, certificate PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name("leaf"), key.public_key(), [
            (x509.SubjectAlternativeName(names), False),
            (x509.ExtendedKeyUsage([usage]), False)], days)
        return key_pem(key), certificate_pem(certificate)

    def client(self, days=(-1, 1), usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        return self.issue([x509.UniformResourceIdentifier(CLIENT_URI)], usage, days)

    def server(self):
        return self.issue([x509.DNSName("localhost")], ExtendedKeyUsageOID.SERVER_AUTH)

    def pem(self):
        return certificate_pem(self.certificate)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def certificate_pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


class World:
    """A directory with a server's credentials behind a symlink, a client's, and a stranger's."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="edge-test-")
        self.ca = Authority("partners")
        self.stranger = Authority("strangers")
        self.ca_file = write(self.path("clients.pem"), self.ca.pem())
        self.client_key, self.client_certificate = self.ca.client()
        write(self.path("client.key"), self.client_key)
        write(self.path("client.pem"), self.client_certificate)
        self.swap("first")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.dir.cleanup()

    def path(self, *parts):
        return os.path.join(self.dir.name, *parts)

    def swap(self, generation):
        """A new key and certificate, put in place the way a deployment does it."""
        key, certificate = self.ca.server()
        os.mkdir(self.path(generation))
        write(self.path(generation, "key.pem"), key)
        write(self.path(generation, "cert.pem"), certificate)
        os.symlink(generation, self.path("new"))
        os.rename(self.path("new"), self.path("credentials"))
        return certificate


class EdgeCase(unittest.TestCase):
    """One server for a class; its clean exit (no leak, no sanitizer report) is part of the test."""
    LIMITS = ()

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.server = cls.enterClassContext(Server(binary(), cls.world, *cls.LIMITS))

    def setUp(self):
        self.channel = self.enterContext(self.server.channel())

    def assertFails(self, code, call):
        error = failure(call)
        self.assertEqual(error.code(), code, error)
        return error


def binary():
    """The echo server: the first argument of each of these programs."""
    return sys.modules["__main__"].BINARY


class Server:
    """The echo server as a process. Leaving the block ends it and fails if it did not end cleanly."""

    def __init__(self, binary, world, *limits):
        self.world = world
        self.log = open(world.path("log.%d" % time.monotonic_ns()), "w+b")
        self.process = subprocess.Popen(
            [binary, world.path("credentials"), world.ca_file, *limits],
            stdout=subprocess.PIPE, stderr=self.log,
            # freed memory that the sanitizer keeps would count as the server's
            env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
        self.port = int(re.match(rb"READY port=(\d+)", self._ready_line()).group(1))

    def _ready_line(self):
        readable, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
        line = self.process.stdout.readline() if readable else b""
        if not line.startswith(b"READY"):
            raise AssertionError("server did not start: " + self.log_text())
        return line

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "no exit after SIGTERM"
        self.process.stdout.close()
        self.log.close()
        if code != 0 or kind is not None:
            sys.stderr.write(self.log_text())
        if code != 0 and kind is None:
            raise AssertionError("server exit: %s" % code)

    def log_text(self):
        with open(self.log.name, errors="replace") as file:
            return file.read()

    def cpu_s(self):
        """CPU time of the server, which has one thread."""
        with open("/proc/%d/schedstat" % self.process.pid) as file:
            return int(file.read().split()[0]) / 1e9

    def reads(self):
        """How often it has read from anything."""
        with open("/proc/%d/io" % self.process.pid) as file:
            return int(re.search(r"syscr: (\d+)", file.read()).group(1))

    def rss_kib(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def channel(self, key=None, certificate=None, ca=None, options=()):
        credentials = grpc.ssl_channel_credentials(
            ca or self.world.ca.pem(),
            self.world.client_key if key is None else key,
            self.world.client_certificate if certificate is None else certificate)
        return grpc.secure_channel("localhost:%d" % self.port, credentials, options=[
            ("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1),
            ("grpc.max_metadata_size", 65536), ("grpc.use_local_subchannel_pool", 1), *options])

    def stats(self):
        """The server's metrics: name or name{label="value"} to number. What never happened is 0."""
        with self.channel() as channel:
            text = unary(channel, "Stats")(b"", timeout=TIMEOUT_S).decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return collections.defaultdict(int, {name: int(float(value)) for name, _, value in lines})

    def in_flight(self):
        """Calls the server holds, not counting the question."""
        return self.stats()["in_flight"] - 1

    def reloads(self, result):
        return self.stats()['keyward_certificate_reloads_total{result="%s"}' % result]

    def limit(self, label):
        """How often a limit of the edge was met."""
        return self.stats()['keyward_edge_limits_total{limit="%s"}' % label]


def unary(channel, method):
    return channel.unary_unary("/test.Echo/" + method)


def stream(channel, method="Stream"):
    return channel.stream_stream("/test.Echo/" + method)


def eventually(condition, what, timeout_s=TIMEOUT_S):
    """Polls a condition until it holds."""
    end = time.monotonic() + timeout_s
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("never: %s (last: %r)" % (what, value))
        select.select([], [], [], pause)
        pause = min(pause * 2, 0.1)


def failure(call):
    """The RpcError a call ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")
