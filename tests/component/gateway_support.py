"""What the gateway's component tests share: the gateway, its stand-in for authz and Redis as processes, messages
from the descriptor set, callers.

Everything is on the loopback interface. Waiting is always for an event with a deadline, never for a time.
"""
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid
from urllib.request import urlopen

from edge_support import TIMEOUT_S, Authority, eventually, failure, write  # noqa: F401

import grpc
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

GATEWAY, AUTHZ, DESCRIPTORS = (sys.argv.pop(1) for _ in range(3))
CALLER_URI = "spiffe://keyward.test/"
SERVICE_URI = "spiffe://keyward.test/region/r1/cell/a/svc/"
CACHE_KEY = "0123456789abcdef" * 4


class Messages:
    """Message classes by full name, made from the same descriptor set that the gateway embeds."""

    def __init__(self, path):
        files = descriptor_pb2.FileDescriptorSet()
        with open(path, "rb") as file:
            files.ParseFromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def __call__(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def method(self, path):
        """(method descriptor, request class, response class) of "/package.Service/Method"."""
        service, name = path[1:].split("/")
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        return method, self(method.input_type.full_name), self(method.output_type.full_name)


messages = Messages(DESCRIPTORS)


class Process:
    """A program with a READY line. Leaving the block ends it by SIGTERM, and fails if it did not end cleanly."""

    def __init__(self, log, *command):
        self.log = tempfile.NamedTemporaryFile(prefix=log, delete=False)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        readable, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
        line = self.process.stdout.readline().decode() if readable else ""
        if not line.startswith("READY"):
            self.process.kill()
            raise AssertionError("%s did not start: %s" % (command[0], self.log_text()))
        self.ready = dict(word.split("=") for word in line.split()[1:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        code = self.stop()
        if code != 0 or kind is not None:
            sys.stderr.write(self.log_text())
        self.log.close()
        if code != 0 and kind is None:
            raise AssertionError("exit: %s" % code)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "no exit after SIGTERM"
        self.process.stdout.close()
        return code

    def log_text(self):
        with open(self.log.name, errors="replace") as file:
            return file.read()


class World:
    """A directory with the credentials of gateway and authz, and callers' certificates."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="gateway-test-")
        self.services = Authority("services")
        self.partners = Authority("partners")
        self.ca_file = write(self.path("clients.pem"), self.partners.pem())
        self.credentials("gateway", x509.UniformResourceIdentifier(SERVICE_URI + "gateway"),
                         ExtendedKeyUsageOID.CLIENT_AUTH)
        self.credentials("authz", x509.UniformResourceIdentifier(SERVICE_URI + "authz"),
                         ExtendedKeyUsageOID.SERVER_AUTH)
        self.credentials("edge", x509.DNSName("localhost"), ExtendedKeyUsageOID.SERVER_AUTH)
        self.alice = self.caller(CALLER_URI + "partner/prt_" + "a" * 26)
        self.bob = self.caller(CALLER_URI + "partner/prt_b" + "a" * 25)
        self.authz_port = free_port()
        write_secret(self.path("cache.key"), CACHE_KEY)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.dir.cleanup()

    def path(self, *parts):
        return os.path.join(self.dir.name, *parts)

    def credentials(self, service, name, usage):
        key, certificate = self.services.issue([name], usage)
        os.mkdir(self.path(service))
        write(self.path(service, "key.pem"), key)
        write(self.path(service, "cert.pem"), certificate)
        write(self.path(service, "ca.pem"), self.services.pem())

    def caller(self, *uris, authority=None, usage=ExtendedKeyUsageOID.CLIENT_AUTH, **options):
        """Key and certificate of a caller with these URI SANs; the partners' CA certifies unless told otherwise."""
        names = [x509.UniformResourceIdentifier(uri) for uri in uris] or [x509.DNSName("partner.example")]
        return (authority or self.partners).issue(names, usage, **options)

    def authz(self):
        return Process(self.path("authz.log."), AUTHZ, self.path("authz"),
                       "127.0.0.1:%d" % self.authz_port)

    def gateway(self, **settings):
        settings = {"region": "r1", "cell": "a", "trust_domain": "keyward.test",
                    "listen": "127.0.0.1:0", "credentials_dir": self.path("gateway"),
                    "edge_credentials_dir": self.path("edge"), "client_ca_file": self.ca_file,
                    "targets": "127.0.0.1:%d" % self.authz_port, "drain_ms": 5000, **settings}
        return Process(self.path("gateway.log."), GATEWAY,
                       *("--%s=%s" % (name.replace("_", "-"), value)
                         for name, value in settings.items()))

    def redis_settings(self):
        return {"redis": self.path("redis.sock"), "cache_key_file": self.path("cache.key"),
                "redis_user": REDIS_USER, "redis_password_file": self.path("redis.password")}


def write_secret(path, text):
    os.chmod(write(path, text.encode()), 0o600)


def free_port():
    """A port that was free a moment ago: authz must come back on the same one after it was killed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


REDIS_USER = "gateway"


class Redis:
    """A Redis of its own on a Unix socket, and by TLS where `tls` (below) says so. It takes the gateway by name and password, the
    test as it is."""

    def __init__(self, world, tls=()):
        self.socket_path = world.path("redis.sock")
        self.password = secrets.token_hex(16)
        write_secret(world.path("redis.password"), self.password)
        write(world.path("redis.acl"), ("user default on nopass ~* &* +@all\nuser %s on >%s ~* +get +setex\n"
                                        % (REDIS_USER, self.password)).encode())
        self.command = ["redis-server", "--port", "0", "--unixsocket", self.socket_path, "--save", "",
                        "--appendonly", "no", "--aclfile", world.path("redis.acl"), "--dir", world.dir.name, "--logfile", ""]
        self.log = open(world.path("redis.log"), "wb")
        self.process = None
        self.start(tls)

    def start(self, tls=()):
        self.process = subprocess.Popen([*self.command, *tls], stdout=self.log, stderr=self.log)
        eventually(self._answers, "redis answers")

    def _answers(self):
        try:
            return self.ask("PING") == b"PONG"
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
        self.log.close()

    def stop(self):
        self.process.kill()
        self.process.wait()
        if os.path.exists(self.socket_path):
            os.unlink(self.socket_path)

    def ask(self, *words):
        """One command, its answer: bytes, a number, a list, or None."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        request = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(self.socket_path)
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                return self._read(answer)

    def _read(self, answer):
        line = answer.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"*":
            return [self._read(answer) for _ in range(int(rest))]
        if kind == b"$":
            if rest == b"-1":
                return None
            return answer.read(int(rest) + 2)[:-2]
        return int(rest) if kind == b":" else rest

    def keys(self):
        return self.ask("KEYS", "*")


class Caller:
    """A client certificate's channel to a gateway."""

    def __init__(self, world, gateway, identity):
        key, certificate = identity
        self.channel = grpc.secure_channel(
            "localhost:" + gateway.ready["port"],
            grpc.ssl_channel_credentials(world.services.pem(), key, certificate),
            options=[("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1),
                     ("grpc.max_receive_message_length", -1)])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.channel.close()

    def call(self, path, metadata=(), timeout=TIMEOUT_S, **fields):
        """A unary call: (response, trailers as a dictionary)."""
        _, request, response = messages.method(path)
        answer, call = self.channel.unary_unary(
            path, request.SerializeToString, response.FromString).with_call(
                request(**fields), timeout=timeout, metadata=metadata)
        return answer, dict(call.trailing_metadata())

    def partner(self, name, **options):
        answer, _ = self.call("/keyward.v1.PartnerService/GetPartner", name=name, **options)
        return answer.partner

    def stats(self):
        """What the stand-in has counted."""
        text = self.partner("stats").display_name
        return {name: int(value) for name, value in (word.split("=") for word in text.split())}

    def create(self, request_id, **options):
        answer, trailers = self.call("/keyward.v1.PartnerService/CreatePartner",
                                     request_id=request_id, **options)
        return answer.partner.name, trailers

    def await_cache(self):
        """Until an outcome is released from the cache. Redis takes commands in their order: what went before is there."""
        request_id = new_id()

        def released():
            before = self.stats()["released"]
            self.create(request_id)
            return self.stats()["released"] > before
        eventually(released, "the cache is up")

    def stream(self, path, requests, timeout=TIMEOUT_S, metadata=()):
        """A streaming call with raw messages both ways."""
        method, _, _ = messages.method(path)
        make = self.channel.stream_stream if method_streams(path) else self.channel.unary_stream
        return make(path)(requests, timeout=timeout, metadata=metadata)


def method_streams(path):
    return path.endswith(("BatchGetDeviceAccess", "ServerReflectionInfo"))


def details(error):
    """The details of an error by the last word of their type; every type at most once."""
    status = messages("google.rpc.Status")()
    status.ParseFromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    found = {}
    for detail in status.details:
        name = detail.type_url.rsplit("/", 1)[1]
        assert name not in found, name
        found[name.rsplit(".", 1)[1]] = messages(name).FromString(detail.value)
    return status, found


def new_id():
    return str(uuid.uuid4())


def metric(gateway, name):
    """The value of a metric line that begins with `name` (labels included), or 0."""
    with urlopen("http://127.0.0.1:%s/metrics" % gateway.ready["metrics"], timeout=TIMEOUT_S) as page:
        for line in page.read().decode().splitlines():
            if line.startswith(name + " "):
                return int(float(line.rsplit(" ", 1)[1]))
    return 0


class GatewayCase(unittest.TestCase):
    """One gateway and one authz for a class; their clean exit (no leak, no sanitizer report) is part of the test."""
    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.authz = cls.enterClassContext(cls.world.authz())
        cls.before_gateway()
        cls.gateway = cls.enterClassContext(cls.world.gateway(**cls.settings()))
        with Caller(cls.world, cls.gateway, cls.world.alice) as caller:
            wait_for_authz(caller)

    @classmethod
    def before_gateway(cls):
        pass

    @classmethod
    def settings(cls):
        return cls.SETTINGS

    def setUp(self):
        self.alice = self.enterContext(Caller(self.world, self.gateway, self.world.alice))

    def assertRefused(self, call, code, reason):
        error = failure(call)
        self.assertEqual(error.code(), code, error)
        status, found = details(error)
        self.assertEqual(status.code, code.value[0])
        self.assertEqual(found["ErrorInfo"].reason, reason)
        self.assertEqual(found["ErrorInfo"].domain, "keyward")
        return error, found


def wait_for_authz(caller):
    def connected():
        try:
            return caller.partner("ready", timeout=TIMEOUT_S)
        except grpc.RpcError:
            return None
    return eventually(connected, "the gateway reaches authz")
