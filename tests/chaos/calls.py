"""Calls whose every attempt is written down, and tried again under the same request_id.

The channel does not retry: what a client sees is one attempt. A call waits for the connection, within its deadline:
one that fails at once turns no wheel of gRPC's, and then it is 5 s before anybody notices that the gateway is back.
"""
import threading

import grpc

import history
from keyward_partner import signing
from keyward_partner.envelope import EnvelopeError
from keyward_partner.errors import KeywardError, translated
from keyward_partner.names import new_request_id

TIMEOUT_S = 5
STREAM_TIMEOUT_S = 10
RETRY_S = (0.02, 0.1, 0.3, 0.5)  # the last again and again
RECEIPT_KEY = "keyward-receipt"
OPTIONS = [("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 50),
           ("grpc.min_reconnect_backoff_ms", 5000), ("grpc.max_reconnect_backoff_ms", 200)]

# Codes that say for certain that nothing was done. All others leave it open.
REFUSALS = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS,
            grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.DATA_LOSS}
PASSING = {"RATE_LIMITED", "LIMIT_REACHED", "HSM_BUSY", "MEMORY", "CAPSULE_EXPIRED"}


def outcome_of(error):
    return history.REFUSED if error.reason and error.code in REFUSALS else history.UNKNOWN


def open_channel(target, root, key, certificate):
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(root, key, certificate), options=OPTIONS)


class Caller:
    """Somebody with a certificate: officer, station, partner, invitation. Any thread may use it.

    One that does not wait hears at once that nobody is there: it has another place to go."""

    def __init__(self, target, root, key_pem, certificate_pem, key=None, waits=True):
        self.channel = open_channel(target, root, key_pem, certificate_pem)
        self._key, self._waits = key, waits
        self.timeout_s = TIMEOUT_S

    def close(self):
        self.channel.close()

    def unary(self, descriptor, request):
        """Response and name of the receipt."""
        response, trailers = self.call(descriptor, request)
        return response, trailers.get(RECEIPT_KEY, "")

    def call(self, descriptor, request):
        """Response and trailers."""
        path, body, metadata = self._prepared(descriptor, request)
        method = self.channel.unary_unary(path, None, signing.parser(descriptor))
        with translated():
            response, call = method.with_call(body, timeout=self.timeout_s, metadata=metadata, wait_for_ready=self._waits)
        return response, dict(call.trailing_metadata() or ())

    def stream(self, descriptor, request):
        """The messages, all of them."""
        path, body, metadata = self._prepared(descriptor, request)
        method = self.channel.unary_stream(path, None, signing.parser(descriptor))
        with translated():
            return list(method(body, timeout=STREAM_TIMEOUT_S, metadata=metadata, wait_for_ready=True))

    def _prepared(self, descriptor, request):
        if self._key is None or not hasattr(request, "request_id"):
            return signing.method_path(descriptor), request.SerializeToString(), ()
        return signing.prepare(self._key, descriptor, request)


class Refused(Exception):
    """The story can't go on: the call was refused, or nobody knows."""


class Tries:
    """Makes calls for one worker. `patience` says how long an unknown result is asked for again."""

    def __init__(self, recorder, worker, random, stop):
        self.recorder, self.worker = recorder, worker
        self._random, self._over = random, stop
        self._nap = threading.Event()  # never set
        self.repeatable = []  # acknowledged mutations, to be asked for again

    def mutate(self, operation, function, abandon=0.1, **arguments):
        """`function(request_id)` is one attempt and returns its result. Until it is known; now and
        then the client gives up and never learns."""
        request_id = new_request_id()
        if "effect" in arguments:
            arguments["effect"] = arguments["effect"].format(request_id)
        result = self._until_known(operation, function, request_id, abandon, arguments)
        self.repeatable = [*self.repeatable[-9:], (operation, function, request_id, arguments)]
        return result

    def repeat(self):
        """An acknowledged mutation once more."""
        if self.repeatable:
            operation, function, request_id, arguments = self._random.choice(self.repeatable)
            self._until_known(operation, function, request_id, 0.5, arguments)

    def read(self, operation, function, **arguments):
        """One attempt."""
        return self._attempt(operation, lambda _: function(), "", arguments)

    def _until_known(self, operation, function, request_id, abandon, arguments):
        for attempt in range(1000):
            try:
                return self._attempt(operation, function, request_id, arguments)
            except KeywardError as error:
                known = outcome_of(error) == history.REFUSED and error.reason not in PASSING
                if known or self._over.is_set() or self._random.random() < abandon:
                    raise Refused(error.reason) from error
            self._nap.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)])
        raise Refused("a thousand times")

    def _attempt(self, operation, function, request_id, arguments):
        serial = self.recorder.start(self.worker, operation, request_id, **arguments)
        try:
            result = function(request_id)
        except KeywardError as error:
            self.recorder.end(serial, outcome_of(error), error.reason or "%s: %s" % (error.code.name, error.message))
            raise
        except (ValueError, EnvelopeError) as error:  # what came does not open
            self.recorder.end(serial, history.OK, str(error), right=False)
            raise Refused(str(error)) from error
        self.recorder.end(serial, history.OK, **{name: value for name, value in result.items()
                                                 if not name.startswith("_")})
        return result
